/** The console: who is signed in, what surrounds each page, and which page it is. */
import { lazy, Suspense, useEffect, type ReactNode } from "react";
import { OverlayProvider } from "./parts/overlays";
import { Empty } from "./parts/basics";
import { ForcedPassword, SignIn, Unreachable } from "./pages/sign_in";
import { WallPage } from "./pages/wall/wall";
import { Link, usePath } from "./router";
import { SessionProvider } from "./session";
import { Shell } from "./shell";

const RoutePage = lazy(() => import("./pages/route/route_page").then((m) => ({ default: m.RoutePage })));
const EditPage = lazy(() => import("./pages/edit/edit_page").then((m) => ({ default: m.EditPage })));
const TransferPage = lazy(() => import("./pages/transfer").then((m) => ({ default: m.TransferPage })));
const EventsPage = lazy(() => import("./pages/events").then((m) => ({ default: m.EventsPage })));
const AlarmsPage = lazy(() => import("./pages/alarms/alarms").then((m) => ({ default: m.AlarmsPage })));
const ProcessesPage = lazy(() => import("./pages/processes").then((m) => ({ default: m.ProcessesPage })));
const SystemPage = lazy(() => import("./pages/system/system").then((m) => ({ default: m.SystemPage })));
const AccountPage = lazy(() => import("./pages/account").then((m) => ({ default: m.AccountPage })));

export function App() {
  return (
    <OverlayProvider>
      <SessionProvider
        signedOut={(done) => <SignIn done={done} />}
        mustChange={(done) => <ForcedPassword done={done} />}
        unreachable={(why, retry) => <Unreachable why={why} retry={retry} />}
      >
        <Shell>
          <Page />
        </Shell>
      </SessionProvider>
    </OverlayProvider>
  );
}

function Page() {
  const path = usePath();
  const [title, page] = pageOf(path);
  useEffect(() => {
    document.title = `${title} · SRT Router`;
  }, [title]);
  return <Suspense fallback={<p className="page dim">Loading…</p>}>{page}</Suspense>;
}

function pageOf(path: string): [string, ReactNode] {
  const [first = "", second, third] = path.split("/").filter(Boolean);
  switch (first) {
    case "":
    case "sign-in":
      return ["Wall", <WallPage />];
    case "routes":
      if (second === "new") return ["New route", <EditPage key="new" id={null} />];
      if (second === "transfer") return ["Import and export", <TransferPage />];
      if (second && third === "edit") return ["Edit", <EditPage key={second} id={second} />];
      if (second && !third) return ["Route", <RoutePage key={second} id={second} />];
      break;
    case "events":
      return ["Events", <EventsPage />];
    case "alarms":
      return ["Alarms", <AlarmsPage />];
    case "processes":
      return ["Processes", <ProcessesPage />];
    case "system":
      return ["System", <SystemPage part={second ?? "doctor"} />];
    case "account":
      return ["Account", <AccountPage />];
  }
  return [
    "Not found",
    <Empty title="There is no such page.">
      <p>
        <Link to="/">Go to the wall</Link>
      </p>
    </Empty>,
  ];
}
