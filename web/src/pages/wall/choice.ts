/** Which routes the wall shows, and in which order. Pure. */
import type { LegNumbers, Route, Status } from "../../api/types";
import { destinationStanding } from "../../parts/basics";
import { legNumbers, worst } from "../../words";

export type SortKey = "name" | "trouble" | "bitrate" | "loss" | "rtt" | "uptime" | "restarts";
export type Group = "all" | "onAir" | "trouble" | "waiting" | "stopped";

export const GROUPS: Record<Group, { words: string; has: (route: Route) => boolean }> = {
  all: { words: "All", has: () => true },
  onAir: { words: "On air", has: (route) => route.status === "running" || route.status === "degraded" },
  trouble: { words: "Trouble", has: (route) => isTrouble(route.status) },
  waiting: { words: "Waiting", has: (route) => route.status === "waiting" || route.status === "starting" },
  stopped: { words: "Stopped", has: (route) => route.status === "stopped" || route.status === "stopping" },
};

export const isTrouble = (status: Status): boolean =>
  status === "failed" || status === "degraded" || status === "restarting";

const URGENCY: Status[] = [
  "failed",
  "restarting",
  "degraded",
  "waiting",
  "starting",
  "stopping",
  "running",
  "stopped",
];

export interface Choice {
  text: string;
  group: Group;
  tag: string;
  sort: SortKey;
  down: boolean;
}

type NumbersOf = (id: string) => LegNumbers[] | undefined;

/** The routes that fit, in order. Routes that are equal stand by name, so that none jumps about. */
export function chosen(routes: readonly Route[], choice: Choice, numbersOf: NumbersOf): Route[] {
  const words = choice.text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = routes.filter(
    (route) =>
      GROUPS[choice.group].has(route) &&
      (!choice.tag || (route.tags ?? []).includes(choice.tag)) &&
      words.every((word) => haystack(route).includes(word)),
  );
  const keyed = found.map((route) => ({ route, key: sortValue(route, choice.sort, numbersOf) }));
  const sign = choice.down ? -1 : 1;
  keyed.sort((a, b) => {
    const order = typeof a.key === "string" ? compareNames(a.key, String(b.key)) : a.key - Number(b.key);
    return sign * order || compareNames(a.route.name, b.route.name) || (a.route.id < b.route.id ? -1 : 1);
  });
  return keyed.map((one) => one.route);
}

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const compareNames = (a: string, b: string) => collator.compare(a, b);

const haystacks = new WeakMap<Route, string>();

/** Everything that a route can be found by: name, id, tags, addresses, ports, peers, status. */
function haystack(route: Route): string {
  let found = haystacks.get(route);
  if (found === undefined) {
    const ends = [route.source, ...route.destinations].map((leg) => leg.endpoint);
    const addresses = ends.flatMap((end) => [end.name, end.host, String(end.port), end.type, end.mode, end.streamId]);
    const peers = route.processes.map((process) => process.peer);
    found = [route.name, route.id, route.status, ...(route.tags ?? []), ...addresses, ...peers]
      .filter(Boolean)
      .join(" ")
      .toLowerCase();
    haystacks.set(route, found);
  }
  return found;
}

function sortValue(route: Route, sort: SortKey, numbersOf: NumbersOf): string | number {
  switch (sort) {
    case "name":
      return route.name;
    case "trouble":
      return URGENCY.indexOf(route.status);
    case "bitrate":
      return legNumbers(numbersOf(route.id), "source")?.bitrate ?? -1;
    case "loss":
      return worst(numbersOf(route.id), "lossPercent") ?? -1;
    case "rtt":
      return worst(numbersOf(route.id), "msRTT") ?? -1;
    case "uptime":
      return route.startedAt === null ? -1 : -route.startedAt;
    case "restarts":
      return restarts(route);
  }
}

export function restarts(route: Route): number {
  return route.processes.reduce((sum, process) => sum + process.restarts, 0);
}

/** Types of the processes that an earlier version of the server started with another command line. */
export function waitingForRestart(route: Route): string[] {
  return route.pendingRestarts ?? [];
}

/** Destinations that are meant to be on air, and those of them whose peer is there. */
export function destinationsOf(route: Route): { wanted: number; there: number; down: number } {
  let wanted = 0;
  let there = 0;
  let down = 0;
  for (const leg of route.destinations) {
    if (leg.endpoint.enabled === false) continue;
    wanted += 1;
    const [kind] = destinationStanding(route, leg);
    if (kind === "up") there += 1;
    else if (kind === "down") down += 1;
  }
  return { wanted, there, down };
}

export interface Totals {
  groups: Record<Group, number>;
  inKbps: number;
  outKbps: number;
  destinations: number;
  destinationsThere: number;
}

export function totals(routes: readonly Route[], numbersOf: NumbersOf): Totals {
  const sum: Totals = {
    groups: { all: 0, onAir: 0, trouble: 0, waiting: 0, stopped: 0 },
    inKbps: 0,
    outKbps: 0,
    destinations: 0,
    destinationsThere: 0,
  };
  for (const route of routes) {
    for (const group of Object.keys(GROUPS) as Group[]) if (GROUPS[group].has(route)) sum.groups[group] += 1;
    if (route.status !== "stopped") {
      const { wanted, there } = destinationsOf(route);
      sum.destinations += wanted;
      sum.destinationsThere += there;
    }
    for (const leg of numbersOf(route.id) ?? []) {
      if (leg.bitrate == null) continue;
      if (leg.leg === "source") sum.inKbps += leg.bitrate;
      else if (leg.leg.startsWith("destination")) sum.outKbps += leg.bitrate;
    }
  }
  return sum;
}

export function tagsOf(routes: readonly Route[]): string[] {
  return [...new Set(routes.flatMap((route) => route.tags ?? []))].sort(compareNames);
}
