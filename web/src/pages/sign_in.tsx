/** Before anything else: who are you? */
import { useState, type FormEvent, type ReactNode } from "react";
import { get, post, sentence } from "../api/client";
import { Button, Field, Notice } from "../parts/basics";
import { Logo } from "../parts/icons";
import { navigate } from "../router";

function Door({ title, children }: { title: string; children: ReactNode }) {
  return (
    <main className="door">
      <div className="door-inside">
        <p className="door-brand">
          <Logo /> SRT Router
        </p>
        <h1>{title}</h1>
        {children}
      </div>
    </main>
  );
}

/** Where to go on after the sign-in: a page of this server, never another site. */
function goOn(): void {
  const next = new URLSearchParams(location.search).get("next");
  if (!next) {
    if (location.pathname === "/sign-in") navigate("/", { replace: true });
    return;
  }
  const target = new URL(next, location.origin);
  if (target.origin === location.origin) location.replace(target.href);
}

export function SignIn({ done }: { done: () => Promise<void> }) {
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    setBusy(true);
    setError(null);
    try {
      await post("/api/auth/login", { username: fields.get("username"), password: fields.get("password") });
      await get("/api/auth/me");
      goOn();
      await done();
    } catch (problem) {
      setError(sentence(problem));
      setBusy(false);
    }
  };
  return (
    <Door title="Sign in">
      <form onSubmit={(event) => void submit(event)} className="form-stack">
        <Field label="User">
          {(ids) => <input {...ids} name="username" autoComplete="username" autoCapitalize="none" required autoFocus />}
        </Field>
        <Field label="Password">
          {(ids) => <input {...ids} name="password" type="password" autoComplete="current-password" required />}
        </Field>
        {error && <Notice kind="bad">{error}</Notice>}
        <Button type="submit" kind="primary" busy={busy}>
          Sign in
        </Button>
      </form>
      <p className="dim door-help">
        The first administrator is <code>admin</code>; the password was printed at the first start of the server. It can
        be set anew on the machine itself: <code>srt-router users --help</code>.
      </p>
    </Door>
  );
}

export function ForcedPassword({ done }: { done: () => Promise<void> }) {
  return (
    <Door title="Choose a new password">
      <p className="dim">Your password was given to you by somebody else. Choose one that only you know.</p>
      <PasswordForm done={done} />
    </Door>
  );
}

export function PasswordForm({ done }: { done: () => Promise<void> | void }) {
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const fields = new FormData(form);
    if (fields.get("new") !== fields.get("again")) return setError("The two new passwords differ: type it again.");
    setBusy(true);
    setError(null);
    try {
      await post("/api/auth/password", { currentPassword: fields.get("current"), newPassword: fields.get("new") });
      form.reset();
      await done();
    } catch (problem) {
      setError(sentence(problem));
    }
    setBusy(false);
  };
  return (
    <form onSubmit={(event) => void submit(event)} className="form-stack">
      <Field label="Current password">
        {(ids) => <input {...ids} name="current" type="password" autoComplete="current-password" required />}
      </Field>
      <Field label="New password" hint="At least 8 characters, and not one that is easily guessed.">
        {(ids) => <input {...ids} name="new" type="password" autoComplete="new-password" minLength={8} required />}
      </Field>
      <Field label="New password, again">
        {(ids) => <input {...ids} name="again" type="password" autoComplete="new-password" required />}
      </Field>
      {error && <Notice kind="bad">{error}</Notice>}
      <Button type="submit" kind="primary" busy={busy}>
        Change the password
      </Button>
    </form>
  );
}

export function Unreachable({ why, retry }: { why: string; retry: () => Promise<void> }) {
  return (
    <Door title="The server cannot be reached">
      <Notice kind="bad">{why}</Notice>
      <p className="dim">Routes that are on air do not hang on this page. On the machine itself, srt-router ps shows them.</p>
      <Button kind="primary" onClick={() => void retry()}>
        Try again
      </Button>
    </Door>
  );
}
