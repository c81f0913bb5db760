/** Sign-ins for scripts. */
import { useState } from "react";
import { del, post } from "../../api/client";
import type { Items, Token } from "../../api/types";
import { Button, Card, CopyButton, Empty, Field, Notice, Time } from "../../parts/basics";
import { Dialog, useOverlays } from "../../parts/overlays";
import { useQuery } from "../../parts/use_query";
import { useSession } from "../../session";
import { UNKNOWN, zone } from "../../words";
import { ROLES, useForm } from "./users";

export function TokensPart() {
  const { ask, tell, complain } = useOverlays();
  const { data, error, reload } = useQuery<Items<Token>>("/api/tokens");
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState<string | null>(null);
  const remove = async (token: Token) => {
    const yes = await ask({
      title: `Delete the token ${token.name}?`,
      body: "Whatever script uses it is refused from now on.",
      confirm: "Delete the token",
      danger: true,
    });
    if (!yes) return;
    try {
      await del(`/api/tokens/${token.id}`);
      tell(`${token.name} was deleted.`);
    } catch (problem) {
      complain(problem);
    }
    await reload();
  };
  return (
    <Card
      title="API tokens"
      aside={
        <Button icon="plus" kind="primary" onClick={() => setAdding(true)}>
          Make a token
        </Button>
      }
    >
      {error && <Notice kind="bad">{error}</Notice>}
      {made && (
        <Notice kind="good">
          <p>This is the token. It is shown this once: copy it now.</p>
          <p className="secret-once">{made}</p>
          <CopyButton text={made} what="the token" />
        </Notice>
      )}
      {data?.items.length === 0 ? (
        <Empty title="There is no token yet.">
          <p>
            A script sends one as <code>Authorization: Bearer …</code>
          </p>
        </Empty>
      ) : (
        <div className="scroll-x" tabIndex={0} role="region" aria-label="API tokens">
          <table className="table">
            <thead>
              <tr>
                <th>Name</th>
                <th>Role</th>
                <th>Of</th>
                <th>Made</th>
                <th>Expires</th>
                <th>Last used</th>
                <th>
                  <span className="sr-only">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {(data?.items ?? []).map((token) => (
                <tr key={token.id}>
                  <th scope="row">{token.name}</th>
                  <td>{token.role}</td>
                  <td>{token.user ?? "the machine"}</td>
                  <td>
                    <Time at={token.createdAt} />
                  </td>
                  <td>{token.expiresAt === null ? "never" : <Time at={token.expiresAt} />}</td>
                  <td>
                    <Time at={token.usedAt} /> <span className="mono dim">{token.usedFrom ?? (token.usedAt ? UNKNOWN : "")}</span>
                  </td>
                  <td className="row-actions">
                    <Button icon="trash" kind="quiet" label={`Delete ${token.name}`} onClick={() => void remove(token)} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {adding && (
        <AddToken
          onClose={() => setAdding(false)}
          done={(secret) => {
            setMade(secret);
            setAdding(false);
            void reload();
          }}
        />
      )}
    </Card>
  );
}

function AddToken({ onClose, done }: { onClose: () => void; done: (secret: string) => void }) {
  const { may } = useSession();
  const { errors, trouble, busy, submit } = useForm(async (fields) => {
    const until = String(fields.get("expires") ?? "");
    const { token } = await post<{ token: string }>("/api/tokens", {
      name: fields.get("name"),
      role: fields.get("role"),
      expiresAt: until ? new Date(until).getTime() : null,
    });
    done(token);
  });
  return (
    <Dialog title="Make an API token" onClose={onClose} narrow>
      <form className="form-stack" onSubmit={submit}>
        <Field label="Name" hint="What it is for." error={errors.name}>
          {(ids) => <input {...ids} name="name" autoComplete="off" required autoFocus />}
        </Field>
        <Field label="Role" hint="What it may do at most; never more than you may." error={errors.role}>
          {(ids) => (
            <select {...ids} name="role" defaultValue="viewer">
              {ROLES.filter(([role]) => may(role)).map(([role, words]) => (
                <option key={role} value={role}>
                  {words}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label={`Expires (${zone()})`} hint="Empty: never." error={errors.expiresAt}>
          {(ids) => <input {...ids} name="expires" type="datetime-local" />}
        </Field>
        {trouble && <Notice kind="bad">{trouble}</Notice>}
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={busy}>
            Make the token
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
