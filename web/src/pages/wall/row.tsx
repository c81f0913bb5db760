/** One route as a row of the wall, and as a tile. Each is drawn again only when its own route has news. */
import { memo, useEffect, useState } from "react";
import type { Route } from "../../api/types";
import { useNow, useNumbers, useRoute } from "../../live/hooks";
import { prefill } from "../../live/prefill";
import { store } from "../../live/store";
import { Button, StatusBadge, destinationStanding, standing } from "../../parts/basics";
import { Icon } from "../../parts/icons";
import { Sparkline } from "../../parts/sparkline";
import { Thumbnail } from "../../parts/thumbnail";
import { useRouteActions } from "../../parts/use_actions";
import { Link } from "../../router";
import { useMay } from "../../session";
import { UNKNOWN, bitrate, duration, endpoint, legNumbers, ms, percent, plural, worst } from "../../words";
import { destinationsOf, isTrouble, restarts, waitingForRestart } from "./choice";
import { pick, usePicked } from "./picking";
import { useAlarmCount } from "../../live/alarms";

const SPARK_S = 120;
const LOSS_BAD = 1;
const STAYS_MS = 400;

function Uptime({ since }: { since: number | null }) {
  const now = useNow();
  return <>{since === null ? UNKNOWN : duration(now + store.link.skewMs - since)}</>;
}

function SourceSign({ route }: { route: Route }) {
  const process = route.processes.find((one) => one.type === route.source.process);
  const [kind, icon, word] = standing(route.source.connection, route.source.state, process);
  const peer = process?.peer;
  return (
    <span className={`connection connection-${kind}`} title={`Source: ${word}${peer ? `, ${peer}` : ""}`}>
      <Icon name={icon} />
      <span className="ellipsis">{peer ?? endpoint(route.source.endpoint)}</span>
    </span>
  );
}

/** One mark for each destination; shape and hue say how it is, the words beside say how many. */
function DestinationMarks({ route }: { route: Route }) {
  const { wanted, there, down } = destinationsOf(route);
  const words = `${there} of ${plural(wanted, "destination")} up${down ? `, ${down} down` : ""}`;
  return (
    <span className="marks" title={words}>
      <span aria-hidden="true" className="marks-row">
        {route.destinations.slice(0, 6).map((leg, index) => {
          const [kind] = destinationStanding(route, leg);
          return <i key={index} className={`mark mark-${kind}`} />;
        })}
      </span>
      <span aria-hidden="true">
        {there}/{wanted}
      </span>
      <span className="sr-only">{words}</span>
    </span>
  );
}

function Spark({ id, onAir }: { id: string; onAir: boolean }) {
  useNumbers(id);
  useEffect(() => {
    if (!onAir) return;
    const timer = setTimeout(() => prefill(id), STAYS_MS); // what is only scrolled past needs no past
    return () => clearTimeout(timer);
  }, [id, onAir]);
  const trail = store.trail(id);
  return <Sparkline values={trail ? trail.read(SPARK_S) : []} />;
}

function AlarmSign({ id }: { id: string }) {
  const { count, severity } = useAlarmCount(id);
  if (!count) return <span className="dim">{UNKNOWN}</span>;
  return (
    <span className={`severity severity-${severity}`} title={plural(count, "alarm")}>
      <Icon name="bell" />
      {count}
      <span className="sr-only"> {count === 1 ? "alarm" : "alarms"}</span>
    </span>
  );
}

function QuickActions({ route }: { route: Route }) {
  const may = useMay("operator");
  const actions = useRouteActions(route);
  if (!may) return null;
  const off = route.status === "stopped";
  return off ? (
    <Button
      icon="play"
      kind="quiet"
      label={`Start ${route.name}`}
      busy={actions.busy}
      onClick={() => void actions.start()}
    />
  ) : (
    <Button
      icon="stop"
      kind="quiet"
      label={`Stop ${route.name}`}
      busy={actions.busy}
      onClick={() => void actions.stop()}
    />
  );
}

/** A box to choose the route with, while several are chosen. */
function Picker({ route }: { route: Route }) {
  const [choosing, picked] = usePicked(route.id);
  if (!choosing) return null;
  return (
    <label className="picker">
      <input type="checkbox" checked={picked} onChange={(event) => pick([route.id], event.target.checked)} />
      <span className="sr-only">Choose {route.name}</span>
    </label>
  );
}

function Waits({ route }: { route: Route }) {
  const waiting = waitingForRestart(route).length;
  if (!waiting) return null;
  return (
    <span className="tag tag-note" title="An earlier version of the server started it; its next start takes the new command line over">
      restart pending
    </span>
  );
}

function Reason({ route }: { route: Route }) {
  const text = route.reasons[0];
  const tags = route.tags ?? [];
  if (text && (isTrouble(route.status) || route.status === "waiting")) return <span className="reason">{text}</span>;
  return (
    <span className="tags">
      <Waits route={route} />
      {tags.slice(0, 3).map((tag) => (
        <span className="tag" key={tag}>
          {tag}
        </span>
      ))}
    </span>
  );
}

interface Props {
  id: string;
  index: number;
  selected: boolean;
}

export const WallRow = memo(function WallRow({ id, index, selected }: Props) {
  const route = useRoute(id);
  const numbers = useNumbers(id);
  if (!route) return null;
  const source = legNumbers(numbers, "source");
  const loss = worst(numbers, "lossPercent");
  const again = restarts(route);
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      className={`wall-row wall-${route.status}${selected ? " wall-selected" : ""}`}
      data-route={id}
    >
      <div role="cell" className="c-status">
        <StatusBadge status={route.status} />
      </div>
      <div role="cell" className="c-name">
        <Picker route={route} />
        <Thumbnail route={route} size="small" />
        <div className="c-name-words">
          <Link to={`/routes/${id}`} className="row-link">
            {route.name}
          </Link>
          <Reason route={route} />
        </div>
      </div>
      <div role="cell" className="c-source">
        <SourceSign route={route} />
      </div>
      <div role="cell" className="c-destinations">
        <DestinationMarks route={route} />
      </div>
      <div role="cell" className="c-rate num">
        {bitrate(source?.bitrate)}
      </div>
      <div role="cell" className="c-spark">
        <Spark id={id} onAir={route.startedAt !== null} />
      </div>
      <div role="cell" className={`c-loss num${loss !== null && loss >= LOSS_BAD ? " value-bad" : ""}`}>
        {percent(loss)}
      </div>
      <div role="cell" className="c-rtt num">
        {ms(worst(numbers, "msRTT"))}
      </div>
      <div role="cell" className="c-uptime num">
        <Uptime since={route.startedAt} />
      </div>
      <div role="cell" className={`c-restarts num${again ? " value-note" : ""}`}>
        {route.processes.length ? again : UNKNOWN}
      </div>
      <div role="cell" className="c-alarms">
        <AlarmSign id={id} />
      </div>
      <div role="cell" className="c-actions">
        <QuickActions route={route} />
      </div>
    </div>
  );
});

export const WallTile = memo(function WallTile({ id, selected }: Props) {
  const route = useRoute(id);
  const numbers = useNumbers(id);
  if (!route) return null;
  const source = legNumbers(numbers, "source");
  const loss = worst(numbers, "lossPercent");
  return (
    <article
      className={`tile wall-${route.status}${selected ? " wall-selected" : ""}`}
      data-route={id}
      aria-label={route.name}
    >
      <header className="tile-head">
        <Picker route={route} />
        <Link to={`/routes/${id}`} className="row-link">
          {route.name}
        </Link>
        <StatusBadge status={route.status} />
      </header>
      <div className="tile-middle">
        <Thumbnail route={route} size="medium" />
        <div className="tile-spark">
          <span className="tile-rate num">{bitrate(source?.bitrate)}</span>
          <Spark id={id} onAir={route.startedAt !== null} />
        </div>
      </div>
      <dl className="tile-facts">
        <div>
          <dt>Dest.</dt>
          <dd>
            <DestinationMarks route={route} />
          </dd>
        </div>
        <div>
          <dt>Loss</dt>
          <dd className={`num${loss !== null && loss >= LOSS_BAD ? " value-bad" : ""}`}>{percent(loss)}</dd>
        </div>
        <div>
          <dt>RTT</dt>
          <dd className="num">{ms(worst(numbers, "msRTT"))}</dd>
        </div>
        <div>
          <dt>Alarms</dt>
          <dd>
            <AlarmSign id={id} />
          </dd>
        </div>
      </dl>
      <footer className="tile-foot">
        <span className="ellipsis">
          <Waits route={route} /> {route.reasons[0] ?? endpoint(route.source.endpoint)}
        </span>
        <QuickActions route={route} />
      </footer>
    </article>
  );
});

/** The time, for the full-screen wall. */
export function WallClock() {
  const [time, setTime] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => setTime(new Date()), 1000);
    return () => clearInterval(timer);
  }, []);
  return <span className="wall-clock num">{time.toLocaleTimeString("en-GB")}</span>;
}
