/** The machine and the installation: doctor, users, tokens, backups, settings, about. */
import type { ReactNode } from "react";
import type { Role } from "../../api/types";
import { Empty } from "../../parts/basics";
import { Link } from "../../router";
import { useSession } from "../../session";
import { AboutPart } from "./about";
import { BackupsPart } from "./backups";
import { DoctorPart } from "./doctor";
import { SettingsPart } from "./settings";
import { TokensPart } from "./tokens";
import { UsersPart } from "./users";

interface Part {
  words: string;
  least: Role;
  page: () => ReactNode;
}

const PARTS: Record<string, Part> = {
  doctor: { words: "Doctor", least: "operator", page: () => <DoctorPart /> },
  users: { words: "Users", least: "administrator", page: () => <UsersPart /> },
  tokens: { words: "API tokens", least: "viewer", page: () => <TokensPart /> },
  backups: { words: "Backups", least: "administrator", page: () => <BackupsPart /> },
  settings: { words: "Settings", least: "operator", page: () => <SettingsPart /> },
  about: { words: "About", least: "viewer", page: () => <AboutPart /> },
};

export function SystemPage({ part }: { part: string }) {
  const { may } = useSession();
  const offered = Object.entries(PARTS).filter(([, one]) => may(one.least));
  const chosen = PARTS[part];
  const shown = chosen && !may(chosen.least) && part === "doctor" ? PARTS.about : chosen;
  return (
    <div className="page page-narrow">
      <h1 className="sr-only">System</h1>
      <nav className="subnav" aria-label="System">
        {offered.map(([key, one]) => (
          <Link key={key} to={`/system/${key}`} aria-current={one === shown ? "page" : undefined}>
            {one.words}
          </Link>
        ))}
      </nav>
      {!shown ? (
        <Empty title="There is no such page." />
      ) : may(shown.least) ? (
        shown.page()
      ) : (
        <Empty title={`This needs the role ${shown.least}.`} />
      )}
    </div>
  );
}
