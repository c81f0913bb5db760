/** One route: what flows where, how well, and everything that can be done about it. */
import { useEffect, useState } from "react";
import type { Route } from "../../api/types";
import { useNow, useNumbers, useRoute, useRoutes } from "../../live/hooks";
import { store } from "../../live/store";
import { Button, Card, Empty, Notice, StatusBadge } from "../../parts/basics";
import { EventList } from "../../parts/event_list";
import { Menu, type MenuItem } from "../../parts/overlays";
import { useRouteActions } from "../../parts/use_actions";
import { Link, navigate } from "../../router";
import { useMay } from "../../session";
import { duration, plural, processName } from "../../words";
import { restarts, waitingForRestart } from "../wall/choice";
import { Flow } from "./flow";
import { Graphs } from "./graphs";
import { ProcessTable } from "./process_table";
import { StreamPanel } from "./stream_panel";
import { useRouteEvents } from "./use_route_events";

export function RoutePage({ id }: { id: string }) {
  const route = useRoute(id);
  useRoutes();
  if (!route) {
    if (!store.complete) return <p className="page dim">Loading…</p>;
    return (
      <div className="page">
        <Empty title={`There is no route ${id}.`}>
          <p>
            It may have been deleted. <Link to={`/events?route=${id}`}>Its events</Link> tell,{" "}
            <Link to="/">the wall</Link> shows all others.
          </p>
        </Empty>
      </div>
    );
  }
  return <Known route={route} />;
}

function Known({ route }: { route: Route }) {
  const numbers = useNumbers(route.id);
  useEffect(() => {
    document.title = `${route.name} · SRT Router`;
  }, [route.name]);
  return (
    <div className="page route-page">
      <Head route={route} />
      <Reasons route={route} />
      <Waiting route={route} />
      <Flow route={route} numbers={numbers} />
      <div className="route-columns">
        <Graphs route={route} />
        <StreamPanel route={route} />
      </div>
      <ProcessTable route={route} numbers={numbers} />
      <Events id={route.id} />
    </div>
  );
}

function Head({ route }: { route: Route }) {
  const operator = useMay("operator");
  const now = useNow();
  const actions = useRouteActions(route);
  const more: MenuItem[] = [
    { words: "Reset counters", icon: "restart", run: () => void actions.reset() },
    { words: "Duplicate", icon: "copy", run: () => void actions.duplicate() },
    {
      words: "Export",
      icon: "download",
      run: () => window.open(`/api/routes/export?route=${route.id}`, "_blank", "noopener"),
    },
    { words: "Delete…", icon: "trash", danger: true, run: () => void actions.remove() },
  ];
  const again = restarts(route);
  return (
    <header className="route-head">
      <div className="route-title">
        <Link to="/" className="back" aria-label="Back to the wall">
          ‹ Wall
        </Link>
        <h1>{route.name}</h1>
        <StatusBadge status={route.status} large />
        {(route.tags ?? []).map((tag) => (
          <Link className="tag" key={tag} to={`/?tag=${encodeURIComponent(tag)}`}>
            {tag}
          </Link>
        ))}
      </div>
      <p className="route-facts dim">
        <span className="mono">{route.id}</span>
        <span>
          {route.startedAt === null ? "off air" : `up ${duration(now + store.link.skewMs - route.startedAt)}`}
        </span>
        <span>{plural(again, "restart")}</span>
        <span>{route.autoStart ? "starts with the server" : "does not start by itself"}</span>
      </p>
      {operator && (
        <div className="button-line">
          {route.status === "stopped" ? (
            <Button icon="play" kind="primary" busy={actions.busy} onClick={() => void actions.start()}>
              Start
            </Button>
          ) : (
            <>
              <Button icon="stop" kind="danger" busy={actions.busy} onClick={() => void actions.stop()}>
                Stop
              </Button>
              <Button icon="restart" busy={actions.busy} onClick={() => void actions.restart()}>
                Restart
              </Button>
            </>
          )}
          <Button icon="edit" onClick={() => navigate(`/routes/${route.id}/edit`)}>
            Edit
          </Button>
          <Menu label="More actions" items={more} />
        </div>
      )}
    </header>
  );
}

function Reasons({ route }: { route: Route }) {
  const bad = route.status === "failed" || route.status === "degraded" || route.status === "restarting";
  const warnings = route.warnings ?? [];
  return (
    <>
      {route.reasons.length > 0 && (
        <Notice kind={bad ? "bad" : "warn"}>
          {route.reasons.map((reason) => (
            <p key={reason}>{reason}</p>
          ))}
        </Notice>
      )}
      {warnings.length > 0 && (
        <Notice kind="warn">
          {warnings.map((warning) => (
            <p key={`${warning.leg}${warning.metric}`}>{warning.message}</p>
          ))}
        </Notice>
      )}
    </>
  );
}

/** What an earlier version of the server started, and a restart would bring up to date. */
function Waiting({ route }: { route: Route }) {
  const operator = useMay("operator");
  const actions = useRouteActions(route);
  const waiting = waitingForRestart(route);
  if (!waiting.length) return null;
  return (
    <Notice kind="info">
      <p>
        An earlier version of the server started {waiting.map(processName).join(", ")}. The stream goes on as it is; the command
        line of this version takes effect with the next restart.
      </p>
      {operator && (
        <Button icon="restart" busy={actions.busy} onClick={() => void actions.apply(waiting)}>
          {waiting.length === 1 ? "Restart it now" : "Restart them now, one after the other"}
        </Button>
      )}
    </Notice>
  );
}

function Events({ id }: { id: string }) {
  const [many, setMany] = useState(12);
  const events = useRouteEvents(id);
  return (
    <Card title="Events" aside={<Link to={`/events?route=${id}`}>All, with filters</Link>}>
      {events.length === 0 ? (
        <Empty title="Nothing has happened yet." />
      ) : (
        <EventList events={events.slice(0, many)} hideRoute />
      )}
      {events.length > many && <Button onClick={() => setMany(many + 50)}>Show more</Button>}
    </Card>
  );
}
