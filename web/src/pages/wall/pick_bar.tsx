/** Several routes at once: chosen on the wall, started, stopped or restarted as one. */
import { useEffect, useState } from "react";
import { post } from "../../api/client";
import type { Route } from "../../api/types";
import { useRoutes } from "../../live/hooks";
import { Button } from "../../parts/basics";
import { useOverlays } from "../../parts/overlays";
import { plural } from "../../words";
import { endPicking, pick, usePickedIds } from "./picking";

type Action = "start" | "stop" | "restart";

interface Words {
  verb: string;
  does: string;
  done: string;
  fits: (route: Route) => boolean;
}

const onAir = (route: Route) => route.status !== "stopped";

const ACTIONS: Record<Action, Words> = {
  start: {
    verb: "Start",
    does: "They go on air together.",
    done: "are being started",
    fits: (route) => !onAir(route),
  },
  stop: {
    verb: "Stop",
    does: "They go off air together: every destination of theirs loses the stream. They stay off until somebody starts them.",
    done: "are off air",
    fits: onAir,
  },
  restart: {
    verb: "Restart",
    does: "All their processes are stopped and started again: every destination is interrupted for some seconds.",
    done: "are being restarted",
    fits: onAir,
  },
};

export function PickBar({ shown }: { shown: readonly Route[] }) {
  const { ask, tell, complain } = useOverlays();
  const ids = usePickedIds();
  const routes = useRoutes().filter((route) => ids.has(route.id));
  const [busy, setBusy] = useState(false);
  const all = shown.length > 0 && shown.every((route) => ids.has(route.id));
  useEffect(() => endPicking, []);

  const fire = async (action: Action) => {
    const { verb, does, done, fits } = ACTIONS[action];
    const these = routes.filter(fits);
    const left = routes.length - these.length;
    const yes = await ask({
      title: `${verb} ${plural(these.length, "route")}?`,
      body: (
        <>
          <ul className="named" tabIndex={0} aria-label="Routes">
            {these.map((route) => (
              <li key={route.id}>{route.name}</li>
            ))}
          </ul>
          <p>
            {does} If one of them cannot, none of them is touched.
            {left > 0 && ` ${plural(left, "chosen route is", "chosen routes are")} left as ${left === 1 ? "it is" : "they are"}.`}
          </p>
        </>
      ),
      confirm: `${verb} ${these.length === 1 ? "the route" : `all ${these.length}`}`,
      danger: action !== "start",
    });
    if (!yes) return;
    setBusy(true);
    try {
      await post("/api/routes/salvo", { steps: these.map(({ id }) => ({ action, routeId: id })) });
      tell(`${plural(these.length, "route")} ${these.length === 1 ? done.replace("are", "is") : done}.`);
      pick([...ids], false);
    } catch (error) {
      complain(error);
    }
    setBusy(false);
  };
  return (
    <div className="pick-bar" role="group" aria-label="Several routes">
      <b role="status">{plural(routes.length, "route")} chosen</b>
      {(Object.keys(ACTIONS) as Action[]).map((action) => (
        <Button
          key={action}
          icon={action === "start" ? "play" : action}
          kind={action === "stop" ? "danger" : "plain"}
          busy={busy}
          disabled={!routes.some(ACTIONS[action].fits)}
          onClick={() => void fire(action)}
        >
          {ACTIONS[action].verb}
        </Button>
      ))}
      <span className="toolbar-gap" />
      <Button onClick={() => pick(shown.map((route) => route.id), !all)}>
        {all ? "Choose none" : `Choose all ${shown.length} shown`}
      </Button>
      <Button onClick={endPicking}>Done</Button>
    </div>
  );
}
