/** Which life of the server one is connected to, and what the change to another one did to what is on air. Pure. */
import type { Route } from "../api/types";

export interface Life {
  /** Milliseconds since the epoch, by the server's clock. */
  startedAt: number;
  version: string;
}

export interface Succession extends Life {
  /** The version before. */
  before: string;
  /** Processes that were running before. */
  processes: number;
  /** Those of them that still run: the same PID, started at the same time. */
  kept: number;
}

/** What is known of the routes before and after a change of the server; null: it is the same server. */
export function succession(before: Life | null, after: Life | null, old: readonly Route[], now: readonly Route[]): Succession | null {
  if (!before || !after || before.startedAt === after.startedAt) return null;
  const living = new Set(now.flatMap((route) => route.processes.map((one) => keyOf(route, one))));
  const ran = old.flatMap((route) => route.processes.filter((one) => one.pid !== null).map((one) => keyOf(route, one)));
  return { ...after, before: before.version, processes: ran.length, kept: ran.filter((key) => living.has(key)).length };
}

const keyOf = (route: Route, process: Route["processes"][number]) => `${route.id} ${process.type} ${process.pid}`;

/** What is said about it. */
export function successionWords(one: Succession): string {
  const version = one.before === one.version ? "" : ` (version ${one.version}, before ${one.before})`;
  const head = `The server was restarted${version}.`;
  if (!one.processes) return `${head} Nothing was on air.`;
  if (one.kept === one.processes) return `${head} Streams were not touched: all ${one.kept} processes go on.`;
  if (!one.kept) return `${head} Its routes were started anew: every stream was interrupted.`;
  return `${head} ${one.kept} of ${one.processes} processes go on untouched, ${one.processes - one.kept} ended or were started anew.`;
}
