/** What can be done with one destination on air: each says first what it would touch. */
import { del, post, sentence } from "../../api/client";
import type { DryRun, Effects, Endpoint, Route } from "../../api/types";
import { useOverlays } from "../../parts/overlays";
import { endName, processName } from "../../words";

/** What an edit does to processes, in sentences; with the names of routes where it is about several. */
export function effectSentences(effects: Effects, routes?: ReadonlyMap<string, string>): string[] {
  const said: Record<string, string> = {
    restart: "restarts: whoever gets the stream through it sees a gap",
    stop: "ends",
    start: "starts",
    configure: "goes on with other targets, without a gap",
  };
  return effects.processes
    .filter((one) => one.action !== "keep")
    .map((one) => {
      const words = `${processName(one.type)} ${said[one.action] ?? one.action}.`;
      return routes ? `${routes.get(one.routeId) ?? one.routeId}: ${words}` : capital(words);
    });
}

const capital = (words: string) => words.charAt(0).toUpperCase() + words.slice(1);

/** One sentence for a question. */
export function touched(effects: Effects): string {
  const ends = effects.processes.filter((one) => one.action === "stop" || one.action === "restart");
  const kept = effects.processes.filter((one) => one.action === "keep" || one.action === "configure").length;
  if (!effects.processes.length) return "Nothing on air is touched.";
  if (!ends.length) return "Nothing that is on air is interrupted.";
  const names = ends.map((one) => `${one.type} ${one.action === "stop" ? "ends" : "restarts"}`).join(", ");
  return `${names}; ${kept} other ${kept === 1 ? "process goes" : "processes go"} on untouched.`;
}

export function useDestinationActions(route: Route, end: Endpoint, index: number) {
  const { ask, tell, complain } = useOverlays();
  const path = `/api/routes/${route.id}/destinations/${end.id ?? index}`;
  const name = endName(end);

  const attempt = async (act: () => Promise<void>) => {
    try {
      await act();
    } catch (error) {
      complain(error);
    }
  };
  const foresee = async (method: "stop" | "delete"): Promise<string> => {
    try {
      const tried =
        method === "delete" ? await del<DryRun>(`${path}?dryRun=true`) : await post<DryRun>(`${path}/${method}?dryRun=true`);
      return touched(tried.effects);
    } catch (error) {
      return sentence(error);
    }
  };
  const start = () =>
    attempt(async () => {
      await post(`${path}/start`);
      tell(`${name} of ${route.name} is being started. The other destinations are not touched.`);
    });
  return {
    start,
    stop: async () => {
      const body = await foresee("stop");
      if (!(await ask({ title: `Stop ${name} of ${route.name}?`, body, confirm: "Stop the destination", danger: true })))
        return;
      await attempt(async () => {
        await post(`${path}/stop`);
        tell(`${name} is off.`, { words: "Start again", run: () => void start() });
      });
    },
    remove: async () => {
      const body = await foresee("delete");
      const yes = await ask({
        title: `Remove ${name} from ${route.name}?`,
        body: `${body} Its configuration is removed.`,
        confirm: "Remove the destination",
        danger: true,
      });
      if (yes) await attempt(async () => void (await del(path), tell(`${name} was removed.`)));
    },
  };
}
