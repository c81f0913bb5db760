/** A still of what is on air, where the server makes one. */
import type { Route } from "../api/types";

/** Not there yet: the place stays empty. */
export function Thumbnail(_: { route: Route }) {
  return null;
}
