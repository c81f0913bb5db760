/** The last minutes of one number as a line. Its words stand beside it, so it is hidden from screen readers. */
import { memo } from "react";

const WIDTH = 120;
const HEIGHT = 28;

export const Sparkline = memo(function Sparkline({ values }: { values: number[] }) {
  const known = values.filter((value) => !Number.isNaN(value));
  const top = Math.max(...known, 1) * 1.1;
  return (
    <svg className="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <path d={path(values, top)} />
    </svg>
  );
});

function path(values: number[], top: number): string {
  let drawn = "";
  let pen = "M";
  const step = WIDTH / Math.max(1, values.length - 1);
  values.forEach((value, index) => {
    if (Number.isNaN(value)) {
      pen = "M";
      return;
    }
    drawn += `${pen}${(index * step).toFixed(1)} ${(HEIGHT - 1 - (value / top) * (HEIGHT - 2)).toFixed(1)}`;
    pen = "L";
  });
  return drawn;
}
