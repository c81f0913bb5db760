/** What happened, with filters, and as a file. */
import { useEffect, useMemo, useState } from "react";
import { get, sentence, withQuery } from "../api/client";
import type { Happening } from "../api/types";
import { useEvents, useRoutes } from "../live/hooks";
import { Button, Card, Empty, Field, Notice } from "../parts/basics";
import { EventList } from "../parts/event_list";
import { useParameter } from "../router";
import { zone } from "../words";

interface Page {
  items: Happening[];
  nextCursor: string | null;
}

/** Kinds that belong together. */
const GROUPS: Record<string, string[]> = {
  "Operators (audit)": ["operatorAction", "signInRefused"],
  Routes: [
    "routeAdded",
    "routeEdited",
    "routeRemoved",
    "routeStarted",
    "routeTakenOver",
    "routeStopped",
    "routeStatus",
    "startRefused",
  ],
  Health: ["routeUnhealthy", "routeRestarting", "routeGaveUp", "routeRecovered", "crashLooping", "warningRaised", "warningCleared"],
  Streams: ["streamErrorsBegan", "streamErrorsEnded"],
  Processes: ["processStarted", "processEnded", "processNotStarted"],
  Peers: ["peerConnected", "peerDisconnected", "peerRejected"],
  Alarms: ["alarmRaised", "alarmCleared", "alarmDeliveryFailed"],
  Server: [
    "serverStarted",
    "serverStopping",
    "orphansCleanedUp",
    "routesFileTakenOver",
    "routesFileRefused",
    "backupCreated",
    "backupFailed",
    "backupRestored",
  ],
};

export function EventsPage() {
  const routes = useRoutes();
  const [route, setRoute] = useParameter("route");
  const [group, setGroup] = useParameter("group");
  const [text, setText] = useParameter("text");
  const [since, setSince] = useParameter("since");
  const [until, setUntil] = useParameter("until");
  const kinds = useKinds();
  const wanted = useMemo(() => (GROUPS[group] ?? []).filter((kind) => kinds.has(kind)), [group, kinds]);
  const filters = { route, kind: wanted, text, since: millis(since), until: millis(until) };
  const { items, more, error, loadMore } = usePages(filters);
  const known = routes.some((one) => one.id === route);
  return (
    <div className="page">
      <header className="page-head">
        <h1>Events</h1>
        <div className="button-line">
          <Button icon="download" onClick={() => void exported(filters, "csv")}>
            CSV
          </Button>
          <Button icon="download" onClick={() => void exported(filters, "json")}>
            JSON
          </Button>
        </div>
      </header>
      <Card>
        <div className="form-row">
          <Field label="Text">
            {(ids) => (
              <input {...ids} type="search" data-search value={text} onChange={(event) => setText(event.target.value)} />
            )}
          </Field>
          <Field label="Route">
            {(ids) => (
              <select {...ids} value={route} onChange={(event) => setRoute(event.target.value)}>
                <option value="">All, and the server</option>
                {route && !known && <option value={route}>{route}</option>}
                {routes.map((one) => (
                  <option key={one.id} value={one.id}>
                    {one.name}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <Field label={`From (${zone()})`}>
            {(ids) => (
              <input {...ids} type="datetime-local" value={since} onChange={(event) => setSince(event.target.value)} />
            )}
          </Field>
          <Field label={`Until (${zone()})`}>
            {(ids) => (
              <input {...ids} type="datetime-local" value={until} onChange={(event) => setUntil(event.target.value)} />
            )}
          </Field>
        </div>
        <div className="chips chips-spaced" role="group" aria-label="Kinds">
          {["", ...Object.keys(GROUPS)].map((key) => (
            <button key={key} type="button" className="chip" aria-pressed={group === key} onClick={() => setGroup(key)}>
              {key || "Everything"}
            </button>
          ))}
        </div>
      </Card>
      <Card>
        {error && <Notice kind="bad">{error}</Notice>}
        {items.length === 0 && !error ? <Empty title="Nothing fits." /> : <EventList events={items} />}
        {more && <Button onClick={loadMore}>Older</Button>}
      </Card>
    </div>
  );
}

const millis = (local: string): number | undefined => (local ? new Date(local).getTime() : undefined);

type Filters = { route: string; kind: string[]; text: string; since?: number; until?: number };

function path(filters: Filters, more: Record<string, string | number | undefined>): string {
  return withQuery("/api/events", { ...filters, ...more });
}

/** The kinds that this server knows, as its own description says; one that it does not know it would refuse. */
function useKinds(): Set<string> {
  const [kinds, setKinds] = useState<Set<string>>(() => new Set(Object.values(GROUPS).flat()));
  useEffect(() => {
    interface Parameter {
      name: string;
      schema?: { items?: { enum?: string[] } };
    }
    get<{ paths: Record<string, { get?: { parameters?: Parameter[] } }> }>("/openapi.json")
      .then((document) => {
        const parameters = document.paths["/api/events"]?.get?.parameters ?? [];
        const found = parameters.find((one) => one.name === "kind")?.schema?.items?.enum;
        if (found) setKinds(new Set(found));
      })
      .catch(() => undefined);
  }, []);
  return kinds;
}

function usePages(filters: Filters) {
  const [items, setItems] = useState<Happening[]>([]);
  const [cursor, setCursor] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const live = useEvents();
  const newest = live[0]?.id ?? 0;
  const first = path(filters, { limit: 100 });

  useEffect(() => {
    let over = false;
    const timer = setTimeout(() => {
      get<Page>(first)
        .then((page) => {
          if (over) return;
          setItems((old) => merged(page.items, old));
          setCursor((old) => old ?? page.nextCursor);
          setError(null);
        })
        .catch((problem: unknown) => !over && setError(sentence(problem)));
    }, 200);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [first, newest]);
  useEffect(() => {
    setItems([]);
    setCursor(null);
  }, [first]);

  const loadMore = () => {
    if (!cursor) return;
    get<Page>(path(filters, { limit: 100, cursor }))
      .then((page) => {
        setItems((old) => merged(old, page.items));
        setCursor(page.nextCursor);
      })
      .catch((problem: unknown) => setError(sentence(problem)));
  };
  return { items, more: cursor !== null, error, loadMore };
}

function merged(a: Happening[], b: Happening[]): Happening[] {
  const found = new Map([...b, ...a].map((event) => [event.id, event]));
  return [...found.values()].sort((one, other) => other.id - one.id);
}

const MOST = 20_000;

/** Everything that fits the filters, up to twenty thousand, as a file. */
async function exported(filters: Filters, kind: "csv" | "json"): Promise<void> {
  const all: Happening[] = [];
  let cursor: string | null = null;
  do {
    const page: Page = await get<Page>(path(filters, { limit: 1000, cursor: cursor ?? undefined }));
    all.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor && all.length < MOST);
  const text = kind === "json" ? JSON.stringify(all, null, 2) : csv(all);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: kind === "json" ? "application/json" : "text/csv" }));
  link.download = `events-${new Date().toISOString().replaceAll(":", "-").slice(0, 19)}Z.${kind}`;
  link.click();
  URL.revokeObjectURL(link.href);
}

function csv(events: Happening[]): string {
  const rows = events.map((event) => [
    event.id,
    new Date(event.at).toISOString(),
    event.kind,
    event.routeId,
    event.processType,
    event.actor,
    event.repeated,
    event.message,
    JSON.stringify(event.data),
  ]);
  return [["id", "at", "kind", "routeId", "processType", "actor", "repeated", "message", "data"], ...rows]
    .map((row) => row.map(cell).join(","))
    .join("\r\n");
}

/** A spreadsheet takes a cell that begins with = + - @ for a formula: a quote before it keeps it text. */
function cell(value: unknown): string {
  const text = value == null ? "" : String(value);
  const safe = /^[=+\-@\t\r]/.test(text) && typeof value !== "number" ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}
