/** A picture of what is on air, with its age, or the word that says why there is none. */
import { useEffect, useRef, useState } from "react";
import type { Route } from "../api/types";
import { useNow } from "../live/hooks";
import { store } from "../live/store";
import { useThumbnail } from "../live/thumbnails";
import { ago } from "../words";

/** Older than this, a picture is no longer what is on air. */
const OLD_MS = 30_000;

const WORDS: Record<string, string> = {
  nothingOnAir: "Nothing comes in",
  noPicture: "No picture",
  thumbnailPending: "Picture to come",
};

interface Props {
  route: Pick<Route, "id" | "name" | "status">;
  size: "small" | "medium" | "large";
}

export function Thumbnail({ route, size }: Props) {
  const box = useRef<HTMLElement>(null);
  const visible = useOnScreen(box);
  const onAir = route.status !== "stopped" && route.status !== "failed";
  const found = useThumbnail(route.id, visible && onAir);
  const [broken, setBroken] = useState<string | null>(null);
  if (found?.code === "thumbnailsOff") return null;
  const version = onAir && found?.version !== broken ? found?.version : null;
  const words = !onAir ? "Off air" : (WORDS[found?.code ?? ""] ?? "");
  return (
    <figure className={`thumbnail thumbnail-${size}`} ref={box}>
      {version ? (
        <>
          <img
            src={`/api/routes/${route.id}/thumbnail?version=${version}`}
            alt={`Picture of ${route.name}`}
            decoding="async"
            draggable={false}
            onError={() => setBroken(version)} // there is a newer one by now
          />
          {found?.at != null && <Age at={found.at} short={size === "small"} />}
        </>
      ) : (
        <span className="thumbnail-none">{words}</span>
      )}
    </figure>
  );
}

function Age({ at, short }: { at: number; short: boolean }) {
  const now = useNow();
  const age = Math.max(0, now + store.link.skewMs - at);
  const old = age >= OLD_MS;
  return (
    <figcaption className={`thumbnail-age num${old ? " thumbnail-old" : ""}`} title="How old the picture is">
      {ago(age)}
      <span className={short ? "sr-only" : ""}> old</span>
    </figcaption>
  );
}

function useOnScreen(box: React.RefObject<HTMLElement | null>): boolean {
  const [visible, setVisible] = useState(false);
  useEffect(() => {
    if (!box.current) return;
    const observer = new IntersectionObserver((entries) => setVisible(entries.at(-1)?.isIntersecting ?? false));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, [box]);
  return visible;
}
