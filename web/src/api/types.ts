/**
 * The shapes of the API, by the names that the console uses. They come from the OpenAPI document (`npm run types`);
 * written by hand is only what the document cannot say: what stands in routes.json, and the short form of the live feed.
 */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Status = Schemas["RouteStatus"];
export type Connection = Schemas["Connection"];
export type Phase = Schemas["Phase"];
export type Role = Schemas["Role"];
export type Severity = Schemas["Severity"];
export type RouteProcess = Schemas["ProcessView"];
export type RouteWarning = Schemas["RouteWarning"];
export type ThumbnailItem = Schemas["ThumbnailItem"];
export type StreamItem = Schemas["StreamItem"];
export type StreamState = Schemas["StreamState"];
export type StreamSummary = Schemas["StreamSummary"];
export type EffectAction = Schemas["EffectAction"];
export type Effects = Schemas["Effects"];
export type HostProcess = Schemas["ProcessItem"];
export type Orphan = Schemas["OrphanItem"];
export type Cleanup = Schemas["CleanupView"];
export type Me = Schemas["Me"];
export type Session = Schemas["SessionView"];
export type User = Schemas["UserView"];
export type Token = Schemas["TokenView"];
export type Health = Schemas["Health"];
export type History = Schemas["History"];
export type Alarm = Schemas["Alarm"];
export type Diagnosis = Schemas["Diagnosis"];
export type Backup = Schemas["BackupView"];
export type Verification = Schemas["Verification"];
export type Restored = Schemas["Restored"];
export type Setting = Schemas["SettingView"];
export type Engine = Schemas["EngineView"];
export type Interface = Schemas["Interface"];
export type Differences = Schemas["Differences"];

export type EndSecret = Schemas["EndSecrets"];

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined };
export type JsonObject = { [key: string]: Json | undefined };

/** The source or a destination as it stands in routes.json. */
export interface Endpoint {
  type: "srt" | "udp";
  mode?: "listener" | "caller" | "rendezvous";
  host?: string;
  port: number;
  latency?: number;
  passphrase?: string | null;
  streamId?: string;
  id?: string;
  name?: string;
  enabled?: boolean;
  ttl?: number;
  interface?: string;
  [option: string]: Json | undefined;
}

export type Leg = Omit<Schemas["LegView"], "endpoint"> & { endpoint: Endpoint };

/** One route as it is now. */
export type Route = Omit<Schemas["RouteView"], "source" | "destinations" | "transcode"> & {
  source: Leg;
  destinations: Leg[];
  transcode: (Omit<Leg, "endpoint"> & { endpoint: Transcode }) | null;
};

/** What stands in routes.json. */
export interface RouteConfig {
  id?: string;
  name: string;
  autoStart?: boolean;
  description?: string | null;
  tags?: string[];
  testSource?: boolean;
  source: Endpoint;
  transcode?: Transcode | string | null;
  destinations: Endpoint[];
}

export interface VideoEncode {
  codec: "h264" | "hevc";
  bitrateKbps: number;
  [option: string]: Json | undefined;
}

export interface AudioEncode {
  codec: "aac" | "mp2" | "opus";
  bitrateKbps: number;
  [option: string]: Json | undefined;
}

export interface Transcode {
  video: "copy" | VideoEncode;
  audio: "copy" | "none" | AudioEncode;
  [option: string]: Json | undefined;
}

export type Preset = Omit<Schemas["Preset"], "transcode"> & { transcode: Transcode };

export interface RouteDetail extends Route {
  config: RouteConfig;
}

export interface DryRun {
  effects: Effects;
  config: RouteConfig | Endpoint | null;
}

/** The numbers of one leg now. The live feed leaves out what nobody can know. */
export type LegNumbers = Pick<Schemas["LegStatistics"], "leg"> & Partial<Schemas["LegStatistics"]>;

export type Happening = Omit<Schemas["Event"], "data"> & { data: JsonObject };

export interface Items<T> {
  items: T[];
}
