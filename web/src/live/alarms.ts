/** Which alarms are raised now, as the live feed tells them: all of them, whenever one of them is another. */
import { useCallback, useSyncExternalStore } from "react";
import type { Alarm, Severity } from "../api/types";

export interface AlarmCount {
  count: number;
  severity: Severity;
}

const RANK: Severity[] = ["info", "warning", "critical"];
const NONE: AlarmCount = { count: 0, severity: "info" };

let alarms: readonly Alarm[] = [];
let total = 0;
let byRoute = new Map<string, AlarmCount>();
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Take the whole list. A count that has not changed stays the same object, so that its row sleeps on. */
export function takeAlarms(list: readonly Alarm[], all: number = list.length): void {
  alarms = list;
  total = all;
  const found = new Map<string, AlarmCount>();
  for (const alarm of alarms) {
    if (!alarm.routeId) continue;
    const old = found.get(alarm.routeId) ?? NONE;
    const worse = RANK.indexOf(alarm.severity) > RANK.indexOf(old.severity);
    found.set(alarm.routeId, { count: old.count + 1, severity: worse ? alarm.severity : old.severity });
  }
  for (const [id, now] of found) {
    const old = byRoute.get(id);
    if (old && old.count === now.count && old.severity === now.severity) found.set(id, old);
  }
  byRoute = found;
  listeners.forEach((listener) => listener());
}

export function useAlarms(): readonly Alarm[] {
  return useSyncExternalStore(subscribe, () => alarms);
}

/** How many there are: the feed names the newest only, if there are very many. */
export function useAlarmTotal(): number {
  return useSyncExternalStore(subscribe, () => total);
}

export function useAlarmCount(routeId: string): AlarmCount {
  const read = useCallback(() => byRoute.get(routeId) ?? NONE, [routeId]);
  return useSyncExternalStore(subscribe, read);
}
