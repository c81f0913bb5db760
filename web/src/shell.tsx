/** What surrounds every page: where one can go, whether what one sees is current, who one is. */
import { useEffect, useState, type ReactNode } from "react";
import { useAlarmTotal } from "./live/alarms";
import { connectNow } from "./live/feed";
import { useLink, useNow, useSuccession } from "./live/hooks";
import { successionWords } from "./live/life";
import { store } from "./live/store";
import { Button } from "./parts/basics";
import { Icon, Logo } from "./parts/icons";
import { Dialog, Menu } from "./parts/overlays";
import { applyTheme, storedTheme, usePreference, type Theme } from "./parts/preferences";
import { Link, navigate, usePath } from "./router";
import { useSession } from "./session";
import { ago, clock, moment, zone } from "./words";

const PLACES: readonly (readonly [string, string])[] = [
  ["/", "Wall"],
  ["/alarms", "Alarms"],
  ["/events", "Events"],
  ["/processes", "Processes"],
  ["/system/doctor", "System"],
];

export function Shell({ children }: { children: ReactNode }) {
  const [help, setHelp] = useState(false);
  useShortcuts(() => setHelp(true));
  return (
    <>
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <header className="shell-head">
        <Link to="/" className="brand" aria-label="SRT Router: wall">
          <Logo />
          <span>SRT Router</span>
        </Link>
        <Navigation />
        <LinkSign />
        <Clock />
        <ThemeButton />
        <Button icon="question" kind="quiet" label="Keyboard shortcuts" onClick={() => setHelp(true)} />
        <UserMenu />
      </header>
      <LostBanner />
      <SuccessionBanner />
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      {help && <Shortcuts onClose={() => setHelp(false)} />}
    </>
  );
}

function Navigation() {
  const path = usePath();
  const alarms = useAlarmTotal();
  return (
    <nav className="shell-nav" aria-label="Pages">
      {PLACES.map(([to, words]) => {
        const root = `/${to.split("/")[1]}`;
        const here = root === "/" ? path === "/" || path.startsWith("/routes") : path.startsWith(root);
        return (
          <Link key={to} to={to} aria-current={here ? "page" : undefined}>
            {words}
            {to === "/alarms" && alarms > 0 && <b className="nav-count">{alarms}</b>}
          </Link>
        );
      })}
    </nav>
  );
}

/** Live or not, in a word and a shape. */
function LinkSign() {
  const { state } = useLink();
  const words = state === "live" ? "Live" : state === "connecting" ? "Connecting" : "Not live";
  return (
    <span className={`link-sign link-${state}`} role="status">
      <Icon name={state === "live" ? "link" : "unlink"} />
      <span className="link-words">{words}</span>
    </span>
  );
}

function Clock() {
  const now = useNow();
  return (
    <span className="shell-clock num" title="The time of this machine">
      {clock(now)} <span className="zone">{zone(now)}</span>
    </span>
  );
}

/** Says that what is seen is old, and how old, as long as the server is not heard. */
function LostBanner() {
  const link = useLink();
  const now = useNow(500);
  if (link.state !== "lost") return null;
  return (
    <div className="lost" role="alert">
      <Icon name="unlink" />
      <span>
        <b>Connection lost.</b> What you see is from {clock(link.heardAt)} <span className="zone">{zone()}</span>:{" "}
        <span className="num">{ago(now - link.heardAt)}</span> old. The routes may well be on air.
      </span>
      <Button onClick={connectNow}>Try now</Button>
    </div>
  );
}

/** Says once that another server has taken over, and what that did to the streams. */
function SuccessionBanner() {
  const found = useSuccession();
  return (
    <div role="status">
      {found && (
        <div className={`succession${found.kept < found.processes ? " succession-gap" : ""}`}>
          <Icon name="info" />
          <span>
            <b>{clock(found.startedAt - store.link.skewMs)}</b> <span className="zone">{zone()}</span> {successionWords(found)}
          </span>
          <Button onClick={store.forgetSuccession}>Understood</Button>
        </div>
      )}
    </div>
  );
}

const THEMES: Theme[] = ["system", "dark", "light"];

function ThemeButton() {
  const [theme, setTheme] = usePreference<Theme>("theme", "system");
  useEffect(() => {
    applyTheme(storedTheme());
    const query = matchMedia("(prefers-color-scheme: dark)");
    const follow = () => applyTheme(storedTheme());
    query.addEventListener("change", follow);
    return () => query.removeEventListener("change", follow);
  }, [theme]);
  return (
    <Menu
      label="Colours"
      icon={theme === "light" ? "sun" : "moon"}
      items={THEMES.map((one) => ({
        words: `${one === "system" ? "As the system" : one === "dark" ? "Dark" : "Light"}${one === theme ? " ✓" : ""}`,
        run: () => setTheme(one),
      }))}
    />
  );
}

function UserMenu() {
  const { me, signOut } = useSession();
  return (
    <Menu
      label={`Account of ${me.name}, ${me.role}`}
      icon="user"
      items={[
        { words: `${me.name} (${me.role}): account`, icon: "user", run: () => navigate("/account") },
        { words: "Import and export", icon: "upload", run: () => navigate("/routes/transfer") },
        { words: "API documentation", icon: "info", run: () => window.open("/docs", "_blank", "noopener") },
        { words: "Sign out", icon: "back", run: () => void signOut() },
      ]}
    >
      <span className="user-name">{me.name}</span>
    </Menu>
  );
}

const KEYS: readonly (readonly [string, string])[] = [
  ["/", "Search"],
  ["↑ ↓ or k j", "Choose a route on the wall"],
  ["Enter", "Open the chosen route"],
  ["n", "New route"],
  ["w", "Wall"],
  ["a", "Alarms"],
  ["e", "Events"],
  ["p", "Processes"],
  ["s", "System"],
  ["?", "This help"],
  ["Esc", "Close what is open"],
];

function Shortcuts({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose} narrow>
      <dl className="keys">
        {KEYS.map(([key, words]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
      <p className="dim">Times on every page are of this machine ({zone()}); now {moment(Date.now())}.</p>
    </Dialog>
  );
}

const GO: Record<string, string> = {
  n: "/routes/new",
  w: "/",
  a: "/alarms",
  e: "/events",
  p: "/processes",
  s: "/system/doctor",
};

function useShortcuts(help: () => void): void {
  const { may } = useSession();
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Escape" && target.matches("[data-search]")) return target.blur();
      if (target.closest("input, select, textarea, dialog, .menu-list")) return;
      if (event.key === "?") return help();
      if (event.key === "/") {
        event.preventDefault();
        const search = document.querySelector<HTMLInputElement>("[data-search]");
        if (search) return search.focus();
        navigate("/");
        requestAnimationFrame(() => document.querySelector<HTMLInputElement>("[data-search]")?.focus());
        return;
      }
      const to = GO[event.key];
      if (to && (event.key !== "n" || may("operator"))) navigate(to);
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [help, may]);
}
