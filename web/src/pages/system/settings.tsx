/** The settings that count. They are set on the machine, and shown here. */
import type { Items, Setting } from "../../api/types";
import { Card, Notice } from "../../parts/basics";
import { useQuery } from "../../parts/use_query";

/** What is said of a setting that has no value to show. */
function absent({ secret, value }: Setting): string | null {
  if (secret) return "secret";
  if (value === null) return "not set";
  return value === "" ? "none" : null;
}

export function SettingsPart() {
  const { data, error } = useQuery<Items<Setting>>("/api/settings");
  return (
    <Card title="Settings">
      <p className="dim">
        They come from the settings file and from the environment (SRT_ROUTER_…), and count from the start of the server.
      </p>
      {error && <Notice kind="bad">{error}</Notice>}
      <div className="scroll-x" tabIndex={0} role="region" aria-label="Settings">
        <table className="table table-tight">
          <thead>
            <tr>
              <th>Setting</th>
              <th>Value</th>
            </tr>
          </thead>
          <tbody>
            {(data?.items ?? []).map((setting) => (
              <tr key={setting.key}>
                <th scope="row" className="mono">
                  {setting.key}
                </th>
                <td className="mono">{absent(setting) ? <span className="dim">{absent(setting)}</span> : String(setting.value)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}
