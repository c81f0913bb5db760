/** The `srt://` address that the other side needs. Pure. */
import type { Endpoint } from "../api/types";

const MASK = "**********";

export interface OtherSide {
  url: string;
  /** What to do with it. */
  advice: string;
}

/** `host`: this machine as the other side reaches it; `passphrase`: in the clear, if it is to be in there. */
export function otherSide(end: Endpoint, host: string, passphrase: string | null, asSource: boolean): OtherSide {
  const here = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  const role = asSource ? "send to" : "receive from";
  const query = new URLSearchParams();
  let address: string;
  let advice: string;
  if (end.mode === "listener") {
    address = `${here}:${end.port}`;
    query.set("mode", "caller");
    advice = `Use this address on the other machine to ${role} this one.`;
  } else if (end.mode === "caller") {
    address = `:${end.port}`;
    query.set("mode", "listener");
    advice = `The machine ${end.host ?? ""} listens with this address; this one calls it.`;
  } else {
    address = `${here}:${end.port}`;
    query.set("mode", "rendezvous");
    advice = `Both sides call each other: the machine ${end.host ?? ""} uses this address.`;
  }
  if (end.latency !== undefined) query.set("latency", String(end.latency));
  if (end.mode === "listener" && end.streamId) query.set("streamid", end.streamId);
  if (end.passphrase) query.set("passphrase", passphrase ?? MASK);
  if (end.passphrase && end.pbkeylen) query.set("pbkeylen", String(end.pbkeylen));
  const text = query.toString().replaceAll("%2F", "/").replaceAll("%2C", ",").replaceAll("%3A", ":").replaceAll("*", "•");
  return { url: `srt://${address}?${text}`, advice };
}
