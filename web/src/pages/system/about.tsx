/** Which versions run here. */
import type { Engine, Health } from "../../api/types";
import { Card, Notice } from "../../parts/basics";
import { useQuery } from "../../parts/use_query";

export function AboutPart() {
  const engine = useQuery<Engine>("/api/engine").data;
  const health = useQuery<Health>("/api/health", 10_000).data;
  return (
    <Card title="About">
      {health && health.problems.length > 0 && (
        <Notice kind="warn">
          {health.problems.map((problem) => (
            <p key={problem}>{problem}</p>
          ))}
        </Notice>
      )}
      <dl className="about">
        <dt>SRT Router</dt>
        <dd>{engine?.version}</dd>
        <dt>srt-live-transmit</dt>
        <dd>{engine?.srtVersion}</dd>
        <dt>ffmpeg</dt>
        <dd>{engine ? (engine.ffmpegVersion ?? "not found") : ""}</dd>
        <dt>Hardware encoders that work</dt>
        <dd>{engine ? engine.encoders === null ? "being tried" : engine.encoders.join(", ") || "none" : ""}</dd>
        <dt>Documentation of the HTTP API</dt>
        <dd>
          <a href="/docs" target="_blank" rel="noopener">
            /docs
          </a>
          ,{" "}
          <a href="/openapi.json" target="_blank" rel="noopener">
            /openapi.json
          </a>
        </dd>
        <dt>License</dt>
        <dd>Apache License 2.0</dd>
      </dl>
    </Card>
  );
}
