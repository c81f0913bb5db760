/** Graphs of a route: ten minutes live, a day and a month from the history. */
import { useCallback, useEffect, useState } from "react";
import { get, sentence, withQuery } from "../../api/client";
import type { History, LegNumbers, Route } from "../../api/types";
import { useNumbers } from "../../live/hooks";
import { store } from "../../live/store";
import { Button, Card, Notice, Tabs } from "../../parts/basics";
import { Chart, Legend } from "../../parts/chart";
import { bitrate, ms } from "../../words";

type Range = "10min" | "24h" | "30d";

const RANGES: readonly (readonly [Range, string])[] = [
  ["10min", "10 min"],
  ["24h", "24 h"],
  ["30d", "30 d"],
];
const SECONDS: Record<Range, number> = { "10min": 600, "24h": 86_400, "30d": 30 * 86_400 };
const RELOAD_MS: Record<Range, number> = { "10min": 0, "24h": 10_000, "30d": 60_000 };

interface Metric {
  key: string;
  title: string;
  format: (value: number) => string;
  /** Of a count, what came within a second; the live feed has sums. */
  counted?: boolean;
}

const METRICS: Metric[] = [
  { key: "bitrate", title: "Bitrate", format: (value) => bitrate(value) },
  { key: "msRTT", title: "Round-trip time", format: (value) => ms(value) },
  { key: "lost", title: "Packets lost at first", format: (value) => whole(value), counted: true },
  { key: "retransmitted", title: "Packets sent again", format: (value) => whole(value), counted: true },
  { key: "dropped", title: "Packets lost for good", format: (value) => whole(value), counted: true },
  { key: "bufferMs", title: "Buffer", format: (value) => ms(value) },
];
const FPS: Metric = { key: "fps", title: "Frames per second", format: (value) => value.toFixed(1) };

const whole = (value: number) => (value < 10 && value % 1 ? value.toFixed(1) : value.toFixed(0));

type Table = Record<string, History>;

export function Graphs({ route }: { route: Route }) {
  const [range, setRange] = useState<Range>("10min");
  const [zoom, setZoom] = useState<[number, number] | null>(null);
  const [chosen, setChosen] = useState<readonly string[] | null>(null);
  const legs = legsOf(route, chosen);
  const metrics = route.transcode ? [...METRICS, FPS] : METRICS;
  const { table, error } = useTable(route.id, legs, metrics, range, zoom);
  const now = Date.now() / 1000;
  const span: [number, number] = zoom ?? [now - SECONDS[range], now];
  const onZoom = useCallback((from: number, to: number) => to - from >= 5 && setZoom([from, to]), []);
  const onReset = useCallback(() => setZoom(null), []);

  return (
    <Card
      title="Graphs"
      className="graphs"
      aside={
        <>
          {zoom && <Button onClick={onReset}>See all</Button>}
          <Tabs
            label="Time"
            value={range}
            options={RANGES}
            onChange={(next) => {
              setZoom(null);
              setRange(next);
            }}
          />
        </>
      }
    >
      {error && <Notice kind="warn">{error}</Notice>}
      <Legend labels={legs.map(([, label]) => label)} />
      {route.destinations.length > MOST_DESTINATIONS && (
        <DestinationChoice route={route} shown={legs.map(([leg]) => leg)} onChange={setChosen} />
      )}
      <div className="charts">
        {metrics.map((metric) => {
          const shown = legs.filter(([leg]) => metric.key !== "fps" || leg === "transcode");
          const times = table[shown[0]?.[0] ?? "source"]?.t.map((at) => at / 1000) ?? [];
          return (
            <Chart
              key={metric.key}
              title={metric.title}
              group={route.id}
              times={times}
              span={span}
              format={metric.format}
              series={shown.map(([leg, label]) => ({
                label,
                values: aligned(table[leg], metric.key, times.length),
              }))}
              onZoom={onZoom}
              onReset={onReset}
            />
          );
        })}
      </div>
      <p className="dim">Drag over a graph to look closer, double-click to see all again.</p>
    </Card>
  );
}

function aligned(history: History | undefined, key: string, length: number): (number | null)[] {
  const values = history?.values[key] ?? [];
  return values.length === length ? values : [...values.slice(0, length), ...Array<null>(Math.max(0, length - values.length)).fill(null)];
}

/** So many lines can be told apart beside the source's. */
const MOST_DESTINATIONS = 5;

const destinationKey = (index: number) => `destination:${index}`;
const destinationName = (route: Route, index: number) => route.destinations[index]?.endpoint.name ?? `Out ${index + 1}`;

/** What is drawn: `chosen` names destinations, null the first ones. */
function legsOf(route: Route, chosen: readonly string[] | null): [string, string][] {
  const found: [string, string][] = [["source", "Source"]];
  if (route.transcode) found.push(["transcode", "Transcode"]);
  const there = route.destinations.map((_, index) => [destinationKey(index), destinationName(route, index)] as [string, string]);
  const wanted = chosen ? there.filter(([key]) => chosen.includes(key)) : there;
  return [...found, ...wanted.slice(0, MOST_DESTINATIONS)];
}

function DestinationChoice({ route, shown, onChange }: {
  route: Route;
  shown: string[];
  onChange: (chosen: readonly string[]) => void;
}) {
  const drawn = shown.filter((key) => key.startsWith("destination:"));
  const full = drawn.length >= MOST_DESTINATIONS;
  return (
    <details className="graph-choice">
      <summary>
        Destinations: {drawn.length} of {route.destinations.length} drawn
      </summary>
      <div className="chips" role="group" aria-label="Destinations that are drawn">
        {route.destinations.map((_, index) => {
          const key = destinationKey(index);
          const on = drawn.includes(key);
          return (
            <button
              key={key}
              type="button"
              className="chip"
              aria-pressed={on}
              disabled={!on && full}
              title={!on && full ? `At most ${MOST_DESTINATIONS}: take another one out first` : undefined}
              onClick={() => onChange(on ? drawn.filter((one) => one !== key) : [...drawn, key])}
            >
              {destinationName(route, index)}
            </button>
          );
        })}
      </div>
    </details>
  );
}

/** The history of every leg; the last ten minutes go on by themselves. */
function useTable(id: string, legs: [string, string][], metrics: Metric[], range: Range, zoom: [number, number] | null) {
  const [table, setTable] = useState<Table>({});
  const [error, setError] = useState<string | null>(null);
  const names = legs.map(([leg]) => leg).join(",");
  const keys = metrics.map((metric) => metric.key).join(",");
  const zoomed = zoom?.join(",") ?? "";

  useEffect(() => {
    let over = false;
    const load = async () => {
      const now = Date.now() + store.link.skewMs;
      const [from, to] = zoomed
        ? zoomed.split(",").map((second) => Math.round(Number(second) * 1000))
        : [now - (SECONDS[range] - 5) * 1000, undefined]; // seconds are kept for ten minutes only
      try {
        const found = await Promise.all(
          names.split(",").map((leg) => get<History>(withQuery(`/api/routes/${id}/history`, { leg, metrics: keys, from, to }))),
        );
        if (over) return;
        setTable(Object.fromEntries(found.map((history) => [history.leg, history])));
        setError(null);
      } catch (problem) {
        if (!over) setError(sentence(problem));
      }
    };
    void load();
    const every = zoomed ? 0 : RELOAD_MS[range];
    const timer = every ? setInterval(() => void load(), every) : undefined;
    return () => {
      over = true;
      clearInterval(timer);
    };
  }, [id, names, keys, range, zoomed]);

  const numbers = useNumbers(id);
  useEffect(() => {
    if (range !== "10min" || zoomed || !numbers) return;
    setTable((old) => grown(id, old, numbers, Date.now() + store.link.skewMs));
  }, [id, numbers, range, zoomed]);
  return { table, error };
}

const lastCounts = new Map<string, number>();

/** The same with one second more, and without what is older than ten minutes. */
function grown(id: string, table: Table, numbers: LegNumbers[], at: number): Table {
  const found: Table = { ...table };
  const second = Math.floor(at / 1000) * 1000;
  for (const history of Object.values(table)) {
    const last = history.t.at(-1) ?? 0;
    if (second <= last || history.resolution !== 1) continue;
    const now = numbers.find((one) => one.leg === history.leg);
    const keep = Math.max(0, history.t.length - SECONDS["10min"]);
    const values = Object.fromEntries(
      Object.entries(history.values).map(([key, column]) => [
        key,
        [...column.slice(keep), liveValue(id, history.leg, key, now)],
      ]),
    );
    found[history.leg] = { ...history, t: [...history.t.slice(keep), second], values };
  }
  return found;
}

function liveValue(id: string, leg: string, key: string, now: LegNumbers | undefined): number | null {
  const value = (now as Record<string, unknown> | undefined)?.[key];
  if (typeof value !== "number") return null;
  if (!METRICS.some((metric) => metric.key === key && metric.counted)) return value;
  const name = `${id} ${leg} ${key}`;
  const before = lastCounts.get(name);
  lastCounts.set(name, value);
  return before === undefined || value < before ? null : value - before;
}
