/** What saving would do to what is on air, said before it is done. */
import type { Effects } from "../../api/types";
import { Notice } from "../../parts/basics";
import { effectSentences, touched } from "../route/use_destination_actions";

interface Shown {
  effects: Effects | undefined;
  asking: boolean;
  /** Names by id, where an edit is about several routes. */
  routes?: ReadonlyMap<string, string>;
}

export function EffectsNotice({ effects, asking, routes }: Shown) {
  if (!effects) return <p className="dim">{asking ? "Checking…" : ""}</p>;
  const lines = effectSentences(effects, routes);
  return (
    <Notice kind={effects.interrupts ? "warn" : "good"}>
      <p>
        <b>{effects.interrupts ? "Saving interrupts something on air." : "Saving interrupts nothing."}</b>
      </p>
      {lines.length ? (
        <ul>
          {lines.map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      ) : (
        <p>{touched(effects)}</p>
      )}
    </Notice>
  );
}
