/**
 * Pictures of what is on air: one request every few seconds for all that are on the screen says which have changed, and
 * only those are loaded. Nothing is asked while nobody looks.
 */
import { useCallback, useEffect, useSyncExternalStore } from "react";
import { get, withQuery } from "../api/client";
import type { Items, ThumbnailItem } from "../api/types";
import { store } from "./store";

const PACE_MS = 4000;
/** While the first picture of one of them is being made. */
const SOON_MS = 1500;
/** Whether they have been switched on meanwhile. */
const OFF_MS = 60_000;
/** As many ids as the server takes in one request. */
const AT_ONCE = 200;
/** What is scrolled away keeps its last picture for a while; the server has the rest. */
const KEPT = 400;

const shown = new Map<string, number>();
const known = new Map<string, ThumbnailItem>();
const listeners = new Map<string, Set<() => void>>();
let timer: ReturnType<typeof setTimeout> | undefined;
let asking = false;
let off = false;

/** The newest picture of a route, or why there is none; undefined: nobody has said yet. */
export function useThumbnail(id: string, visible: boolean): ThumbnailItem | undefined {
  useEffect(() => {
    if (!visible) return;
    shown.set(id, (shown.get(id) ?? 0) + 1);
    if (!known.has(id)) plan(150); // with the others that come on the screen with it
    else plan(SOON_MS);
    return () => {
      const left = (shown.get(id) ?? 1) - 1;
      if (left) shown.set(id, left);
      else shown.delete(id);
    };
  }, [id, visible]);
  const subscribe = useCallback(
    (listener: () => void) => {
      const found = listeners.get(id) ?? new Set();
      listeners.set(id, found.add(listener));
      return () => {
        found.delete(listener);
        if (!found.size && listeners.get(id) === found) listeners.delete(id);
      };
    },
    [id],
  );
  return useSyncExternalStore(subscribe, () => known.get(id));
}

/** Somebody else may sign in next. */
export function forgetThumbnails(): void {
  known.clear();
  off = false;
}

let planned = Infinity;

/** Ask in so many milliseconds, or earlier where that was planned already. */
function plan(inMs: number): void {
  const at = Date.now() + (off ? Math.max(inMs, OFF_MS) : inMs);
  if (at >= planned) return;
  clearTimeout(timer);
  planned = at;
  timer = setTimeout(() => void ask(), at - Date.now());
}

async function ask(): Promise<void> {
  planned = Infinity;
  if (asking || !shown.size) return;
  let next = PACE_MS;
  if (document.visibilityState === "visible" && store.link.state === "live") {
    asking = true;
    try {
      const ids = [...shown.keys()].slice(0, AT_ONCE);
      const { items } = await get<Items<ThumbnailItem>>(withQuery("/api/thumbnails", { route: ids }));
      off = items.some((item) => item.code === "thumbnailsOff");
      if (items.some((item) => item.code === "thumbnailPending")) next = SOON_MS;
      items.forEach(take);
    } catch {
      // The head of the page says whether the server is there; a picture that stays says how old it is.
    }
    asking = false;
  }
  if (shown.size) plan(next);
}

function take(item: ThumbnailItem): void {
  const old = known.get(item.routeId);
  if (old && old.version === item.version && old.code === item.code && old.at === item.at) return;
  known.delete(item.routeId);
  known.set(item.routeId, item);
  for (const id of known.keys()) {
    if (known.size <= KEPT) break;
    if (!shown.has(id)) known.delete(id);
  }
  listeners.get(item.routeId)?.forEach((listener) => listener());
}

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && shown.size) plan(0);
});
