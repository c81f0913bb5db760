/** How components read what is live. */
import { useCallback, useSyncExternalStore } from "react";
import type { Happening, LegNumbers, Route } from "../api/types";
import type { Succession } from "./life";
import { store, type Link, type Slice } from "./store";

function useSlice<T>(slice: Slice, read: () => T): T {
  const subscribe = useCallback((listener: () => void) => store.subscribe(slice, listener), [slice]);
  return useSyncExternalStore(subscribe, read);
}

export function useRoute(id: string): Route | undefined {
  return useSlice(`route:${id}`, () => store.route(id));
}

export function useNumbers(id: string): LegNumbers[] | undefined {
  return useSlice(`route:${id}`, () => store.numbersOf(id));
}

export function useRoutes(): readonly Route[] {
  return useSlice("list", store.all);
}

export function useTick(): number {
  return useSlice("tick", store.ticks);
}

export function useEvents(): readonly Happening[] {
  return useSlice("events", store.events);
}

export function useSuccession(): Succession | null {
  return useSlice("succession", store.succession);
}

export function useLink(): Link {
  return useSlice("link", store.linkState);
}

const clocks = new Map<number, { listeners: Set<() => void>; now: number; timer: ReturnType<typeof setInterval> }>();

/** The time, renewed every so many milliseconds; one timer serves all who ask for the same pace. */
export function useNow(everyMs = 1000): number {
  const subscribe = useCallback(
    (listener: () => void) => {
      let found = clocks.get(everyMs);
      if (!found) {
        const made = { listeners: new Set<() => void>(), now: Date.now(), timer: setInterval(tick, everyMs) };
        function tick() {
          made.now = Date.now();
          made.listeners.forEach((one) => one());
        }
        clocks.set(everyMs, (found = made));
      }
      const clock = found;
      clock.listeners.add(listener);
      return () => {
        clock.listeners.delete(listener);
        if (!clock.listeners.size) {
          clearInterval(clock.timer);
          clocks.delete(everyMs);
        }
      };
    },
    [everyMs],
  );
  return useSyncExternalStore(subscribe, () => clocks.get(everyMs)?.now ?? Math.floor(Date.now() / everyMs) * everyMs);
}
