/** The flow picture: source, transcode, destinations, each with its numbers. */
import { useState, type ReactNode } from "react";
import type { Endpoint, Leg, LegNumbers, Route, Transcode } from "../../api/types";
import { useNow } from "../../live/hooks";
import { store } from "../../live/store";
import { Button, ConnectionSign, destinationStanding, standing, type Standing } from "../../parts/basics";
import { Menu } from "../../parts/overlays";
import { AddressDialog } from "../../parts/address_dialog";
import { Thumbnail } from "../../parts/thumbnail";
import { useMay } from "../../session";
import { bitrate, count, duration, endpoint, legNumbers, ms, percent } from "../../words";
import { DestinationDialog } from "./destination_dialog";
import { useDestinationActions } from "./use_destination_actions";

export function Flow({ route, numbers }: { route: Route; numbers: LegNumbers[] | undefined }) {
  const operator = useMay("operator");
  const [adding, setAdding] = useState(false);
  return (
    <section className={`flow${route.transcode ? " flow-three" : ""}`} aria-label="Flow">
      <div className="flow-column">
        <h2 className="flow-title">Source</h2>
        <EndCard
          route={route}
          leg={route.source}
          numbers={legNumbers(numbers, "source")}
          name={route.source.endpoint.streamId ?? "In"}
          address
          picture
        />
      </div>
      {route.transcode && (
        <div className="flow-column">
          <h2 className="flow-title">Transcode</h2>
          <TranscodeCard route={route} numbers={legNumbers(numbers, "transcode")} />
        </div>
      )}
      <div className="flow-column flow-out">
        <h2 className="flow-title">
          Destinations <span className="dim">{route.destinations.length}</span>
        </h2>
        {route.destinations.map((leg, index) => (
          <DestinationCard
            key={leg.endpoint.id ?? index}
            route={route}
            leg={leg}
            index={index}
            numbers={legNumbers(numbers, `destination:${index}`)}
          />
        ))}
        {route.destinations.length === 0 && <p className="dim flow-none">The stream goes nowhere yet.</p>}
        {operator && (
          <Button icon="plus" className="flow-add" onClick={() => setAdding(true)}>
            Add a destination
          </Button>
        )}
      </div>
      {adding && <DestinationDialog route={route} index={null} onClose={() => setAdding(false)} />}
    </section>
  );
}

interface EndProps {
  route: Route;
  leg: Leg;
  numbers: LegNumbers | undefined;
  name: string;
  children?: ReactNode;
  address?: boolean;
  picture?: boolean;
}

/** How an end stands; a UDP end that gets nothing out says so, though nobody can know who listens. */
function standingOf(route: Route, leg: Leg, numbers: LegNumbers | undefined): Standing {
  if (leg === route.source) {
    const process = route.processes.find((one) => one.type === leg.process);
    return standing(leg.connection, leg.state, process);
  }
  const found = destinationStanding(route, leg);
  const mute = leg.endpoint.type === "udp" && numbers?.bitrate === 0 && (numbers.dropped ?? 0) > 0;
  return mute && found[0] === "up" ? ["down", "close", "Not sending"] : found;
}

function EndCard({ route, leg, numbers, name, children, address = false, picture = false }: EndProps) {
  const [showing, setShowing] = useState(false);
  const stands = standingOf(route, leg, numbers);
  return (
    <article className={`end end-${stands[0]}`} aria-label={`${name}, ${endpoint(leg.endpoint)}`}>
      <header className="end-head">
        <div>
          <p className="end-name">{name}</p>
          <p className="end-address mono">{endpoint(leg.endpoint)}</p>
        </div>
        <div className="end-actions">
          {(address || children) && leg.endpoint.type === "srt" && (
            <Button icon="qr" kind="quiet" label="Address for the other side" onClick={() => setShowing(true)} />
          )}
          {children}
        </div>
      </header>
      <div className="end-state">
        <ConnectionSign standing={stands} />
        {numbers?.peer && <span className="mono dim ellipsis">{numbers.peer}</span>}
        {leg.endpoint.passphrase && <span className="tag">encrypted</span>}
      </div>
      <Numbers end={leg.endpoint} numbers={numbers} />
      {picture && <Thumbnail route={route} size="large" />}
      {showing && <AddressDialog route={route} end={leg.endpoint} onClose={() => setShowing(false)} />}
    </article>
  );
}

function Numbers({ end, numbers }: { end: Endpoint; numbers: LegNumbers | undefined }) {
  const now = useNow();
  if (!numbers) return null;
  const since = numbers.connectedSince ? duration(now + store.link.skewMs - numbers.connectedSince) : null;
  return (
    <>
      <p className="end-rate num">{bitrate(numbers.bitrate)}</p>
      <dl className="facts">
        {end.type === "srt" && <Fact name="RTT" value={ms(numbers.msRTT)} />}
        {end.type === "srt" && (
          <Fact name="Loss" value={percent(numbers.lossPercent)} bad={(numbers.lossPercent ?? 0) >= 1} />
        )}
        {end.type === "srt" && <Fact name="Retransm." value={count(numbers.retransmitted)} />}
        <Fact
          name="Lost for good"
          value={count(numbers.dropped)}
          bad={(numbers.dropped ?? 0) > 0}
        />
        {end.type === "srt" && <Fact name="Buffer" value={ms(numbers.bufferMs)} />}
        {end.type === "srt" && <Fact name="Latency" value={ms(numbers.latency ?? numbers.latencyWanted)} />}
        {!!numbers.busDrops && <Fact name="Bus drops" value={count(numbers.busDrops)} bad />}
        {numbers.reconnects != null && numbers.reconnects > 0 && (
          <Fact name="Reconnects" value={count(numbers.reconnects)} />
        )}
        {since && <Fact name="Connected" value={since} />}
      </dl>
    </>
  );
}

function Fact({ name, value, bad = false }: { name: string; value: string; bad?: boolean }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className={`num${bad ? " value-bad" : ""}`}>{value}</dd>
    </div>
  );
}

function TranscodeCard({ route, numbers }: { route: Route; numbers: LegNumbers | undefined }) {
  const leg = route.transcode;
  if (!leg) return null;
  const process = route.processes.find((one) => one.type === leg.process);
  const stands = standing(leg.connection, leg.state, process);
  return (
    <article className={`end end-${stands[0]}`}>
      <header className="end-head">
        <div>
          <p className="end-name">{transcodeWords(leg.endpoint)}</p>
          <p className="end-address mono">ffmpeg</p>
        </div>
      </header>
      <div className="end-state">
        <ConnectionSign standing={stands} />
      </div>
      <p className="end-rate num">{bitrate(numbers?.bitrate)}</p>
      <dl className="facts">
        <Fact name="FPS" value={numbers?.fps == null ? "–" : numbers.fps.toFixed(1)} />
        <Fact name="Speed" value={numbers?.speed == null ? "–" : `${numbers.speed.toFixed(2)} ×`} />
        <Fact name="CPU" value={percent(numbers?.cpuPercent)} />
      </dl>
    </article>
  );
}

/** `H264 3000 kb/s 1280×720, AAC 128 kb/s` */
export function transcodeWords(transcode: Transcode): string {
  const { video, audio } = transcode;
  const size = typeof video === "object" && video.width ? ` ${String(video.width)}×${String(video.height)}` : "";
  const picture = typeof video === "object" ? `${video.codec.toUpperCase()} ${video.bitrateKbps} kb/s${size}` : "picture copied";
  const sound =
    typeof audio === "object"
      ? `${audio.codec.toUpperCase()} ${audio.bitrateKbps} kb/s`
      : audio === "none"
        ? "no sound"
        : "sound copied";
  return `${picture}, ${sound}`;
}

interface DestinationProps {
  route: Route;
  leg: Leg;
  index: number;
  numbers: LegNumbers | undefined;
}

function DestinationCard({ route, leg, index, numbers }: DestinationProps) {
  const operator = useMay("operator");
  const [editing, setEditing] = useState(false);
  const actions = useDestinationActions(route, leg.endpoint, index);
  const off = leg.endpoint.enabled === false;
  return (
    <EndCard route={route} leg={leg} numbers={off ? undefined : numbers} name={leg.endpoint.name ?? `Out ${index + 1}`} address>
      {operator && (
        <Menu
          label={`Actions for destination ${leg.endpoint.name ?? index + 1}`}
          items={[
            off
              ? { words: "Start", icon: "play", run: () => void actions.start() }
              : { words: "Stop…", icon: "stop", run: () => void actions.stop() },
            { words: "Edit…", icon: "edit", run: () => setEditing(true) },
            { words: "Remove…", icon: "trash", danger: true, run: () => void actions.remove() },
          ]}
        />
      )}
      {editing && <DestinationDialog route={route} index={index} onClose={() => setEditing(false)} />}
    </EndCard>
  );
}
