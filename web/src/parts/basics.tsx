/** The small parts that every page is made of. */
import { useId, useState, type ButtonHTMLAttributes, type ReactNode } from "react";
import type { Connection, Leg, Phase, Route, RouteProcess, Severity, Status } from "../api/types";
import { moment, zone } from "../words";
import { Icon, StatusIcon, type IconName } from "./icons";

const STATUS_WORDS: Record<Status, string> = {
  running: "On air",
  degraded: "Degraded",
  failed: "Failed",
  waiting: "Waiting",
  stopped: "Stopped",
  starting: "Starting",
  restarting: "Restarting",
  stopping: "Stopping",
};

export const statusWord = (status: Status): string => STATUS_WORDS[status];

/** Shape, word and colour: any one of them is enough. */
export function StatusBadge({ status, large = false }: { status: Status; large?: boolean }) {
  return (
    <span className={`status status-${status}${large ? " status-large" : ""}`}>
      <StatusIcon status={status} />
      {STATUS_WORDS[status]}
    </span>
  );
}

export type Standing = ["up" | "wait" | "down" | "off", IconName, string];

/** How a leg stands. A caller that nobody answers keeps calling: that is waiting, and no failure. */
export function standing(connection: Connection, state: Phase, process?: RouteProcess): Standing {
  if (state === "stopped") return ["off", "stop", "Off"];
  if (process?.crashLooping) return ["down", "restart", "Crash-looping"];
  if (process?.rejection) return ["down", "close", "Refused"];
  if (state === "restarting") return calls(process) ? ["wait", "restart", "Calling"] : ["down", "restart", "Restarting"];
  if (state !== "running") return ["wait", "restart", state === "starting" ? "Starting" : "Stopping"];
  if (connection === "connected") return ["up", "link", "Connected"];
  if (connection === "waiting") return ["wait", "unlink", "Waiting"];
  return ["up", "arrow", "Sending"];
}

/** How a destination stands in its route. UDP has no peer, so it sends whenever there is something to send. */
export function destinationStanding(route: Route, leg: Leg): Standing {
  if (leg.endpoint.enabled === false) return ["off", "stop", "Disabled"];
  const process = route.processes.find((one) => one.type === leg.process);
  const found = standing(leg.connection, leg.state, process);
  const idle = found[2] === "Sending" && route.source.connection !== "connected";
  return idle ? ["wait", "unlink", "Nothing to send"] : found;
}

/** Its last life ended as a call without an answer does. */
function calls(process: RouteProcess | undefined): boolean {
  return process !== undefined && process.exitCode === 0 && /mode=(caller|rendezvous)/.test(process.command);
}

export function ConnectionSign({ standing: [kind, icon, word] }: { standing: Standing }) {
  return (
    <span className={`connection connection-${kind}`}>
      <Icon name={icon} />
      {word}
    </span>
  );
}

const SEVERITY: Record<Severity, [IconName, string]> = {
  info: ["info", "Info"],
  warning: ["bell", "Warning"],
  critical: ["close", "Critical"],
};

export function SeverityBadge({ severity }: { severity: Severity }) {
  const [icon, word] = SEVERITY[severity];
  return (
    <span className={`severity severity-${severity}`}>
      <Icon name={icon} />
      {word}
    </span>
  );
}

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & {
  icon?: IconName;
  kind?: "plain" | "primary" | "danger" | "quiet";
  busy?: boolean;
  /** Shown as an icon alone, with this as its name. */
  label?: string;
};

export function Button({ icon, kind = "plain", busy = false, label, children, className, ...rest }: ButtonProps) {
  const classes = `button button-${kind}${children ? "" : " button-icon"}${className ? ` ${className}` : ""}`;
  return (
    <button
      type="button"
      className={classes}
      aria-label={label}
      title={label}
      aria-busy={busy || undefined}
      {...rest}
      disabled={rest.disabled || busy}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

export function Card({ title, aside, children, className }: {
  title?: ReactNode;
  aside?: ReactNode;
  children: ReactNode;
  className?: string;
}) {
  const id = useId();
  return (
    <section className={`card${className ? ` ${className}` : ""}`} aria-labelledby={title ? id : undefined}>
      {(title || aside) && (
        <header className="card-head">
          {title && <h2 id={id}>{title}</h2>}
          {aside && <div className="card-aside">{aside}</div>}
        </header>
      )}
      {children}
    </section>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {children}
    </div>
  );
}

export function Notice({ kind, children }: { kind: "info" | "warn" | "bad" | "good"; children: ReactNode }) {
  const icon: IconName = kind === "bad" ? "close" : kind === "warn" ? "bell" : "info";
  return (
    <div className={`notice notice-${kind}`} role={kind === "bad" ? "alert" : undefined}>
      <Icon name={icon} />
      <div>{children}</div>
    </div>
  );
}

/** A moment with its zone: nobody has to guess whose clock it is. */
export function Time({ at }: { at: number | null | undefined }) {
  if (at == null) return <span className="dim">–</span>;
  return (
    <time dateTime={new Date(at).toISOString()} title={`${new Date(at).toISOString()} (UTC)`}>
      {moment(at)} <span className="zone">{zone(at)}</span>
    </time>
  );
}

export function Field({ label, hint, error, children, className }: {
  label: string;
  hint?: ReactNode;
  error?: string | null;
  children: (ids: { id: string; "aria-describedby"?: string; "aria-invalid"?: boolean }) => ReactNode;
  className?: string;
}) {
  const id = useId();
  const described = error ? `${id}-error` : hint ? `${id}-hint` : undefined;
  return (
    <div className={`field${error ? " field-wrong" : ""}${className ? ` ${className}` : ""}`}>
      <label htmlFor={id}>{label}</label>
      {children({ id, "aria-describedby": described, "aria-invalid": error ? true : undefined })}
      {error ? (
        <p className="field-error" id={`${id}-error`}>
          <Icon name="close" /> {error}
        </p>
      ) : (
        hint && (
          <p className="field-hint" id={`${id}-hint`}>
            {hint}
          </p>
        )
      )}
    </div>
  );
}

export function Tabs<T extends string>({ label, value, options, onChange }: {
  label: string;
  value: T;
  options: readonly (readonly [T, ReactNode])[];
  onChange: (value: T) => void;
}) {
  return (
    <div className="tabs" role="group" aria-label={label}>
      {options.map(([key, words]) => (
        <button key={key} type="button" aria-pressed={key === value} onClick={() => onChange(key)}>
          {words}
        </button>
      ))}
    </div>
  );
}

export function CopyButton({ text, what }: { text: string; what: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await toClipboard(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <Button icon="copy" kind="quiet" label={`Copy ${what}`} onClick={() => void copy()}>
      {copied ? "Copied" : "Copy"}
    </Button>
  );
}

/** The clipboard API is for HTTPS and localhost only; the old way works everywhere. */
async function toClipboard(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
