/** Every media process of the host, and the orphans among them. */
import { useMemo, useState } from "react";
import { post } from "../api/client";
import type { Cleanup, HostProcess, Items, Orphan } from "../api/types";
import { store } from "../live/store";
import { Button, Card, Empty, Notice } from "../parts/basics";
import { Icon, type IconName } from "../parts/icons";
import { useOverlays } from "../parts/overlays";
import { useQuery } from "../parts/use_query";
import { Link } from "../router";
import { useMay } from "../session";
import { UNKNOWN, bytes, duration, percent, plural } from "../words";

const STATES: Record<HostProcess["state"], [IconName, string]> = {
  running: ["play", "up"],
  stopped: ["restart", "wait"],
  orphaned: ["close", "down"],
  zombie: ["question", "down"],
};

const OWNERS: Record<string, string> = {
  ours: "this server",
  liveRouter: "another router, running",
  deadRouter: "another router, dead",
  nobody: "nobody",
  protected: "protected",
  unreadable: "another user",
  unsettled: "just starting",
};

export function ProcessesPage() {
  const processes = useQuery<Items<HostProcess>>("/api/processes", 3000);
  const [text, setText] = useState("");
  const shown = useMemo(() => {
    const words = text.toLowerCase();
    return (processes.data?.items ?? []).filter((one) =>
      [one.pid, one.route, one.type, one.program, one.state, one.command].join(" ").toLowerCase().includes(words),
    );
  }, [processes.data, text]);
  const sums = useMemo(() => {
    const all = processes.data?.items ?? [];
    return {
      cpu: all.reduce((sum, one) => sum + (one.cpuPercent ?? 0), 0),
      memory: all.reduce((sum, one) => sum + (one.memoryBytes ?? 0), 0),
    };
  }, [processes.data]);
  return (
    <div className="page">
      <header className="page-head">
        <h1>Processes</h1>
        <input
          type="search"
          data-search
          aria-label="Search processes"
          placeholder="Search ( / )"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </header>
      <Orphans />
      <Card
        title={`Media processes of this host (${shown.length})`}
        aside={
          <span className="dim num">
            {percent(sums.cpu)} of a core, {bytes(sums.memory)}
          </span>
        }
      >
        {processes.error && <Notice kind="bad">{processes.error}</Notice>}
        {shown.length === 0 ? (
          <Empty title={processes.data ? "None runs." : "Looking…"} />
        ) : (
          <div className="scroll-x" tabIndex={0} role="region" aria-label="Media processes">
            <table className="table">
              <thead>
                <tr>
                  <th>State</th>
                  <th className="num">PID</th>
                  <th>Route</th>
                  <th>Type</th>
                  <th>Program</th>
                  <th>Owner</th>
                  <th className="num">CPU</th>
                  <th className="num">Memory</th>
                  <th className="num">Uptime</th>
                  <th className="num">Restarts</th>
                </tr>
              </thead>
              <tbody>
                {shown.map((one, index) => (
                  <Row key={`${one.pid ?? one.pidFile}-${index}`} process={one} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Card>
    </div>
  );
}

function Row({ process }: { process: HostProcess }) {
  const [icon, kind] = STATES[process.state] ?? ["question", "off"];
  return (
    <tr title={process.command}>
      <td>
        <span className={`connection connection-${kind}`}>
          <Icon name={icon} />
          {process.state}
        </span>
      </td>
      <td className="num mono">{process.pid ?? UNKNOWN}</td>
      <td>
        {process.route && store.route(process.route) ? (
          <Link to={`/routes/${process.route}`}>{store.route(process.route)?.name}</Link>
        ) : (
          (process.route ?? UNKNOWN)
        )}
      </td>
      <td className="mono">{process.type ?? UNKNOWN}</td>
      <td>{process.program}</td>
      <td>{OWNERS[process.owner ?? ""] ?? process.owner ?? UNKNOWN}</td>
      <td className="num">{percent(process.cpuPercent)}</td>
      <td className="num">{bytes(process.memoryBytes)}</td>
      <td className="num">{process.uptimeS == null ? UNKNOWN : duration(process.uptimeS * 1000)}</td>
      <td className="num">{process.restarts ?? UNKNOWN}</td>
    </tr>
  );
}

const ACTIONS: Record<Orphan["action"], string> = {
  kill: "would be ended",
  report: "reported, and left alone",
  leave: "none of our business",
  removeFile: "PID file would be removed",
};

function Orphans() {
  const may = useMay("operator");
  const { ask, tell, complain } = useOverlays();
  const { data, error, reload } = useQuery<Items<Orphan>>("/api/orphans", 10_000);
  const [busy, setBusy] = useState(false);
  const orphans = data?.items ?? [];
  const doomed = orphans.filter((one) => one.action === "kill");
  const files = orphans.filter((one) => one.action === "removeFile");
  const clean = async () => {
    const yes = await ask({
      title: `End ${plural(doomed.length, "orphan")}?`,
      body: (
        <>
          <p>These processes are ended, and {plural(files.length, "stale PID file")} removed. Routes on air are not touched.</p>
          <ul>
            {doomed.map((one) => (
              <li key={one.pid} className="mono">
                {one.pid} {one.command}
              </li>
            ))}
          </ul>
        </>
      ),
      confirm: "Clean up",
      danger: true,
    });
    if (!yes) return;
    setBusy(true);
    try {
      const done = await post<Cleanup>("/api/cleanup");
      const wrong = done.errors.map((one) => `${one.pid}: ${one.reason}`).join("; ");
      if (wrong) complain(new Error(`${plural(done.errors.length, "process", "processes")} could not be ended: ${wrong}`));
      else tell(`${plural(done.killed.length, "orphan")} ended, ${plural(done.staleFiles.length, "PID file")} removed.`);
      await reload();
    } catch (problem) {
      complain(problem);
    }
    setBusy(false);
  };
  return (
    <Card
      title={`Orphans and stale PID files (${orphans.length})`}
      aside={
        may &&
        orphans.length > 0 && (
          <Button icon="trash" kind="danger" busy={busy} onClick={() => void clean()} disabled={!doomed.length && !files.length}>
            Clean up…
          </Button>
        )
      }
    >
      {error && <Notice kind="bad">{error}</Notice>}
      {orphans.length === 0 ? (
        <p className="dim">{data ? "None: every media process has its owner." : "Looking…"}</p>
      ) : (
        <div className="scroll-x" tabIndex={0} role="region" aria-label="Orphans">
          <table className="table">
            <thead>
              <tr>
                <th className="num">PID</th>
                <th>State</th>
                <th>Command</th>
                <th>A cleanup now</th>
              </tr>
            </thead>
            <tbody>
              {orphans.map((one, index) => (
                <tr key={index}>
                  <td className="num mono">{one.pid ?? UNKNOWN}</td>
                  <td>{one.state}</td>
                  <td className="mono command">{one.command || one.pidFile}</td>
                  <td>
                    <b>{ACTIONS[one.action]}</b>: {one.reason}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
}
