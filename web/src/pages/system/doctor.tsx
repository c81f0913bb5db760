/** What is wrong with this machine or this installation, and what to do about it. */
import type { Diagnosis } from "../../api/types";
import { Button, Card, Notice } from "../../parts/basics";
import { Icon, type IconName } from "../../parts/icons";
import { useQuery } from "../../parts/use_query";

type Check = Diagnosis["items"][number];

const STATES: Record<Check["state"], [IconName, string, string]> = {
  ok: ["link", "up", "Good"],
  warn: ["bell", "note", "Warning"],
  fail: ["close", "down", "Fault"],
};
const ORDER: Check["state"][] = ["fail", "warn", "ok"];

export function DoctorPart() {
  const { data, error, loading, reload } = useQuery<Diagnosis>("/api/doctor");
  const items = [...(data?.items ?? [])].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
  return (
    <Card
      title="Doctor"
      aside={
        <Button icon="restart" busy={loading} onClick={() => void reload()}>
          Examine again
        </Button>
      }
    >
      {error && <Notice kind="bad">{error}</Notice>}
      {!data && loading && <p className="dim">Examining the machine…</p>}
      {data && (
        <p>
          <b>{data.fail}</b> faults, <b>{data.warn}</b> warnings, <b>{data.ok}</b> good
        </p>
      )}
      <ul className="checks">
        {items.map((check) => {
          const [icon, kind, words] = STATES[check.state];
          return (
            <li key={check.name} className="check-item">
              <span className={kind === "note" ? "severity severity-warning" : `connection connection-${kind}`}>
                <Icon name={icon} /> {words}
              </span>
              <div>
                <b>{check.name}</b> {check.message}
                {check.remedy && check.state !== "ok" && <p className="remedy">{check.remedy}</p>}
              </div>
            </li>
          );
        })}
      </ul>
    </Card>
  );
}
