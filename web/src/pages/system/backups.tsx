/** gateway.db and routes.json of earlier moments. */
import { useState } from "react";
import { del, post } from "../../api/client";
import type { Backup, Items, Restored, Verification } from "../../api/types";
import { Button, Card, Empty, Notice, Time } from "../../parts/basics";
import { Menu, useOverlays } from "../../parts/overlays";
import { useQuery } from "../../parts/use_query";
import { bytes, moment, plural, zone } from "../../words";

export function BackupsPart() {
  const { ask, tell, complain } = useOverlays();
  const { data, error, reload } = useQuery<Items<Backup>>("/api/backups");
  const [busy, setBusy] = useState(false);
  const attempt = async (act: () => Promise<string>) => {
    setBusy(true);
    try {
      tell(await act());
    } catch (problem) {
      complain(problem);
    }
    setBusy(false);
    await reload();
  };
  const verify = (backup: Backup) =>
    attempt(async () => {
      const found = await post<Verification>(`/api/backups/${backup.name}/verify`);
      if (!found.ok) throw new Error(`This backup cannot be restored: ${found.problems.join("; ")}`);
      return `It is good: ${plural(found.routes ?? 0, "route")}, ${plural(found.users ?? 0, "user")}, ${plural(found.events ?? 0, "event")}.`;
    });
  const restore = async (backup: Backup) => {
    const yes = await ask({
      title: `Restore the backup of ${moment(backup.createdAt)} ${zone(backup.createdAt)}?`,
      body: "Routes, users, tokens, history and events become what they were then. What is there now is backed up first. Only routes that differ leave the air.",
      confirm: "Restore",
      danger: true,
    });
    if (!yes) return;
    await attempt(async () => {
      const done = await post<Restored>(`/api/backups/${backup.name}/restore`);
      return `Restored: ${done.added?.length ?? 0} routes are back, ${done.changed?.length ?? 0} changed, ${done.removed?.length ?? 0} removed.`;
    });
  };
  const remove = async (backup: Backup) => {
    const yes = await ask({
      title: `Remove the backup of ${moment(backup.createdAt)} ${zone(backup.createdAt)}?`,
      confirm: "Remove the backup",
      danger: true,
    });
    if (yes) await attempt(async () => (await del(`/api/backups/${backup.name}`), "The backup was removed."));
  };
  return (
    <Card
      title="Backups"
      aside={
        <Button
          icon="plus"
          kind="primary"
          busy={busy}
          onClick={() => void attempt(async () => `Made: ${(await post<Backup>("/api/backups")).name}`)}
        >
          Make a backup now
        </Button>
      }
    >
      <p className="dim">One is made each night. A backup holds every passphrase: keep what you download safe.</p>
      {error && <Notice kind="bad">{error}</Notice>}
      {data?.items.length === 0 ? (
        <Empty title="There is no backup yet." />
      ) : (
        <div className="scroll-x scroll-menus" tabIndex={0} role="region" aria-label="Backups">
          <table className="table">
            <thead>
              <tr>
                <th>Made</th>
                <th>Name</th>
                <th className="num">Size</th>
                <th>
                  <span className="sr-only">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {(data?.items ?? []).map((backup) => (
                <tr key={backup.name}>
                  <th scope="row">
                    <Time at={backup.createdAt} />
                  </th>
                  <td className="mono">{backup.name}</td>
                  <td className="num">{bytes(backup.size)}</td>
                  <td className="row-actions">
                    <Button busy={busy} onClick={() => void verify(backup)}>
                      Verify
                    </Button>
                    <Menu
                      label={`Actions for ${backup.name}`}
                      items={[
                        { words: "Download the database", icon: "download", run: () => location.assign(`/api/backups/${backup.name}`) },
                        { words: "Download routes.json", icon: "download", run: () => location.assign(`/api/backups/${backup.routesName}`) },
                        { words: "Restore…", icon: "restart", danger: true, run: () => void restore(backup) },
                        { words: "Remove…", icon: "trash", danger: true, run: () => void remove(backup) },
                      ]}
                    />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
}
