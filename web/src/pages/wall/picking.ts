/** Which routes are chosen, to do the same with all of them. Outside React: a tick wakes one row. */
import { useCallback, useSyncExternalStore } from "react";

let choosing = false;
let picked: ReadonlySet<string> = new Set();
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function tell(): void {
  listeners.forEach((listener) => listener());
}

export function startPicking(): void {
  choosing = true;
  tell();
}

export function endPicking(): void {
  choosing = false;
  picked = new Set();
  tell();
}

export function pick(ids: readonly string[], on: boolean): void {
  const next = new Set(picked);
  for (const id of ids) {
    if (on) next.add(id);
    else next.delete(id);
  }
  picked = next;
  tell();
}

export function useChoosing(): boolean {
  return useSyncExternalStore(subscribe, () => choosing);
}

/** Are routes being chosen, and is this one of them? */
export function usePicked(id: string): [boolean, boolean] {
  const on = useSyncExternalStore(
    subscribe,
    useCallback(() => picked.has(id), [id]),
  );
  return [useChoosing(), on];
}

export function usePickedIds(): ReadonlySet<string> {
  return useSyncExternalStore(subscribe, () => picked);
}
