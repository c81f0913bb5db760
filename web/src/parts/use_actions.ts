/** What an operator can do with a route: asks where something on air would end, and offers to take it back. */
import { useMemo, useState } from "react";
import { post, request } from "../api/client";
import type { Route, RouteDetail } from "../api/types";
import { navigate } from "../router";
import { plural, processName } from "../words";
import { useOverlays } from "./overlays";

export interface RouteActions {
  busy: boolean;
  start: () => Promise<void>;
  stop: () => Promise<void>;
  restart: () => Promise<void>;
  /** Do the restarts that wait since an upgrade: of one process, or of all, one after the other. */
  apply: (waiting: readonly string[]) => Promise<void>;
  reset: () => Promise<void>;
  duplicate: () => Promise<void>;
  remove: () => Promise<void>;
}

export function useRouteActions(route: Pick<Route, "id" | "name" | "status">): RouteActions {
  const { ask, tell, complain } = useOverlays();
  const [busy, setBusy] = useState(false);
  const { id, name, status } = route;

  return useMemo(() => {
    const path = `/api/routes/${id}`;
    const attempt = async (act: () => Promise<void>) => {
      setBusy(true);
      try {
        await act();
      } catch (error) {
        complain(error);
      }
      setBusy(false);
    };
    const onAir = status !== "stopped" && status !== "failed";
    const start = () =>
      attempt(async () => {
        await post(`${path}/start`);
        tell(`${name} is being started.`);
      });
    return {
      busy,
      start,
      stop: async () => {
        const yes = await ask({
          title: `Stop ${name}?`,
          body: "The route goes off air: every destination loses the stream. It stays off until somebody starts it.",
          confirm: "Stop the route",
          danger: true,
        });
        if (!yes) return;
        await attempt(async () => {
          await post(`${path}/stop`);
          tell(`${name} is off air.`, { words: "Start again", run: () => void start() });
        });
      },
      restart: async () => {
        const yes = await ask({
          title: `Restart ${name}?`,
          body: "All its processes are stopped and started again: every destination is interrupted for some seconds.",
          confirm: "Restart the route",
          danger: true,
        });
        if (yes) await attempt(async () => void (await post(`${path}/restart`), tell(`${name} is being restarted.`)));
      },
      apply: async (waiting) => {
        const one = waiting.length === 1 ? waiting[0] : undefined;
        const yes = await ask({
          title: one ? `Restart ${processName(one)} of ${name}?` : `Restart ${plural(waiting.length, "process", "processes")} of ${name}?`,
          body: `${waiting.map(processName).join(", ")}: an earlier version of the server started ${one ? "it" : "them"}. Who gets the stream through ${one ? "it" : "one of them"} sees a gap${one ? "" : "; they are restarted one after the other, each when the one before is back"}. The other processes go on.`,
          confirm: one ? "Restart the process" : "Restart one after the other",
          danger: true,
        });
        if (!yes) return;
        await attempt(async () => {
          await post(`${path}/apply`, one ? { process: one } : undefined);
          tell(`${one ? processName(one) : "What waited"} of ${name} is being restarted.`);
        });
      },
      reset: () =>
        attempt(async () => {
          await post(`${path}/stats/reset`);
          tell(`The counters of ${name} begin at zero.`);
        }),
      duplicate: () =>
        attempt(async () => {
          const made = (await request<RouteDetail>("POST", `${path}/duplicate`)).data;
          tell(`${made.name} was made, with free ports. It is off air.`);
          navigate(`/routes/${made.id}/edit`);
        }),
      remove: async () => {
        const yes = await ask({
          title: `Delete ${name}?`,
          body: onAir
            ? "The route is on air. It is taken off, every destination loses the stream, and its configuration is removed."
            : "Its configuration is removed from routes.json.",
          confirm: "Delete the route",
          danger: true,
        });
        if (!yes) return;
        await attempt(async () => {
          await request("DELETE", path);
          tell(`${name} was deleted.`);
          navigate("/");
        });
      },
    };
  }, [id, name, status, busy, ask, tell, complain]);
}
