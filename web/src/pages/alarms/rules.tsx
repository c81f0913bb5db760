/** The rules of alarms. */
import { useState, type FormEvent } from "react";
import { del, request } from "../../api/client";
import type { Items, Severity } from "../../api/types";
import { useRoutes } from "../../live/hooks";
import { Button, Card, Field, Notice, SeverityBadge } from "../../parts/basics";
import { Dialog, useOverlays } from "../../parts/overlays";
import { useQuery } from "../../parts/use_query";
import { useMay } from "../../session";
import { byField } from "../edit/draft";
import { NumberInput, TextField } from "../edit/endpoint_form";
import { Check } from "../edit/route_form";
import { refusal } from "../edit/use_judgement";
import { tagsOf } from "../wall/choice";
import type { Receiver } from "./receivers";

type Condition = { kind: string } & Record<string, string | number>;

export interface Rule {
  id?: string;
  name: string;
  enabled: boolean;
  condition: Condition;
  routes: string[];
  holdOff: number;
  recoverAfter: number;
  severity: Severity;
  receivers: string[];
  notifyRecovery: boolean;
}

/** Kind: words, the field with its number, its unit, what to begin with. */
const CONDITIONS: Record<string, [string, string | null, string, number]> = {
  routeFailed: ["A route has failed", null, "", 0],
  waitingLongerThan: ["A route waits for its source for longer than", "seconds", "s", 60],
  degradedLongerThan: ["A destination is in trouble for longer than", "seconds", "s", 30],
  bitrateBelow: ["The source brings less than", "mbps", "Mb/s", 1],
  lossAbove: ["Loss of a leg above", "percent", "%", 1],
  continuityErrorsAbove: ["Continuity errors above", "errorsPerMinute", "per minute", 5],
  busDropsAbove: ["Bus drops above", "datagramsPerMinute", "per minute", 0],
  crashLooping: ["A process is crash-looping", null, "", 0],
  orphanFound: ["An orphan was found on the host", null, "", 0],
};

function conditionWords(condition: Condition): string {
  const [words, field, unit] = CONDITIONS[condition.kind] ?? [condition.kind, null, ""];
  return field ? `${words} ${condition[field]} ${unit}` : words;
}

const NEW: Rule = {
  name: "",
  enabled: true,
  condition: { kind: "bitrateBelow", mbps: 1 },
  routes: [],
  holdOff: 10,
  recoverAfter: 10,
  severity: "warning",
  receivers: [],
  notifyRecovery: true,
};

export function RuleList() {
  const may = useMay("administrator");
  const { ask, tell, complain } = useOverlays();
  const { data, error, reload } = useQuery<Items<Rule>>("/api/alarms/rules");
  const receivers = useQuery<Items<Receiver>>("/api/alarms/receivers").data?.items ?? [];
  const [editing, setEditing] = useState<Rule | null>(null);
  const remove = async (rule: Rule) => {
    const yes = await ask({ title: `Remove the rule ${rule.name}?`, body: "Its alarms end.", confirm: "Remove the rule", danger: true });
    if (!yes) return;
    try {
      await del(`/api/alarms/rules/${rule.id}`);
      tell(`${rule.name} was removed.`);
    } catch (problem) {
      complain(problem);
    }
    await reload();
  };
  return (
    <Card
      title="Rules"
      aside={
        may && (
          <Button icon="plus" kind="primary" onClick={() => setEditing(NEW)}>
            Add a rule
          </Button>
        )
      }
    >
      {error && <Notice kind="bad">{error}</Notice>}
      <ul className="alarms">
        {(data?.items ?? []).map((rule) => (
          <li className="alarm" key={rule.id}>
            <SeverityBadge severity={rule.severity} />
            <div className="alarm-words">
              <p>
                <b>{rule.name}</b> {!rule.enabled && <span className="tag">off</span>}
              </p>
              <p>{conditionWords(rule.condition)}</p>
              <p className="dim">
                {rule.routes.length ? `for ${rule.routes.join(", ")}` : "for all routes"}, held for {rule.holdOff} s, over after{" "}
                {rule.recoverAfter} s;{" "}
                {rule.receivers.length
                  ? `told to ${rule.receivers.map((id) => receivers.find((one) => one.id === id)?.name ?? id).join(", ")}`
                  : "shown here, sent to nobody"}
              </p>
            </div>
            {may && (
              <div className="row-actions">
                <Button icon="edit" label={`Edit ${rule.name}`} kind="quiet" onClick={() => setEditing(rule)} />
                <Button icon="trash" label={`Remove ${rule.name}`} kind="quiet" onClick={() => void remove(rule)} />
              </div>
            )}
          </li>
        ))}
      </ul>
      {editing && (
        <RuleDialog rule={editing} receivers={receivers} onClose={() => setEditing(null)} done={reload} />
      )}
    </Card>
  );
}

function RuleDialog({ rule, receivers, onClose, done }: {
  rule: Rule;
  receivers: Receiver[];
  onClose: () => void;
  done: () => Promise<void>;
}) {
  const { tell } = useOverlays();
  const tags = tagsOf(useRoutes());
  const [draft, setDraft] = useState(rule);
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [trouble, setTrouble] = useState<string | null>(null);
  const [, field, unit] = CONDITIONS[draft.condition.kind] ?? ["", null, ""];
  const set = (part: Partial<Rule>) => setDraft({ ...draft, ...part });
  const save = async (event: FormEvent) => {
    event.preventDefault();
    const { id, ...body } = draft;
    try {
      await request(id ? "PUT" : "POST", id ? `/api/alarms/rules/${id}` : "/api/alarms/rules", { body });
      tell(`${draft.name} is in force.`);
      await done();
      onClose();
    } catch (error) {
      const found = refusal(error);
      setErrors(byField(Object.entries(found.errors).map(([name, message]) => ({ field: name, message }))));
      setTrouble(Object.entries(found.errors).map(([name, message]) => `${name}: ${message}`).join("; ") || found.trouble);
    }
  };
  return (
    <Dialog title={rule.id ? `Rule ${rule.name}` : "New rule"} onClose={onClose}>
      <form className="form-stack" onSubmit={(event) => void save(event)}>
        <div className="form-grid">
          <TextField label="Name" value={draft.name} error={errors.name} onChange={(name) => set({ name: name ?? "" })} />
          <Field label="Severity">
            {(ids) => (
              <select {...ids} value={draft.severity} onChange={(event) => set({ severity: event.target.value as Severity })}>
                <option value="info">Info</option>
                <option value="warning">Warning</option>
                <option value="critical">Critical</option>
              </select>
            )}
          </Field>
          <Field label="When">
            {(ids) => (
              <select
                {...ids}
                value={draft.condition.kind}
                onChange={(event) => {
                  const kind = event.target.value;
                  const [, key, , first] = CONDITIONS[kind] ?? ["", null, "", 0];
                  set({ condition: key ? { kind, [key]: first } : { kind } });
                }}
              >
                {Object.entries(CONDITIONS).map(([kind, [words]]) => (
                  <option key={kind} value={kind}>
                    {words}
                  </option>
                ))}
              </select>
            )}
          </Field>
          {field && (
            <Field label={`Limit (${unit})`} error={errors[`condition.${draft.condition.kind}.${field}`] ?? errors[`condition.${field}`]}>
              {(ids) => (
                <NumberInput
                  ids={ids}
                  value={draft.condition[field] as number}
                  onChange={(value) => set({ condition: { ...draft.condition, [field]: value ?? 0 } })}
                />
              )}
            </Field>
          )}
          <Field label="Must hold for (s)" error={errors.holdOff}>
            {(ids) => <NumberInput ids={ids} value={draft.holdOff} onChange={(value) => set({ holdOff: value ?? 0 })} />}
          </Field>
          <Field label="Over when gone for (s)" error={errors.recoverAfter}>
            {(ids) => (
              <NumberInput ids={ids} value={draft.recoverAfter} onChange={(value) => set({ recoverAfter: value ?? 0 })} />
            )}
          </Field>
          <TextField
            label="Routes"
            hint={`Ids or tags between commas; empty: all.${tags.length ? ` Tags: ${tags.slice(0, 8).join(", ")}` : ""}`}
            value={draft.routes.join(", ")}
            error={errors.routes}
            onChange={(text) => set({ routes: (text ?? "").split(",").map((one) => one.trim()).filter(Boolean) })}
          />
        </div>
        {receivers.length > 0 && (
          <fieldset>
            <legend>Tell</legend>
            {receivers.map((one) => (
              <Check
                key={one.id}
                label={`${one.name} (${one.type})`}
                checked={draft.receivers.includes(one.id)}
                onChange={(on) => set({ receivers: on ? [...draft.receivers, one.id] : draft.receivers.filter((id) => id !== one.id) })}
              />
            ))}
          </fieldset>
        )}
        <Check label="In force" checked={draft.enabled} onChange={(enabled) => set({ enabled })} />
        <Check label="Also tell when it is over" checked={draft.notifyRecovery} onChange={(on) => set({ notifyRecovery: on })} />
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
