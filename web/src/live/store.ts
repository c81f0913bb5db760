/**
 * What is known of everything, as the server tells it: kept outside React, so that five hundred routes at one hertz
 * wake only the rows that are on the screen. Each slice has listeners of its own.
 */
import type { Happening, LegNumbers, Route } from "../api/types";
import type { Succession } from "./life";
import { Trail } from "./trail";

/** Seconds of bitrate that a sparkline shows. */
export const TRAIL_S = 300;
const EVENTS_KEPT = 500;

export type Slice = "list" | "events" | "link" | "tick" | "succession" | `route:${string}`;

export type LinkState = "connecting" | "live" | "lost";

export interface Link {
  state: LinkState;
  /** When the last message came, by this machine's clock. */
  heardAt: number;
  /** The server's clock minus this machine's, in milliseconds. */
  skewMs: number;
}

class Store {
  private readonly listeners = new Map<Slice, Set<() => void>>();
  private readonly routes = new Map<string, Route>();
  private readonly numbers = new Map<string, LegNumbers[]>();
  private readonly trails = new Map<string, Trail>();
  private list: readonly Route[] = [];
  private listStale = false;
  private happenings: readonly Happening[] = [];
  private tick = 0;
  private follower: Succession | null = null;
  /** A snapshot has come: what is not there does not exist. */
  complete = false;
  link: Link = { state: "connecting", heardAt: Date.now(), skewMs: 0 };

  subscribe(slice: Slice, listener: () => void): () => void {
    let found = this.listeners.get(slice);
    if (!found) this.listeners.set(slice, (found = new Set()));
    found.add(listener);
    return () => {
      found.delete(listener);
      if (!found.size) this.listeners.delete(slice);
    };
  }

  // What components read: the same object as long as nothing has changed.

  route = (id: string): Route | undefined => this.routes.get(id);
  numbersOf = (id: string): LegNumbers[] | undefined => this.numbers.get(id);
  trail = (id: string): Trail | undefined => this.trails.get(id);
  ticks = (): number => this.tick;
  events = (): readonly Happening[] => this.happenings;
  linkState = (): Link => this.link;
  succession = (): Succession | null => this.follower;

  all = (): readonly Route[] => {
    if (this.listStale) {
      this.list = [...this.routes.values()];
      this.listStale = false;
    }
    return this.list;
  };

  // What the feed tells

  takeSnapshot(routes: Route[]): void {
    this.complete = true;
    this.routes.clear();
    for (const route of routes) this.routes.set(route.id, route);
    for (const id of this.numbers.keys()) if (!this.routes.has(id)) this.forget(id);
    this.listStale = true;
    for (const slice of [...this.listeners.keys()]) this.wake(slice);
  }

  takeRoute(route: Route): void {
    this.routes.set(route.id, route);
    this.listStale = true;
    this.wake("list");
    this.wake(`route:${route.id}`);
  }

  remove(id: string): void {
    this.routes.delete(id);
    this.forget(id);
    this.listStale = true;
    this.wake("list");
    this.wake(`route:${id}`);
  }

  takeNumbers(at: number, byRoute: Record<string, LegNumbers[]>): void {
    const second = Math.floor(at / 1000);
    for (const [id, legs] of Object.entries(byRoute)) {
      this.numbers.set(id, legs);
      let trail = this.trails.get(id);
      if (!trail) this.trails.set(id, (trail = new Trail(TRAIL_S)));
      trail.put(second, legs.find((leg) => leg.leg === "source")?.bitrate ?? null);
    }
    this.tick += 1;
    for (const slice of [...this.listeners.keys()]) if (slice.startsWith("route:")) this.wake(slice);
    this.wake("tick");
  }

  /** Bitrates of before, for a sparkline. */
  takePast(id: string, times: number[], values: (number | null)[]): void {
    let trail = this.trails.get(id);
    if (!trail) this.trails.set(id, (trail = new Trail(TRAIL_S)));
    for (let at = times.length - 1; at >= 0; at--) {
      trail.putIfMissing(Math.floor((times[at] ?? 0) / 1000), values[at] ?? null);
    }
    this.wake(`route:${id}`);
  }

  takeEvents(found: Happening[]): void {
    const known = new Set(this.happenings.map((one) => one.id));
    const fresh = found.filter((one) => !known.has(one.id));
    if (!fresh.length) return;
    this.happenings = [...fresh, ...this.happenings].sort((a, b) => b.id - a.id).slice(0, EVENTS_KEPT);
    this.wake("events");
  }

  /** Another life of the server has begun: said until somebody has read it. */
  takeSuccession(found: Succession | null): void {
    if (found) this.setSuccession(found);
  }

  forgetSuccession = (): void => this.setSuccession(null);

  private setSuccession(found: Succession | null): void {
    this.follower = found;
    this.wake("succession");
  }

  takeLink(change: Partial<Link>): void {
    this.link = { ...this.link, ...change };
    this.wake("link");
  }

  forgetEverything(): void {
    this.complete = false;
    this.routes.clear();
    this.numbers.clear();
    this.trails.clear();
    this.happenings = [];
    this.follower = null;
    this.listStale = true;
  }

  private forget(id: string): void {
    this.numbers.delete(id);
    this.trails.delete(id);
  }

  private wake(slice: Slice): void {
    this.listeners.get(slice)?.forEach((listener) => listener());
  }
}

export const store = new Store();
