/** The form of a source or a destination. */
import { useState } from "react";
import { get, withQuery } from "../../api/client";
import type { Endpoint, Interface, Items, Json } from "../../api/types";
import { Button, Field } from "../../parts/basics";
import { useOverlays } from "../../parts/overlays";
import { useQuery } from "../../parts/use_query";
import { MASK, asKind, withField } from "./draft";
import { SRT_GROUPS, type Option } from "./options";
import type { FieldErrors } from "./shapes";

interface Props {
  end: Endpoint;
  source: boolean;
  errors: FieldErrors;
  onChange: (end: Endpoint) => void;
}

const KINDS = {
  "srt listener": "SRT listener: the other side calls",
  "srt caller": "SRT caller: we call the other side",
  "srt rendezvous": "SRT rendezvous: both call",
  udp: "UDP unicast or multicast",
} as const;

export function EndpointForm({ end, source, errors, onChange }: Props) {
  const kind = end.type === "udp" ? "udp" : `srt ${end.mode}`;
  const set = (key: string, value: Json | undefined) => onChange(withField(end, key, value));
  const error = (key: string) => errors[key];
  return (
    <div className="endpoint-form">
      <div className="form-grid">
        <Field label="Kind" error={error("type") ?? error("mode") ?? error("")} className="field-wide">
          {(ids) => (
            <select
              {...ids}
              value={kind}
              onChange={(event) => {
                const [type, mode] = event.target.value.split(" ");
                onChange(asKind(end, type as "srt" | "udp", mode));
              }}
            >
              {Object.entries(KINDS).map(([key, words]) => (
                <option key={key} value={key}>
                  {words}
                </option>
              ))}
            </select>
          )}
        </Field>
        {!source && (
          <TextField label="Name" hint="For people; may be empty." value={end.name} error={error("name")} onChange={(v) => set("name", v)} />
        )}
        {kind !== "srt listener" && (
          <TextField
            label={end.type === "udp" ? (source ? "Group or local address" : "Host or group") : "Host"}
            hint={end.type === "udp" && source ? "A multicast group to join; none: any address of this machine." : undefined}
            value={end.host}
            error={error("host")}
            onChange={(v) => set("host", v)}
          />
        )}
        <PortField end={end} error={error("port")} onChange={(port) => set("port", port)} />
        {end.type === "srt" ? (
          <SrtFields end={end} error={error} set={set} />
        ) : (
          <UdpFields end={end} source={source} error={error} set={set} />
        )}
      </div>
      {end.type === "srt" && <MoreOptions end={end} errors={errors} set={set} />}
    </div>
  );
}

type Set = (key: string, value: Json | undefined) => void;
type ErrorOf = (key: string) => string | undefined;

function PortField({ end, error, onChange }: { end: Endpoint; error?: string; onChange: (port: number) => void }) {
  const { complain } = useOverlays();
  const ours = end.type === "udp" ? false : end.mode !== "caller";
  const suggest = async () => {
    try {
      const { ports } = await get<{ ports: number[] }>(withQuery("/api/ports/free", { protocol: end.type, count: 1, first: Math.max(1024, end.port || 6000) }));
      if (ports[0]) onChange(ports[0]);
    } catch (problem) {
      complain(problem);
    }
  };
  return (
    <Field label="Port" error={error}>
      {(ids) => (
        <span className="input-with">
          <NumberInput ids={ids} value={end.port} onChange={(value) => onChange(value ?? 0)} />
          {ours && (
            <Button onClick={() => void suggest()} title="The next port that no route uses and nobody on the machine holds">
              Free port
            </Button>
          )}
        </span>
      )}
    </Field>
  );
}

function SrtFields({ end, error, set }: { end: Endpoint; error: ErrorOf; set: Set }) {
  const [shown, setShown] = useState(false);
  const masked = end.passphrase === MASK;
  return (
    <>
      <Field label="Latency (ms)" hint="Four times the round-trip time is a good start; the larger of both sides counts." error={error("latency")}>
        {(ids) => <NumberInput ids={ids} value={end.latency} onChange={(v) => set("latency", v)} />}
      </Field>
      <Field
        label="Passphrase"
        error={error("passphrase")}
        hint={masked ? "One is set, and stays. Type a new one to change it." : "10 to 79 characters; empty: not encrypted."}
      >
        {(ids) => (
          <span className="input-with">
            <input
              {...ids}
              type={shown ? "text" : "password"}
              autoComplete="new-password"
              value={masked ? "" : (end.passphrase ?? "")}
              placeholder={masked ? "•••••••••• (unchanged)" : ""}
              onChange={(event) => set("passphrase", event.target.value === "" ? (masked ? MASK : null) : event.target.value)}
            />
            <Button onClick={() => setShown(!shown)}>{shown ? "Hide" : "Show"}</Button>
            {masked && <Button onClick={() => set("passphrase", null)}>Remove</Button>}
          </span>
        )}
      </Field>
      {end.mode !== "rendezvous" && (
        <TextField
          label="Stream id"
          hint={end.mode === "listener" ? "A note for people: srt-live-transmit cannot check it." : "Sent to the other side."}
          value={end.streamId}
          error={error("streamId")}
          onChange={(v) => set("streamId", v)}
        />
      )}
    </>
  );
}

function UdpFields({ end, source, error, set }: { end: Endpoint; source: boolean; error: ErrorOf; set: Set }) {
  const interfaces = useQuery<Items<Interface>>("/api/interfaces").data?.items ?? [];
  return (
    <>
      <Field label="Network interface" hint="Where the group is joined, or the stream leaves." error={error("interface")}>
        {(ids) => (
          <>
            <input
              {...ids}
              list={`${ids.id}-list`}
              value={end.interface ?? ""}
              onChange={(event) => set("interface", event.target.value || undefined)}
            />
            <datalist id={`${ids.id}-list`}>
              {interfaces.flatMap((one) => [
                <option key={one.name} value={one.name} />,
                ...(one.addresses ?? []).map(({ address }) => (
                  <option key={address} value={address} label={`${one.name}: ${address}`} />
                )),
              ])}
            </datalist>
          </>
        )}
      </Field>
      {source ? (
        <TextField label="Only from this sender" hint="Source-specific multicast." value={end.sourceAddress as string | undefined} error={error("sourceAddress")} onChange={(v) => set("sourceAddress", v)} />
      ) : (
        <>
          <Field label="TTL" hint="Hops; none: 64." error={error("ttl")}>
            {(ids) => <NumberInput ids={ids} value={end.ttl} onChange={(v) => set("ttl", v)} />}
          </Field>
          <Field label="ToS" hint="DSCP times 4." error={error("tos")}>
            {(ids) => <NumberInput ids={ids} value={end.tos as number | undefined} onChange={(v) => set("tos", v)} />}
          </Field>
        </>
      )}
    </>
  );
}

function MoreOptions({ end, errors, set }: { end: Endpoint; errors: FieldErrors; set: Set }) {
  const all = SRT_GROUPS.flatMap((group) => group.options);
  const used = all.filter((option) => end[option.key] !== undefined).length;
  const wrong = all.some((option) => errors[option.key]);
  return (
    <details className="more-options" open={wrong || undefined}>
      <summary>
        All SRT options {used > 0 && <b className="chip-count">{used} set</b>}
      </summary>
      {SRT_GROUPS.map((group) => (
        <fieldset key={group.title}>
          <legend>{group.title}</legend>
          <div className="form-grid">
            {group.options.map((option) => (
              <OptionField key={option.key} option={option} value={end[option.key]} error={errors[option.key]} set={set} />
            ))}
          </div>
        </fieldset>
      ))}
    </details>
  );
}

function OptionField({ option, value, error, set }: { option: Option; value: Json | undefined; error?: string; set: Set }) {
  const label = option.unit ? `${option.label} (${option.unit})` : option.label;
  const change = (next: Json | undefined) => set(option.key, next);
  if (option.kind === "text") {
    return <TextField label={label} hint={option.hint} value={value as string | undefined} error={error} onChange={change} />;
  }
  return (
    <Field label={label} hint={option.hint} error={error}>
      {(ids) => {
        if (option.kind === "number") return <NumberInput ids={ids} value={value as number | undefined} onChange={change} />;
        const choices = option.choices ?? ([["true", "Yes"], ["false", "No"]] as const);
        return (
          <select
            {...ids}
            value={value === undefined ? "" : String(value)}
            onChange={(event) => {
              const text = event.target.value;
              change(text === "" ? undefined : option.kind === "switch" ? text === "true" : Number(text));
            }}
          >
            <option value="">As libsrt has it</option>
            {choices.map(([key, words]) => (
              <option key={key} value={String(key)}>
                {words}
              </option>
            ))}
          </select>
        );
      }}
    </Field>
  );
}

export function TextField({ label, hint, value, error, onChange }: {
  label: string;
  hint?: string;
  value: string | undefined | null;
  error?: string;
  onChange: (value: string | undefined) => void;
}) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(ids) => <input {...ids} value={value ?? ""} onChange={(event) => onChange(event.target.value || undefined)} />}
    </Field>
  );
}

/** A whole number, or nothing. */
export function NumberInput({ ids, value, onChange }: {
  ids: object;
  value: number | undefined;
  onChange: (value: number | undefined) => void;
}) {
  return (
    <input
      {...ids}
      type="number"
      inputMode="numeric"
      step="any"
      value={value === undefined || Number.isNaN(value) ? "" : value}
      onChange={(event) => onChange(event.target.value === "" ? undefined : Number(event.target.value))}
    />
  );
}
