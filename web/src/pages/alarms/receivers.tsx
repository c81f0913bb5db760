/** Who is told of alarms: web addresses and mailboxes. */
import { useState, type FormEvent } from "react";
import { del, post, request } from "../../api/client";
import type { Items } from "../../api/types";
import { Button, Card, Empty, Field, Notice, Time } from "../../parts/basics";
import { Dialog, useOverlays } from "../../parts/overlays";
import { useQuery } from "../../parts/use_query";
import { useMay } from "../../session";
import { TextField } from "../edit/endpoint_form";
import { Check } from "../edit/route_form";
import { refusal } from "../edit/use_judgement";

interface State {
  waiting: number;
  lastSuccessAt: number | null;
  lastError: string | null;
  lastErrorAt: number | null;
  nextTryAt: number | null;
  lost: number;
}

interface Draft {
  name: string;
  enabled: boolean;
  type: "webhook" | "email";
  url?: string;
  secret?: string | null;
  to?: string[];
}

export interface Receiver extends Draft {
  id: string;
  state: State;
}

const NEW: Draft = { name: "", enabled: true, type: "webhook", url: "" };

export function ReceiverList() {
  const may = useMay("administrator");
  const { ask, tell, complain } = useOverlays();
  const { data, error, reload } = useQuery<Items<Receiver>>("/api/alarms/receivers", 5000);
  const [editing, setEditing] = useState<Draft | Receiver | null>(null);
  const attempt = async (act: () => Promise<string>) => {
    try {
      tell(await act());
    } catch (problem) {
      complain(problem);
    }
    await reload();
  };
  const test = (receiver: Receiver) =>
    attempt(async () => {
      const outcome = await post<{ delivered: boolean; error: string | null }>(`/api/alarms/receivers/${receiver.id}/test`);
      if (!outcome.delivered) throw new Error(`${receiver.name} did not get the test message: ${outcome.error}`);
      return `${receiver.name} has the test message.`;
    });
  const remove = async (receiver: Receiver) => {
    const yes = await ask({ title: `Remove the receiver ${receiver.name}?`, confirm: "Remove the receiver", danger: true });
    if (yes) await attempt(async () => (await del(`/api/alarms/receivers/${receiver.id}`), `${receiver.name} was removed.`));
  };
  return (
    <Card
      title="Receivers"
      aside={
        may && (
          <Button icon="plus" kind="primary" onClick={() => setEditing(NEW)}>
            Add a receiver
          </Button>
        )
      }
    >
      {error && <Notice kind="bad">{error}</Notice>}
      {data?.items.length === 0 && <Empty title="Nobody is told yet: alarms are shown here only." />}
      <ul className="alarms">
        {(data?.items ?? []).map((one) => (
          <li className="alarm" key={one.id}>
            <span className="tag">{one.type === "webhook" ? "Webhook" : "E-mail"}</span>
            <div className="alarm-words">
              <p>
                <b>{one.name}</b> {!one.enabled && <span className="tag">off</span>}
              </p>
              <p className="mono">{one.type === "webhook" ? one.url : one.to?.join(", ")}</p>
              <p className="dim">
                last delivered: <Time at={one.state.lastSuccessAt} />
                {one.state.waiting > 0 && `; ${one.state.waiting} waiting`}
                {one.state.lost > 0 && `; ${one.state.lost} given up`}
              </p>
              {one.state.lastError && (
                <p className="value-bad">
                  {one.state.lastError} (<Time at={one.state.lastErrorAt} />)
                </p>
              )}
            </div>
            {may && (
              <div className="row-actions">
                <Button onClick={() => void test(one)}>Test</Button>
                <Button icon="edit" kind="quiet" label={`Edit ${one.name}`} onClick={() => setEditing(one)} />
                <Button icon="trash" kind="quiet" label={`Remove ${one.name}`} onClick={() => void remove(one)} />
              </div>
            )}
          </li>
        ))}
      </ul>
      {editing && <ReceiverDialog receiver={editing} onClose={() => setEditing(null)} done={reload} />}
    </Card>
  );
}

function ReceiverDialog({ receiver, onClose, done }: {
  receiver: Draft | Receiver;
  onClose: () => void;
  done: () => Promise<void>;
}) {
  const id = "id" in receiver ? receiver.id : null;
  const { tell } = useOverlays();
  const [draft, setDraft] = useState<Draft>(receiver);
  const [trouble, setTrouble] = useState<string | null>(null);
  const set = (part: Partial<Draft>) => setDraft({ ...draft, ...part });
  const save = async (event: FormEvent) => {
    event.preventDefault();
    const { name, enabled, type, url, secret, to } = draft;
    const body = type === "webhook" ? { name, enabled, type, url, ...(secret !== undefined && { secret }) } : { name, enabled, type, to };
    try {
      await request(id ? "PUT" : "POST", id ? `/api/alarms/receivers/${id}` : "/api/alarms/receivers", { body });
      tell(`${name} is told of alarms whose rules name it.`);
      await done();
      onClose();
    } catch (error) {
      const found = refusal(error);
      setTrouble(Object.entries(found.errors).map(([field, message]) => `${field}: ${message}`).join("; ") || found.trouble);
    }
  };
  return (
    <Dialog title={id ? `Receiver ${receiver.name}` : "New receiver"} onClose={onClose} narrow>
      <form className="form-stack" onSubmit={(event) => void save(event)}>
        <TextField label="Name" value={draft.name} onChange={(name) => set({ name: name ?? "" })} />
        <Field label="Kind">
          {(ids) => (
            <select {...ids} value={draft.type} onChange={(event) => set({ type: event.target.value as Draft["type"] })}>
              <option value="webhook">Webhook: a POST to a web address</option>
              <option value="email">E-mail, through the SMTP server of the settings</option>
            </select>
          )}
        </Field>
        {draft.type === "webhook" ? (
          <>
            <TextField label="Address" hint="https://host/path" value={draft.url} onChange={(url) => set({ url: url ?? "" })} />
            <TextField
              label="Secret"
              hint="Messages are signed with it (HMAC-SHA256); empty: none."
              value={draft.secret ?? ""}
              onChange={(secret) => set({ secret: secret ?? null })}
            />
          </>
        ) : (
          <TextField
            label="To"
            hint="Addresses between commas."
            value={(draft.to ?? []).join(", ")}
            onChange={(text) => set({ to: (text ?? "").split(",").map((one) => one.trim()).filter(Boolean) })}
          />
        )}
        <Check label="In force" checked={draft.enabled} onChange={(enabled) => set({ enabled })} />
        {trouble && <Notice kind="bad">{trouble}</Notice>}
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary">
            Save
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
