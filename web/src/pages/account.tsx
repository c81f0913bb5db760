/** One's own account: password and sessions. */
import { del } from "../api/client";
import type { Items, Session } from "../api/types";
import { Button, Card, Notice, Time } from "../parts/basics";
import { useOverlays } from "../parts/overlays";
import { useQuery } from "../parts/use_query";
import { useSession } from "../session";
import { UNKNOWN } from "../words";
import { PasswordForm } from "./sign_in";

export function AccountPage() {
  const { me, signOut } = useSession();
  const { tell } = useOverlays();
  return (
    <div className="page page-narrow">
      <header className="page-head">
        <h1>{me.name}</h1>
        <Button icon="back" onClick={() => void signOut()}>
          Sign out
        </Button>
      </header>
      <Card title="Role">
        <p>
          <b>{me.role}</b>:{" "}
          {me.role === "viewer"
            ? "looks at everything but secrets."
            : me.role === "operator"
              ? "looks, changes routes, and puts them on and off air."
              : "may do everything."}
        </p>
      </Card>
      <Card title="Change password">
        <PasswordForm done={() => tell("The password was changed; all your other sessions have ended.")} />
      </Card>
      <Sessions />
    </div>
  );
}

function Sessions() {
  const { ask, tell, complain } = useOverlays();
  const { me } = useSession();
  const { data, error, reload } = useQuery<Items<Session>>("/api/auth/sessions", 15_000);
  const sessions = data?.items ?? [];
  const end = async (path: string, title: string, done: string) => {
    if (!(await ask({ title, confirm: "End", danger: true }))) return;
    try {
      await del(path);
      tell(done);
      await reload();
    } catch (problem) {
      complain(problem);
    }
  };
  return (
    <Card
      title="Sessions"
      aside={
        sessions.filter((one) => one.user === me.name).length > 1 && (
          <Button
            onClick={() => void end("/api/auth/sessions", "End all your other sessions?", "Your other sessions have ended.")}
          >
            End all my others
          </Button>
        )
      }
    >
      {error && <Notice kind="bad">{error}</Notice>}
      <div className="scroll-x" tabIndex={0} role="region" aria-label="Sessions">
        <table className="table">
          <thead>
            <tr>
              <th>User</th>
              <th>From</th>
              <th>Browser or program</th>
              <th>Signed in</th>
              <th>Last used</th>
              <th>
                <span className="sr-only">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {sessions.map((one) => (
              <tr key={one.id}>
                <td>
                  {one.user} {one.current && <span className="tag">this one</span>}
                </td>
                <td className="mono">{one.address ?? UNKNOWN}</td>
                <td className="dim">{one.client}</td>
                <td>
                  <Time at={one.createdAt} />
                </td>
                <td>
                  <Time at={one.seenAt} />
                </td>
                <td>
                  {!one.current && (
                    <Button
                      kind="danger"
                      onClick={() =>
                        void end(`/api/auth/sessions/${one.id}`, `End the session of ${one.user} from ${one.address ?? "an unknown place"}?`, "The session has ended.")
                      }
                    >
                      End
                    </Button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}
