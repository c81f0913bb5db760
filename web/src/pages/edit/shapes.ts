export type { Endpoint, Json, RouteConfig } from "../../api/types";

/** What is wrong, by field: `source.port`, `destinations[0].host`; empty name: the whole. */
export type FieldErrors = Record<string, string>;
