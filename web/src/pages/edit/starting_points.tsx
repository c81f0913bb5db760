/** Kinds of route that one begins with most often. */
import type { RouteConfig } from "../../api/types";
import { Button, Card } from "../../parts/basics";

interface Point {
  words: string;
  hint: string;
  make: (draft: RouteConfig) => Partial<RouteConfig>;
}

const POINTS: Point[] = [
  {
    words: "Receive and hand out",
    hint: "An encoder calls us; a decoder calls us.",
    make: (draft) => ({
      source: { type: "srt", mode: "listener", port: draft.source.port, latency: 120 },
      destinations: [{ type: "srt", mode: "listener", port: other(draft), latency: 120 }],
      testSource: false,
    }),
  },
  {
    words: "Receive and send on",
    hint: "An encoder calls us; we call the next station.",
    make: (draft) => ({
      source: { type: "srt", mode: "listener", port: draft.source.port, latency: 120 },
      destinations: [{ type: "srt", mode: "caller", host: "", port: 7000, latency: 120 }],
      testSource: false,
    }),
  },
  {
    words: "Fetch and hand out",
    hint: "We call a far station; decoders call us.",
    make: (draft) => ({
      source: { type: "srt", mode: "caller", host: "", port: 4000, latency: 120 },
      destinations: [{ type: "srt", mode: "listener", port: other(draft), latency: 120 }],
      testSource: false,
    }),
  },
  {
    words: "SRT to multicast",
    hint: "From the internet into the plant.",
    make: (draft) => ({
      source: { type: "srt", mode: "listener", port: draft.source.port, latency: 120 },
      destinations: [{ type: "udp", host: "239.10.0.1", port: 5000 }],
      testSource: false,
    }),
  },
  {
    words: "Multicast to SRT",
    hint: "From the plant out to the world.",
    make: (draft) => ({
      source: { type: "udp", host: "239.10.0.1", port: 5000 },
      destinations: [{ type: "srt", mode: "listener", port: other(draft), latency: 120 }],
      testSource: false,
    }),
  },
  {
    words: "Test pattern",
    hint: "A picture with a clock, to try things with.",
    make: (draft) => ({
      source: { type: "srt", mode: "listener", port: draft.source.port, latency: 120 },
      destinations: [{ type: "srt", mode: "listener", port: other(draft), latency: 120 }],
      testSource: true,
    }),
  },
];

/** A port that the draft has suggested already for a destination, or the next one. */
function other(draft: RouteConfig): number {
  const own = draft.destinations.find((end) => end.mode === "listener");
  return own?.port ?? draft.source.port + 1;
}

export function StartingPoints({ draft, onChange }: { draft: RouteConfig; onChange: (draft: RouteConfig) => void }) {
  return (
    <Card title="Begin with">
      <div className="points">
        {POINTS.map((point) => (
          <Button key={point.words} className="point" onClick={() => onChange({ ...draft, ...point.make(draft) })}>
            <span>
              <b>{point.words}</b>
              <small>{point.hint}</small>
            </span>
          </Button>
        ))}
      </div>
    </Card>
  );
}
