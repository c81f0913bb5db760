/** A route is made or changed: a form, or its JSON; judged by the server while it is typed. */
import { useEffect, useMemo, useState, type FormEvent } from "react";
import { get, request } from "../../api/client";
import type { EndSecret, Items, RouteConfig, RouteDetail } from "../../api/types";
import { Button, Card, Empty, Notice, Tabs } from "../../parts/basics";
import { useOverlays } from "../../parts/overlays";
import { Link, guardLeaving, navigate } from "../../router";
import { useMay } from "../../session";
import { emptyRoute, errorsUnder, needsSecrets, sendable, withoutNewPassphrases } from "./draft";
import { EffectsNotice } from "./effects";
import { JsonEditor } from "./json_editor";
import { RouteForm } from "./route_form";
import { ResultingAddresses } from "./resulting_addresses";
import { refusal, useJudgement, type Judgement } from "./use_judgement";

interface Loaded {
  config: RouteConfig;
  etag: string | null;
}

export function EditPage({ id }: { id: string | null }) {
  const may = useMay("operator");
  const [loaded, setLoaded] = useState<Loaded | null>(null);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    const load = async () => {
      if (id === null) {
        const { ports } = await get<{ ports: number[] }>("/api/ports/free?protocol=srt&count=2");
        setLoaded({ config: emptyRoute(ports), etag: null });
        return;
      }
      const { data, etag } = await request<RouteDetail>("GET", `/api/routes/${id}`);
      setLoaded({ config: data.config, etag });
    };
    load().catch(setError);
  }, [id]);
  if (!may) {
    return (
      <div className="page">
        <Empty title="Routes are made and changed by operators and administrators." />
      </div>
    );
  }
  if (error) {
    return (
      <div className="page">
        <Notice kind="bad">{refusal(error).trouble}</Notice>
      </div>
    );
  }
  return loaded ? <Editor id={id} loaded={loaded} /> : <p className="page dim">Loading…</p>;
}

function Editor({ id, loaded }: { id: string | null; loaded: Loaded }) {
  const { tell, complain } = useOverlays();
  const [draft, setDraft] = useState<RouteConfig>(loaded.config);
  const [view, setView] = useState<"form" | "json">("form");
  const [broken, setBroken] = useState<string | null>(null);
  const [refused, setRefused] = useState<Judgement | null>(null);
  const [busy, setBusy] = useState(false);
  const path = id === null ? "/api/routes" : `/api/routes/${id}`;
  const method = id === null ? "POST" : "PUT";
  const body = useMemo(() => toBody(draft), [draft]);
  const unnamed = id === null && !draft.name.trim();
  const judgement = useJudgement(method, path, broken ? null : unnamed ? { ...body, name: "New route" } : body);
  const shown = refused ?? judgement;
  const changed = draft !== loaded.config;

  useEffect(() => {
    if (!changed) return;
    guardLeaving(() => window.confirm("This route has changes that were not saved. Leave it all the same?"));
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", warn);
    return () => {
      guardLeaving(null);
      window.removeEventListener("beforeunload", warn);
    };
  }, [changed]);

  const change = (next: RouteConfig) => {
    setRefused(null);
    setDraft(next);
  };
  const save = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      const former = id === null ? null : await formerOf(path, loaded.config, draft);
      const { data, etag } = await request<RouteDetail>(method, path, { body, ifMatch: loaded.etag });
      if (former === null) tell(`${data.name} was made.`);
      else if (former === "unknown") tell(`${data.name} was changed. It cannot be undone here: a passphrase was changed.`);
      else tell(`${data.name} was changed.`, undoOf(path, former, etag, complain));
      navigate(`/routes/${data.id}`, { force: true });
    } catch (problem) {
      setRefused(refusal(problem));
      setBusy(false);
    }
  };
  const whole = shown.trouble && (!Object.keys(shown.errors).length || shown.errors[""]) ? shown.trouble : null;
  return (
    <form className="page page-narrow" onSubmit={(event) => void save(event)}>
      <header className="page-head">
        <h1>{id === null ? "New route" : `Edit ${loaded.config.name}`}</h1>
        <Tabs
          label="View"
          value={view}
          options={[
            ["form", "Form"],
            ["json", "JSON"],
          ]}
          onChange={(next) => !broken && setView(next)}
        />
      </header>
      <div className="edit-columns">
        {view === "form" ? (
          <RouteForm draft={draft} errors={shown.errors} onChange={change} />
        ) : (
          <JsonEditor draft={draft} errors={shown.errors} onChange={change} onBroken={setBroken} />
        )}
        <aside className="edit-side" aria-label="What saving does">
          {whole && <Notice kind="bad">{whole}</Notice>}
          {!whole && shown.trouble && (
            <Notice kind="bad">
              <p>
                <b>It cannot be saved yet:</b>
              </p>
              <ul>
                {Object.entries(shown.errors).map(([field, message]) => (
                  <li key={field}>
                    <span className="mono">{field}</span> {message}
                  </li>
                ))}
              </ul>
            </Notice>
          )}
          {!shown.trouble && <EffectsNotice effects={shown.answer?.effects} asking={shown.asking} />}
          <div className="button-line">
            <Button
              type="submit"
              kind="primary"
              busy={busy}
              disabled={shown.trouble !== null || broken !== null || unnamed || shown.asking}
            >
              {id === null ? "Make the route" : "Save"}
            </Button>
            <Button onClick={() => navigate(id === null ? "/" : `/routes/${id}`)}>Cancel</Button>
          </div>
          {unnamed && <p className="dim">The route needs a name.</p>}
          <Card title="Addresses for the other side">
            <ResultingAddresses draft={draft} errors={errorsUnder(shown.errors, "source")} />
          </Card>
          {id === null && (
            <p className="dim">
              Many at once? <Link to="/routes/transfer">Import a document</Link>.
            </p>
          )}
        </aside>
      </div>
    </form>
  );
}

/** What is sent: without the id, which is in the path, without masked passphrases and tags that are yet to be typed. */
function toBody(draft: RouteConfig): Omit<RouteConfig, "id"> {
  const { id: _, tags, ...rest } = sendable(draft);
  return tags ? { ...rest, tags: tags.map((tag) => tag.trim()).filter(Boolean) } : rest;
}

/** What brings the configuration before back, passphrases included; "unknown": they could not be read. */
async function formerOf(path: string, before: RouteConfig, after: RouteConfig): Promise<object | "unknown"> {
  if (!needsSecrets(before, after)) return toBody(withoutNewPassphrases(before, null));
  try {
    const { items } = await get<Items<EndSecret>>(`${path}/secrets`);
    return toBody(withoutNewPassphrases(before, items));
  } catch {
    return "unknown";
  }
}

/** With what was saved as the condition: nobody else's later change is undone. */
function undoOf(path: string, former: object, ifMatch: string | null, complain: (error: unknown) => void) {
  return {
    words: "Undo",
    run: () => void request("PUT", path, { body: former, ifMatch }).catch(complain),
  };
}
