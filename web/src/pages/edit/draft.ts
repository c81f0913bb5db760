/** A route or an end while it is edited. Pure. */
import type { EndSecret } from "../../api/types";
import type { Endpoint, FieldErrors, Json, RouteConfig } from "./shapes";

export const MASK = "**********";

/** What is sent: a passphrase that is only masked is left out, which keeps it. */
export function sendable<T extends object>(value: T): T {
  return JSON.parse(JSON.stringify(value, (key, one: unknown) => (key === "passphrase" && one === MASK ? undefined : one))) as T;
}

/** The end with one field set, or taken away where the value is undefined. */
export function withField(end: Endpoint, key: string, value: Json | undefined): Endpoint {
  const next: Endpoint = { ...end };
  if (value === undefined) delete next[key];
  else next[key] = value;
  return next;
}

const KEPT = ["id", "name", "enabled", "port"];
const SRT_KEPT = [...KEPT, "latency", "passphrase", "pbkeylen"];

/** The end as another kind: what makes no sense there is dropped. */
export function asKind(end: Endpoint, type: "srt" | "udp", mode: string | undefined): Endpoint {
  const keep = type === "udp" ? KEPT : end.type === "srt" ? Object.keys(end) : SRT_KEPT;
  const next: Endpoint = { type, port: end.port };
  for (const key of keep) if (end[key] !== undefined) next[key] = end[key];
  next.type = type;
  if (type === "udp") {
    delete next.mode;
    if (end.type === "udp" && end.host) next.host = end.host;
    return next;
  }
  next.mode = mode as Endpoint["mode"];
  next.latency ??= 120;
  if (mode === "listener") {
    delete next.host;
    delete next.localPort;
  } else if (end.host) next.host = end.host;
  if (mode === "rendezvous") delete next.streamId;
  return next;
}

/** Errors by field; `prefix` is taken off, and what stands elsewhere is left out. */
export function errorsUnder(errors: FieldErrors, prefix: string): FieldErrors {
  const found: FieldErrors = {};
  for (const [field, message] of Object.entries(errors)) {
    if (field === prefix) found[""] = message;
    else if (field.startsWith(`${prefix}.`)) found[field.slice(prefix.length + 1)] = message;
    else if (field.startsWith(`${prefix}[`)) found[field.slice(prefix.length)] = message;
  }
  return found;
}

/** By field, as the server names them; `body.` is where it came from, and says nothing. */
export function byField(errors: readonly { field: string; message: string }[]): FieldErrors {
  const found: FieldErrors = {};
  for (const { field, message } of errors) {
    const name = field.replace(/^body\./, "").replace(/^body$/, "").replace(/\.(\d+)(?=\.|$)/g, "[$1]");
    found[name] = found[name] ? `${found[name]}; ${message}` : message;
  }
  return found;
}

export function emptyRoute(ports: number[]): RouteConfig {
  return {
    name: "",
    autoStart: true,
    source: { type: "srt", mode: "listener", port: ports[0] ?? 6000, latency: 120 },
    transcode: null,
    destinations: [{ type: "srt", mode: "listener", port: ports[1] ?? 6001, latency: 120 }],
  };
}

const sameEnd = (one: Endpoint, other: Endpoint) =>
  one.id !== undefined || other.id !== undefined ? one.id === other.id : one.type === other.type && one.mode === other.mode && one.port === other.port;

/** Does going back from `after` to `before` need a passphrase that the server will no longer have? */
export function needsSecrets(before: RouteConfig, after: RouteConfig): boolean {
  const kept = (end: Endpoint, found: Endpoint | undefined) => !end.passphrase || found?.passphrase === MASK;
  return !(
    kept(before.source, after.source) && before.destinations.every((end) => kept(end, after.destinations.find((one) => sameEnd(one, end))))
  );
}

/**
 * A configuration that brings every end back to what it was: with the passphrases that are known, and with an order to
 * take away those that it did not have. Without `secrets` a passphrase that is only masked stays as it is.
 */
export function withoutNewPassphrases(before: RouteConfig, secrets: readonly EndSecret[] | null): RouteConfig {
  const whole = (end: Endpoint, index: number | null): Endpoint => {
    if (end.type !== "srt") return end;
    if (!end.passphrase) return { ...end, passphrase: null };
    const known = secrets?.find((one) => one.index === index)?.passphrase;
    return known ? { ...end, passphrase: known } : end;
  };
  return { ...before, source: whole(before.source, null), destinations: before.destinations.map(whole) };
}
