/** The events of one route: those from before the page was opened, and those that come. */
import { useMemo } from "react";
import type { Happening, Items } from "../../api/types";
import { useEvents } from "../../live/hooks";
import { useQuery } from "../../parts/use_query";

export function useRouteEvents(id: string): Happening[] {
  const before = useQuery<Items<Happening>>(`/api/events?route=${id}&limit=100`).data;
  const live = useEvents();
  return useMemo(() => {
    const found = new Map((before?.items ?? []).map((event) => [event.id, event]));
    for (const event of live) if (event.routeId === id) found.set(event.id, event);
    return [...found.values()].sort((a, b) => b.id - a.id);
  }, [before, live, id]);
}
