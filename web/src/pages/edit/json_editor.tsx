/** The route as it stands in routes.json, for those who know what they want. */
import { useState } from "react";
import type { RouteConfig } from "../../api/types";
import { Card, Field } from "../../parts/basics";
import type { FieldErrors } from "./shapes";

interface Props {
  draft: RouteConfig;
  errors: FieldErrors;
  onChange: (draft: RouteConfig) => void;
  /** What keeps it from being JSON at all; null: it is. */
  onBroken: (why: string | null) => void;
}

export function JsonEditor({ draft, errors, onChange, onBroken }: Props) {
  const [text, setText] = useState(() => JSON.stringify(draft, null, 2));
  const [why, setWhy] = useState<string | null>(null);
  const type = (next: string) => {
    setText(next);
    let found: string | null = null;
    try {
      const parsed: unknown = JSON.parse(next);
      if (isRoute(parsed)) onChange(parsed);
      else found = "must be an object with 'name', 'source' and a list of 'destinations'";
    } catch (error) {
      found = error instanceof Error ? error.message : String(error);
    }
    setWhy(found);
    onBroken(found);
  };
  const wrong = Object.entries(errors).map(([field, message]) => `${field} ${message}`);
  return (
    <Card title="JSON">
      <Field
        label="The route as in routes.json"
        hint="A passphrase that is shown as ********** stays as it is."
        error={why ?? (wrong.length ? wrong.join("; ") : null)}
      >
        {(ids) => (
          <textarea {...ids} className="json" spellCheck={false} value={text} onChange={(event) => type(event.target.value)} />
        )}
      </Field>
    </Card>
  );
}

/** So much is needed that the form can show it; everything else the server judges. */
function isRoute(value: unknown): value is RouteConfig {
  if (typeof value !== "object" || value === null) return false;
  const route = value as Partial<RouteConfig>;
  return (
    typeof route.name === "string" &&
    typeof route.source === "object" &&
    route.source !== null &&
    Array.isArray(route.destinations ?? null) &&
    (route.destinations ?? []).every((end) => typeof end === "object" && end !== null)
  );
}
