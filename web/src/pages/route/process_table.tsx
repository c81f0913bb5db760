/** The processes of a route, each with what it is doing and its last words. */
import { Fragment, useState } from "react";
import type { LegNumbers, Route, RouteProcess } from "../../api/types";
import { useNow } from "../../live/hooks";
import { store } from "../../live/store";
import { Button, Card, ConnectionSign, CopyButton, Empty, Time, standing } from "../../parts/basics";
import { Icon } from "../../parts/icons";
import { useRouteActions } from "../../parts/use_actions";
import { useMay } from "../../session";
import { UNKNOWN, bytes, duration, percent, processName } from "../../words";

export function ProcessTable({ route, numbers }: { route: Route; numbers: LegNumbers[] | undefined }) {
  const [open, setOpen] = useState<string | null>(null);
  const shown = [...route.processes, ...route.ended.filter((one) => !route.processes.some((p) => p.type === one.type))];
  return (
    <Card title="Processes">
      {shown.length === 0 ? (
        <Empty title="No process runs: the route is off air." />
      ) : (
        <div className="scroll-x" tabIndex={0} role="region" aria-label="Processes of the route">
          <table className="table">
            <thead>
              <tr>
                <th>Process</th>
                <th>State</th>
                <th className="num">PID</th>
                <th className="num">CPU</th>
                <th className="num">Memory</th>
                <th className="num">Uptime</th>
                <th className="num">Restarts</th>
                <th>Last end</th>
                <th>
                  <span className="sr-only">Log</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((process) => (
                <Fragment key={process.type}>
                  <Row
                    route={route}
                    process={process}
                    use={numbers?.find((leg) => leg.process === process.type)}
                    open={open === process.type}
                    toggle={() => setOpen(open === process.type ? null : process.type)}
                  />
                  {open === process.type && (
                    <tr className="row-details">
                      <td colSpan={9}>
                        <Details process={process} />
                      </td>
                    </tr>
                  )}
                </Fragment>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
}

interface RowProps {
  route: Route;
  process: RouteProcess;
  use: LegNumbers | undefined;
  open: boolean;
  toggle: () => void;
}

function Row({ route, process, use, open, toggle }: RowProps) {
  const operator = useMay("operator");
  const actions = useRouteActions(route);
  const now = useNow();
  return (
    <tr>
      <th scope="row">
        {processName(process.type)}
        <span className="dim mono"> {process.type}</span>
      </th>
      <td>
        <ConnectionSign standing={standing(process.connection, process.state, process)} />{" "}
        {process.pendingRestart && <span className="tag tag-note">restart pending</span>}{" "}
        {process.pendingRestart && operator && (
          <Button
            icon="restart"
            kind="quiet"
            label={`Restart ${processName(process.type)} now`}
            busy={actions.busy}
            onClick={() => void actions.apply([process.type])}
          />
        )}
      </td>
      <td className="num mono">{process.pid ?? UNKNOWN}</td>
      <td className="num">{percent(use?.cpuPercent)}</td>
      <td className="num">{bytes(use?.memoryBytes)}</td>
      <td className="num">
        {process.startedAt === null ? UNKNOWN : duration(now + store.link.skewMs - process.startedAt)}
      </td>
      <td className={`num${process.restarts ? " value-note" : ""}`}>{process.restarts}</td>
      <td>
        {process.lastExit ? (
          <>
            {process.lastExit} <span className="dim">at</span> <Time at={process.lastExitAt} />
          </>
        ) : (
          <span className="dim">{UNKNOWN}</span>
        )}
      </td>
      <td>
        <button type="button" className="event-more" aria-expanded={open} onClick={toggle}>
          Log <Icon name="chevron" />
        </button>
      </td>
    </tr>
  );
}

function Details({ process }: { process: RouteProcess }) {
  const trouble = process.rejection ?? process.error;
  return (
    <div className="process-details">
      {trouble && <p className="value-bad">{trouble}</p>}
      <p className="mono command">
        {process.command} <CopyButton text={process.command} what="the command line" />
      </p>
      <pre className="log" tabIndex={0} aria-label={`Last log lines of ${process.type}`}>
        {process.log.length ? process.log.join("\n") : "It has written nothing."}
      </pre>
    </div>
  );
}
