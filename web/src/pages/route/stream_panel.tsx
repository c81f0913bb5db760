/** What is inside the transport stream: services, PIDs, codecs, and the errors of TR 101 290. */
import { useState } from "react";
import type { Items, Route, StreamItem, StreamState } from "../../api/types";
import { Card, Empty, Notice, Tabs, Time } from "../../parts/basics";
import { Icon, type IconName } from "../../parts/icons";
import { useQuery } from "../../parts/use_query";
import { UNKNOWN, bitrate, count } from "../../words";

const STATES: Record<StreamState, [IconName, string, string]> = {
  ok: ["link", "good", "Good"],
  errors: ["close", "bad", "Errors"],
  noSync: ["close", "bad", "No transport stream"],
  silent: ["unlink", "note", "Silent"],
  unknown: ["question", "plain", "Unknown"],
};

const INDICATORS: Record<string, string> = {
  syncLoss: "1.1 TS sync loss",
  syncByteError: "1.2 Sync byte error",
  patError: "1.3 PAT error",
  continuityCountError: "1.4 Continuity count error",
  pmtError: "1.5 PMT error",
  pidError: "1.6 PID error",
};

export function StreamPanel({ route }: { route: Route }) {
  const { data, missing, error } = useQuery<Items<StreamItem>>(`/api/routes/${route.id}/stream`, 2000);
  const [leg, setLeg] = useState("source");
  if (missing) return null;
  const items = data?.items ?? [];
  const item = items.find((one) => one.leg === leg) ?? items[0];
  return (
    <Card
      title="Transport stream"
      className="stream"
      aside={
        items.length > 1 && (
          <Tabs
            label="Which stream"
            value={item?.leg ?? "source"}
            options={items.map((one) => [one.leg, one.leg === "source" ? "As it comes in" : "Transcoded"] as const)}
            onChange={setLeg}
          />
        )
      }
    >
      {error && <Notice kind="warn">{error}</Notice>}
      {item ? <Item item={item} /> : <Empty title={data ? "No stream: the route is off air." : "Looking…"} />}
    </Card>
  );
}

function Item({ item }: { item: StreamItem }) {
  const [icon, kind, words] = STATES[item.state];
  return (
    <>
      <p className={`stream-state event-${kind}`}>
        <Icon name={icon} /> <b>{words}</b>
        <span className="num">{item.bitrate == null ? "" : bitrate(item.bitrate / 1000)}</span>
        {item.nullRatio != null && <span className="dim">{(item.nullRatio * 100).toFixed(1)} % null packets</span>}
        {item.sampled && item.coverage != null && (
          <span className="dim">{Math.round(item.coverage * 100)} % of it is looked at</span>
        )}
      </p>
      <Probe item={item} />
      <Services item={item} />
      <Indicators item={item} />
      <Pids item={item} />
    </>
  );
}

function Probe({ item }: { item: StreamItem }) {
  if (!item.probe) return null;
  if (item.probe.error) return <p className="dim">ffprobe: {item.probe.error}</p>;
  return (
    <ul className="codecs">
      {item.probe.streams.map((one, index) => (
        <li key={index}>
          <b>{(one.codec ?? one.kind).toUpperCase()}</b> {one.profile}{" "}
          {one.width && (
            <>
              {one.width}×{one.height} {one.frameRate && `${Number(one.frameRate.toFixed(3))} fps`} {one.scan} {one.aspect}
            </>
          )}
          {one.channels && (
            <>
              {one.layout ?? `${one.channels} channels`} {one.sampleRate && `${one.sampleRate / 1000} kHz`}
            </>
          )}{" "}
          {one.language && <span className="tag">{one.language}</span>}
        </li>
      ))}
    </ul>
  );
}

function Services({ item }: { item: StreamItem }) {
  if (!item.services.length) return null;
  return (
    <dl className="services">
      {item.services.map((service) => (
        <div key={service.number}>
          <dt>
            {service.name ?? `Service ${service.number}`}{" "}
            <span className="dim">{service.provider}</span>
          </dt>
          <dd className="dim">
            number {service.number}, PMT {service.pmtPid}, PCR {service.pcrPid ?? UNKNOWN}:{" "}
            {service.streams.map((one) => `${one.codec}${one.language ? ` (${one.language})` : ""}`).join(", ")}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Indicators({ item }: { item: StreamItem }) {
  return (
    <div className="scroll-x" tabIndex={0} role="region" aria-label="Errors of TR 101 290, first priority">
      <table className="table table-tight">
        <thead>
          <tr>
            <th>TR 101 290, priority 1</th>
            <th className="num">Errors</th>
            <th>Last</th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(item.tr101290).map(([key, one]) => (
            <tr key={key} className={one.active ? "row-bad" : ""}>
              <th scope="row">
                {INDICATORS[key] ?? key} {one.active && <b className="value-bad">now</b>}
              </th>
              <td className={`num${one.count ? " value-note" : ""}`}>{count(one.count)}</td>
              <td>
                <Time at={one.lastAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Pids({ item }: { item: StreamItem }) {
  if (!item.pids.length) return null;
  return (
    <div className="scroll-x" tabIndex={0} role="region" aria-label="PIDs">
      <table className="table table-tight">
        <thead>
          <tr>
            <th className="num">PID</th>
            <th>Codec</th>
            <th className="num">Bitrate</th>
            <th className="num">CC errors</th>
            <th className="num">PCR interval, jitter</th>
          </tr>
        </thead>
        <tbody>
          {item.pids.map((pid) => (
            <tr key={pid.pid}>
              <th scope="row" className="num mono">
                {pid.pid}
              </th>
              <td>
                {pid.codec ?? UNKNOWN} {pid.language && <span className="tag">{pid.language}</span>}
                {pid.scrambled > 0 && <span className="tag">scrambled</span>}
              </td>
              <td className="num">{bitrate(pid.bitrate / 1000)}</td>
              <td className={`num${pid.continuityErrors ? " value-bad" : ""}`}>{count(pid.continuityErrors)}</td>
              <td className="num">
                {pid.pcr ? `${pid.pcr.intervalMs.toFixed(0)} ms, ${pid.pcr.jitterMs.toFixed(1)} ms` : UNKNOWN}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {item.pidsOmitted > 0 && <p className="dim">and {item.pidsOmitted} more</p>}
    </div>
  );
}
