/** Routes out to a file, and in from one: with what would differ, before anything does. */
import { useState, type ChangeEvent } from "react";
import { request, withQuery } from "../api/client";
import type { Differences, Effects } from "../api/types";
import { useRoutes } from "../live/hooks";
import { Button, Card, Field, Notice, Tabs } from "../parts/basics";
import { useOverlays } from "../parts/overlays";
import { navigate } from "../router";
import { useMay } from "../session";
import { plural } from "../words";
import { EffectsNotice } from "./edit/effects";
import { Check } from "./edit/route_form";
import { refusal, type Judgement } from "./edit/use_judgement";

interface Outcome {
  differences: Differences;
  effects: Effects;
}

type Mode = "merge" | "replace";

export function TransferPage() {
  const may = useMay("operator");
  return (
    <div className="page page-narrow">
      <header className="page-head">
        <h1>Import and export</h1>
      </header>
      <Export />
      {may && <Import />}
    </div>
  );
}

function Export() {
  const may = useMay("operator");
  const { ask } = useOverlays();
  const routes = useRoutes();
  const [secrets, setSecrets] = useState(false);
  const fetchFile = async () => {
    if (secrets) {
      const yes = await ask({
        title: `Export ${plural(routes.length, "route")} with every passphrase in the clear?`,
        body: "Whoever has the file can receive and send these streams. That you made it is recorded.",
        confirm: "Export with passphrases",
        danger: true,
      });
      if (!yes) return;
    }
    const link = document.createElement("a");
    link.href = `/api/routes/export${secrets ? "?secrets=true" : ""}`;
    link.download = "routes.json";
    link.click();
  };
  return (
    <Card title="Export">
      <div className="form-stack">
        <p>
          A document in the shape of routes.json, with {plural(routes.length, "route")}. Without passphrases it can still be
          imported here: those that are known stay.
        </p>
        {may && <Check label="With passphrases in the clear" checked={secrets} onChange={setSecrets} />}
        <p>
          <Button icon="download" kind="primary" onClick={() => void fetchFile()}>
            Export
          </Button>
        </p>
      </div>
    </Card>
  );
}

function Import() {
  const { tell } = useOverlays();
  const [text, setText] = useState("");
  const [mode, setMode] = useState<Mode>("merge");
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [trouble, setTrouble] = useState<Judgement | null>(null);
  const [busy, setBusy] = useState(false);

  const clear = () => {
    setOutcome(null);
    setTrouble(null);
  };
  const send = async (dryRun: boolean) => {
    clear();
    setBusy(true);
    try {
      const body = JSON.parse(text) as object;
      const path = withQuery("/api/routes/import", { mode, dryRun: dryRun || undefined });
      const { data } = await request<Outcome>("POST", path, { body });
      if (dryRun) setOutcome(data);
      else {
        const { added, changed, removed } = data.differences;
        tell(`Imported: ${added.length} new, ${changed.length} changed, ${removed.length} removed.`);
        navigate("/");
      }
    } catch (error) {
      setTrouble(error instanceof SyntaxError ? { errors: {}, trouble: `This is no JSON: ${error.message}`, answer: null, asking: false } : refusal(error));
    }
    setBusy(false);
  };
  const choose = async (event: ChangeEvent<HTMLInputElement>) => {
    const file = event.target.files?.[0];
    if (!file) return;
    clear();
    setText(await file.text());
  };
  return (
    <Card
      title="Import"
      aside={
        <Tabs
          label="What becomes of other routes"
          value={mode}
          options={[
            ["merge", "Other routes stay"],
            ["replace", "Other routes are removed"],
          ]}
          onChange={(next) => {
            clear();
            setMode(next);
          }}
        />
      }
    >
      <div className="form-stack">
        <Field label="From a file">
          {(ids) => <input {...ids} type="file" accept=".json,application/json" onChange={(event) => void choose(event)} />}
        </Field>
        <Field label="Or paste it" hint='{"version": 1, "routes": […]}; a route without an id is a new one.'>
          {(ids) => (
            <textarea
              {...ids}
              className="json json-short"
              spellCheck={false}
              value={text}
              onChange={(event) => {
                clear();
                setText(event.target.value);
              }}
            />
          )}
        </Field>
        <p>
          <Button busy={busy} disabled={!text.trim()} onClick={() => void send(true)}>
            Show what would change
          </Button>
        </p>
        {trouble && (
          <Notice kind="bad">
            <p>{trouble.trouble}</p>
            <ul>
              {Object.entries(trouble.errors).map(([field, message]) => (
                <li key={field}>
                  <span className="mono">{field}</span> {message}
                </li>
              ))}
            </ul>
          </Notice>
        )}
        {outcome && <Difference outcome={outcome} busy={busy} apply={() => void send(false)} />}
      </div>
    </Card>
  );
}

function Difference({ outcome, busy, apply }: { outcome: Outcome; busy: boolean; apply: () => void }) {
  const { added, changed, removed } = outcome.differences;
  const names = new Map([...added, ...changed, ...removed].map((one) => [one.id, one.name]));
  const nothing = !added.length && !changed.length && !removed.length;
  if (nothing) return <Notice kind="info">Nothing would change: the routes are the same.</Notice>;
  return (
    <>
      <h3>What would change</h3>
      <ul className="diff">
        {added.map((one) => (
          <li key={one.id} className="diff-after">
            + {one.name} <span className="dim">{one.id} is new</span>
          </li>
        ))}
        {removed.map((one) => (
          <li key={one.id} className="diff-before">
            − {one.name} <span className="dim">{one.id} is removed</span>
          </li>
        ))}
        {changed.map((one) => (
          <li key={one.id}>
            {one.name} <span className="dim">{one.id}</span>
            <ul>
              {(one.fields ?? []).map((field) => (
                <li key={field.field}>
                  {field.field}: <del className="diff-before">{words(field.before)}</del> →{" "}
                  <ins className="diff-after">{words(field.after)}</ins>
                </li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
      <EffectsNotice effects={outcome.effects} asking={false} routes={names} />
      <p>
        <Button kind={outcome.effects.interrupts ? "danger" : "primary"} busy={busy} onClick={apply}>
          Import: {added.length} new, {changed.length} changed, {removed.length} removed
        </Button>
      </p>
    </>
  );
}

const words = (value: unknown): string => (value == null ? "nothing" : JSON.stringify(value));
