/** Follows `/api/live`: connects, listens, notices silence, and connects again with growing pauses. */
import { ApiError, get } from "../api/client";
import type { Alarm, Happening, Items, LegNumbers, Route } from "../api/types";
import { takeAlarms } from "./alarms";
import { succession, type Life } from "./life";
import { forgetPrefilled } from "./prefill";
import { store } from "./store";
import { forgetThumbnails } from "./thumbnails";

/** The server speaks once a second; this long a silence means that the connection is dead. */
const SILENCE_MS = 2500;
const PAUSES_MS = [250, 500, 1000, 2000, 3000];

type Message =
  | { type: "snapshot"; server?: Life; routes: Route[]; stats?: Record<string, LegNumbers[]>; lastEventId: number; at: number }
  | { type: "route"; route: Route }
  | { type: "removed"; id: string }
  | { type: "event"; event: Happening }
  | { type: "stats"; routes: Record<string, LegNumbers[]>; at: number }
  | { type: "alarms"; total: number; items: Alarm[] }
  | { type: "missed" };

let socket: WebSocket | null = null;
let wanted = false;
let tries = 0;
let life: Life | null = null;
let retry: ReturnType<typeof setTimeout> | undefined;
let watch: ReturnType<typeof setInterval> | undefined;

/** Begin to follow. */
export function follow(): void {
  if (wanted) return;
  wanted = true;
  tries = 0;
  store.takeLink({ state: "connecting", heardAt: Date.now() });
  watch = setInterval(lookForSilence, 500);
  window.addEventListener("online", connectNow);
  document.addEventListener("visibilitychange", whenVisible);
  connect();
}

/** Stop following, and forget: somebody else may sign in next. */
export function unfollow(): void {
  wanted = false;
  clearInterval(watch);
  clearTimeout(retry);
  window.removeEventListener("online", connectNow);
  document.removeEventListener("visibilitychange", whenVisible);
  hangUp();
  store.forgetEverything();
  takeAlarms([]);
  forgetThumbnails();
  life = null;
}

/** Try at once, as the operator asks. */
export function connectNow(): void {
  if (!wanted || store.link.state === "live") return;
  clearTimeout(retry);
  hangUp();
  connect();
}

function whenVisible(): void {
  if (document.visibilityState === "visible") connectNow();
}

function connect(): void {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const opened = new WebSocket(`${scheme}://${location.host}/api/live`);
  const openedAt = Date.now();
  socket = opened;
  opened.onmessage = (message: MessageEvent<string>) => {
    if (socket === opened) take(JSON.parse(message.data) as Message);
  };
  opened.onclose = () => {
    if (socket === opened) lose();
  };
  setTimeout(() => {
    if (socket === opened && opened.readyState === WebSocket.CONNECTING && Date.now() - openedAt >= 5000) lose();
  }, 5000);
}

function hangUp(): void {
  const old = socket;
  socket = null;
  old?.close();
}

function lose(): void {
  hangUp();
  if (!wanted) return;
  store.takeLink({ state: "lost" });
  const pause = PAUSES_MS[Math.min(tries, PAUSES_MS.length - 1)] ?? 3000;
  tries += 1;
  clearTimeout(retry);
  retry = setTimeout(() => void again(), pause * (0.8 + 0.4 * Math.random()));
}

async function again(): Promise<void> {
  try {
    await get("/api/auth/me"); // a WebSocket does not say why it was refused: a 401 leads to the sign-in
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return;
    // No answer: the WebSocket will most likely have none either, and says when it has.
  }
  if (wanted) connect();
}

function lookForSilence(): void {
  if (store.link.state === "live" && Date.now() - store.link.heardAt > SILENCE_MS) lose();
}

function take(message: Message): void {
  const now = Date.now();
  store.link.heardAt = now;
  switch (message.type) {
    case "snapshot":
      tries = 0;
      forgetPrefilled();
      store.takeSuccession(succession(life, message.server ?? null, store.all(), message.routes));
      life = message.server ?? life;
      store.takeSnapshot(message.routes);
      if (message.stats) store.takeNumbers(message.at, message.stats);
      store.takeLink({ state: "live", heardAt: now, skewMs: message.at - now });
      void catchUp();
      break;
    case "route":
      store.takeRoute(message.route);
      break;
    case "removed":
      store.remove(message.id);
      break;
    case "event":
      store.takeEvents([message.event]);
      break;
    case "stats":
      store.takeNumbers(message.at, message.routes);
      break;
    case "alarms":
      takeAlarms(message.items, message.total);
      break;
    case "missed":
      break;
  }
}

/** Events that happened while nobody listened. */
async function catchUp(): Promise<void> {
  try {
    store.takeEvents((await get<Items<Happening>>("/api/events?limit=200")).items);
  } catch {
    // The page of events says so when somebody looks.
  }
}
