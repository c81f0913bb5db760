/** Fills sparklines with what was before the page was opened: for what is on the screen, a few at a time. */
import { get, withQuery } from "../api/client";
import type { History } from "../api/types";
import { store } from "./store";

const AT_ONCE = 4;

const asked = new Set<string>();
const queue: string[] = [];
let running = 0;

/** Ask for the last minutes of a route, once. */
export function prefill(id: string): void {
  if (asked.has(id)) return;
  asked.add(id);
  queue.push(id);
  work();
}

/** Everything may be asked for again: somebody else has signed in, or the connection was cut. */
export function forgetPrefilled(): void {
  asked.clear();
  queue.length = 0;
}

function work(): void {
  while (running < AT_ONCE) {
    const id = queue.shift();
    if (id === undefined) return;
    running += 1;
    void fill(id).finally(() => {
      running -= 1;
      work();
    });
  }
}

async function fill(id: string): Promise<void> {
  const from = Date.now() + store.link.skewMs - 125_000;
  try {
    const path = withQuery(`/api/routes/${id}/history`, { leg: "source", metrics: "bitrate", from, resolution: 1 });
    const { t, values } = await get<History>(path);
    store.takePast(id, t, values.bitrate ?? []);
  } catch {
    // A sparkline that begins later is no harm.
  }
}
