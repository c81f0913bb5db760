/** Who can sign in. */
import { useState, type FormEvent } from "react";
import { ApiError, del, post, request, sentence } from "../../api/client";
import type { Items, Role, User } from "../../api/types";
import { Button, Card, Field, Notice, Time } from "../../parts/basics";
import { Dialog, Menu, useOverlays } from "../../parts/overlays";
import { useQuery } from "../../parts/use_query";
import { useSession } from "../../session";
import { byField } from "../edit/draft";
import { Check } from "../edit/route_form";

export const ROLES: readonly (readonly [Role, string])[] = [
  ["viewer", "Viewer: looks at everything but secrets"],
  ["operator", "Operator: also changes routes, puts them on and off air"],
  ["administrator", "Administrator: everything"],
];

export function UsersPart() {
  const { data, error, reload } = useQuery<Items<User>>("/api/users");
  const [adding, setAdding] = useState(false);
  const [setting, setSetting] = useState<User | null>(null);
  return (
    <Card
      title="Users"
      aside={
        <Button icon="plus" kind="primary" onClick={() => setAdding(true)}>
          Add a user
        </Button>
      }
    >
      {error && <Notice kind="bad">{error}</Notice>}
      <div className="scroll-x scroll-menus" tabIndex={0} role="region" aria-label="Users">
        <table className="table">
          <thead>
            <tr>
              <th>Name</th>
              <th>Role</th>
              <th>Last sign-in</th>
              <th className="num">Sessions</th>
              <th>
                <span className="sr-only">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {(data?.items ?? []).map((user) => (
              <Row key={user.name} user={user} reload={reload} setPassword={() => setSetting(user)} />
            ))}
          </tbody>
        </table>
      </div>
      {adding && <AddUser onClose={() => setAdding(false)} done={reload} />}
      {setting && <SetPassword user={setting} onClose={() => setSetting(null)} done={reload} />}
    </Card>
  );
}

function Row({ user, reload, setPassword }: { user: User; reload: () => Promise<void>; setPassword: () => void }) {
  const { ask, tell, complain } = useOverlays();
  const { me } = useSession();
  const attempt = async (act: () => Promise<unknown>, done: string) => {
    try {
      await act();
      tell(done);
    } catch (error) {
      complain(error);
    }
    await reload();
  };
  const patch = (body: Partial<User>, done: string) => attempt(() => request("PATCH", `/api/users/${user.name}`, { body }), done);
  const remove = async () => {
    const yes = await ask({
      title: `Remove the user ${user.name}?`,
      body: "All sessions and API tokens of the user end.",
      confirm: "Remove the user",
      danger: true,
    });
    if (yes) await attempt(() => del(`/api/users/${user.name}`), `${user.name} was removed.`);
  };
  return (
    <tr>
      <th scope="row">
        {user.name} {user.name === me.name && <span className="tag">you</span>}{" "}
        {user.disabled && <span className="tag">disabled</span>}
        {user.mustChangePassword && <span className="tag">must change the password</span>}
      </th>
      <td>
        <select
          aria-label={`Role of ${user.name}`}
          value={user.role}
          onChange={(event) =>
            void patch({ role: event.target.value as Role }, `${user.name} has the role ${event.target.value} now.`)
          }
        >
          {ROLES.map(([role]) => (
            <option key={role}>{role}</option>
          ))}
        </select>
      </td>
      <td>
        <Time at={user.lastSignInAt} />
      </td>
      <td className="num">{user.sessions}</td>
      <td className="row-actions">
        <Menu
          label={`Actions for ${user.name}`}
          items={[
            { words: "Set a password…", icon: "edit", run: setPassword },
            {
              words: user.disabled ? "Enable" : "Disable",
              icon: user.disabled ? "play" : "stop",
              run: () =>
                void patch({ disabled: !user.disabled }, `${user.name} can ${user.disabled ? "sign in again" : "no longer sign in"}.`),
            },
            { words: "Remove…", icon: "trash", danger: true, run: () => void remove() },
          ]}
        />
      </td>
    </tr>
  );
}

function AddUser({ onClose, done }: { onClose: () => void; done: () => Promise<void> }) {
  const { tell } = useOverlays();
  const [must, setMust] = useState(true);
  const { errors, trouble, busy, submit } = useForm(async (fields) => {
    const user = await post<User>("/api/users", {
      name: fields.get("name"),
      role: fields.get("role"),
      password: fields.get("password"),
      mustChangePassword: must,
    });
    tell(`${user.name} can sign in.`);
    await done();
    onClose();
  });
  return (
    <Dialog title="Add a user" onClose={onClose} narrow>
      <form className="form-stack" onSubmit={submit}>
        <Field label="Name" error={errors.name}>
          {(ids) => <input {...ids} name="name" autoComplete="off" autoCapitalize="none" required autoFocus />}
        </Field>
        <Field label="Role">
          {(ids) => (
            <select {...ids} name="role" defaultValue="viewer">
              {ROLES.map(([role, words]) => (
                <option key={role} value={role}>
                  {words}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label="First password" error={errors.password}>
          {(ids) => <input {...ids} name="password" type="password" autoComplete="new-password" minLength={8} required />}
        </Field>
        <Check label="Must be changed at the first sign-in" checked={must} onChange={setMust} />
        {trouble && <Notice kind="bad">{trouble}</Notice>}
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={busy}>
            Add the user
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function SetPassword({ user, onClose, done }: { user: User; onClose: () => void; done: () => Promise<void> }) {
  const { tell } = useOverlays();
  const { errors, trouble, busy, submit } = useForm(async (fields) => {
    await request("PATCH", `/api/users/${user.name}`, {
      body: { password: fields.get("password"), mustChangePassword: true },
    });
    tell(`The password of ${user.name} was set; it must be changed at the next sign-in.`);
    await done();
    onClose();
  });
  return (
    <Dialog title={`Set a password for ${user.name}`} onClose={onClose} narrow>
      <form className="form-stack" onSubmit={submit}>
        <p className="dim">All sessions of {user.name} end.</p>
        <Field label="New password" error={errors.password}>
          {(ids) => (
            <input {...ids} name="password" type="password" autoComplete="new-password" minLength={8} required autoFocus />
          )}
        </Field>
        {trouble && <Notice kind="bad">{trouble}</Notice>}
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={busy}>
            Set the password
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** A form that is sent as it is, with the server's messages at its fields. */
export function useForm(send: (fields: FormData) => Promise<void>) {
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [trouble, setTrouble] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    setBusy(true);
    setErrors({});
    setTrouble(null);
    send(new FormData(event.currentTarget))
      .catch((error: unknown) => {
        const found = error instanceof ApiError ? byField(error.errors) : {};
        setErrors(found);
        if (!Object.keys(found).length) setTrouble(sentence(error));
      })
      .finally(() => setBusy(false));
  };
  return { errors, trouble, busy, submit };
}
