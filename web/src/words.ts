/** Numbers, times and addresses as people read them. Nothing known is a dash, never a zero. */
import type { Endpoint, LegNumbers } from "./api/types";

export const UNKNOWN = "–";

/** kb/s as Mb/s. */
export function bitrate(kbps: number | null | undefined): string {
  if (kbps == null) return UNKNOWN;
  if (kbps >= 1_000_000) return `${(kbps / 1_000_000).toFixed(2)} Gb/s`;
  if (kbps >= 1000) return `${(kbps / 1000).toFixed(kbps >= 100_000 ? 0 : kbps >= 10_000 ? 1 : 2)} Mb/s`;
  return `${kbps.toFixed(0)} kb/s`;
}

export function ms(value: number | null | undefined): string {
  if (value == null) return UNKNOWN;
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
}

export function percent(value: number | null | undefined): string {
  if (value == null) return UNKNOWN;
  return `${value === 0 ? "0" : value < 0.01 ? "<0.01" : value.toFixed(value < 1 ? 2 : 1)} %`;
}

export function count(value: number | null | undefined): string {
  return value == null ? UNKNOWN : value.toLocaleString("en");
}

export function bytes(value: number | null | undefined): string {
  if (value == null) return UNKNOWN;
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let amount = value;
  let unit = 0;
  while (amount >= 1000 && unit < units.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? amount : amount.toFixed(amount < 10 ? 2 : amount < 100 ? 1 : 0)} ${units[unit]}`;
}

/** 3 d 04:05:06 */
export function duration(millis: number | null | undefined): string {
  if (millis == null) return UNKNOWN;
  const seconds = Math.max(0, Math.floor(millis / 1000));
  const days = Math.floor(seconds / 86400);
  const clock = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
  return days ? `${days} d ${clock}` : clock;
}

const two = (value: number) => String(value).padStart(2, "0");

/** `UTC+2`: stands beside every time. */
export function zone(at = Date.now()): string {
  const minutes = -new Date(at).getTimezoneOffset();
  if (!minutes) return "UTC";
  const sign = minutes < 0 ? "−" : "+";
  const rest = Math.abs(minutes) % 60;
  return `UTC${sign}${Math.floor(Math.abs(minutes) / 60)}${rest ? `:${two(rest)}` : ""}`;
}

export function clock(at: number): string {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export function day(at: number): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** Date and time in the zone of this machine. */
export function moment(at: number | null | undefined): string {
  return at == null ? UNKNOWN : `${day(at)} ${clock(at)}`;
}

export function ago(millis: number): string {
  const seconds = Math.max(0, Math.round(millis / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** `SRT listener :4082`, `UDP 239.1.1.1:5000` */
export function endpoint(end: Endpoint): string {
  if (end.type === "udp") return `UDP ${bracketed(end.host ?? "")}:${end.port}`;
  return `SRT ${end.mode} ${bracketed(end.host ?? "")}:${end.port}`;
}

/** What a destination is called. */
export function endName(end: Endpoint): string {
  return end.name ? `${end.name} (${endpoint(end)})` : endpoint(end);
}

export function legNumbers(all: LegNumbers[] | undefined, leg: string): LegNumbers | undefined {
  return all?.find((one) => one.leg === leg);
}

/** The worst loss of any leg, and the longest way of any. */
export function worst(all: LegNumbers[] | undefined, key: "lossPercent" | "msRTT"): number | null {
  let found: number | null = null;
  for (const leg of all ?? []) {
    const value = leg[key];
    if (value != null && (found == null || value > found)) found = value;
  }
  return found;
}

/** `srt` and `srtOut:6000` in a broadcaster's words. */
export function processName(type: string | null): string {
  if (!type) return "process";
  if (type === "srt") return "source";
  if (type === "ffmpeg") return "transcode";
  if (type === "udpDuplicator") return "UDP duplicator";
  if (type === "testSource") return "test source";
  return type.startsWith("srtOut:") ? `destination ${type.slice(7)}` : type;
}

export function plural(amount: number, one: string, many = `${one}s`): string {
  return `${amount} ${amount === 1 ? one : many}`;
}
