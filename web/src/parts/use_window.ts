/** Which rows of a long list are near the screen: only those are drawn. */
import { useLayoutEffect, useRef, useState } from "react";

interface Windowed {
  ref: React.RefObject<HTMLDivElement | null>;
  columns: number;
  first: number;
  last: number;
  before: number;
  height: number;
}

/** Drawn beyond what is seen, so that scrolling meets no gap. */
const SPARE_PX = 320;

/** `columns`: how many items stand side by side in the width that there is. */
export function useWindow(items: number, rowHeight: number, leastWidth = 0): Windowed {
  const ref = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 1000, width: 1000 });

  useLayoutEffect(() => {
    let frame = 0;
    const look = () => {
      frame = 0;
      const box = ref.current?.getBoundingClientRect();
      if (!box) return;
      const top = Math.max(0, Math.floor(-box.top / rowHeight) * rowHeight);
      setView((old) => {
        const next = { top, height: window.innerHeight, width: Math.floor(box.width) };
        const same = old.top === next.top && old.height === next.height && old.width === next.width;
        return same ? old : next;
      });
    };
    const soon = () => {
      if (!frame) frame = requestAnimationFrame(look);
    };
    look();
    const observer = new ResizeObserver(soon);
    if (ref.current) observer.observe(ref.current);
    window.addEventListener("scroll", soon, { passive: true });
    window.addEventListener("resize", soon);
    return () => {
      cancelAnimationFrame(frame);
      observer.disconnect();
      window.removeEventListener("scroll", soon);
      window.removeEventListener("resize", soon);
    };
  }, [rowHeight]);

  const columns = leastWidth ? Math.max(1, Math.floor(view.width / leastWidth)) : 1;
  const rows = Math.ceil(items / columns);
  const spare = Math.ceil(SPARE_PX / rowHeight);
  const firstRow = Math.max(0, Math.floor(view.top / rowHeight) - spare);
  const lastRow = Math.min(rows, Math.ceil((view.top + view.height) / rowHeight) + spare);
  return {
    ref,
    columns,
    first: firstRow * columns,
    last: Math.min(items, lastRow * columns),
    before: firstRow * rowHeight,
    height: rows * rowHeight,
  };
}
