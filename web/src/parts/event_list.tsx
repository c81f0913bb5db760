/** Events, newest first. */
import { Fragment, memo, useState } from "react";
import type { Happening } from "../api/types";
import { store } from "../live/store";
import { Link } from "../router";
import { Time } from "./basics";
import { Icon, type IconName } from "./icons";

const BAD = new Set(["routeGaveUp", "crashLooping", "routeUnhealthy", "routesFileRefused", "alarmDeliveryFailed", "backupFailed"]);
const NOTE = new Set([
  "startRefused",
  "processEnded",
  "processNotStarted",
  "peerRejected",
  "peerDisconnected",
  "routeRestarting",
  "signInRefused",
  "alarmRaised",
  "warningRaised",
  "streamErrorsBegan",
]);

function signOf(event: Happening): [IconName, string] {
  if (BAD.has(event.kind)) return ["close", "bad"];
  if (NOTE.has(event.kind)) return ["bell", "note"];
  if (event.kind === "operatorAction") return ["user", "plain"];
  return ["info", "plain"];
}

export const EventList = memo(function EventList({ events, hideRoute = false }: {
  events: readonly Happening[];
  hideRoute?: boolean;
}) {
  const [open, setOpen] = useState<number | null>(null);
  return (
    <ul className="events">
      {events.map((event) => {
        const [icon, kind] = signOf(event);
        return (
          <li key={event.id} className={`event event-${kind}`}>
            <span className="event-at num">
              <Time at={event.at} />
            </span>
            <span className="event-kind">
              <Icon name={icon} />
              {event.kind}
            </span>
            <span className="event-words">
              {!hideRoute && event.routeId && (
                <Link to={`/routes/${event.routeId}`} className="event-route">
                  {store.route(event.routeId)?.name ?? event.routeId}
                </Link>
              )}
              {event.message}
              {event.repeated > 0 && <b> (stands for {event.repeated})</b>}
              {event.actor && <span className="dim"> by {event.actor}</span>}
            </span>
            <button
              type="button"
              className="event-more"
              aria-expanded={open === event.id}
              aria-label={`Details of ${event.kind}`}
              onClick={() => setOpen(open === event.id ? null : event.id)}
            >
              <Icon name="chevron" />
            </button>
            {open === event.id && <Details event={event} />}
          </li>
        );
      })}
    </ul>
  );
});

function Details({ event }: { event: Happening }) {
  return (
    <dl className="event-details">
      {Object.entries(event.data).map(([name, value]) => (
        <Fragment key={name}>
          <dt>{name}</dt>
          <dd className="mono">{typeof value === "string" ? value : JSON.stringify(value, null, 1)}</dd>
        </Fragment>
      ))}
      <dt>id</dt>
      <dd className="mono">{event.id}</dd>
    </dl>
  );
}
