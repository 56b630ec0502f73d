import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, Problem, type Session } from "../api";
import { asError, Button, complaint, Field, Notice } from "../ui";

export function SignIn({ begin, over }: { begin: (session: Session) => void; over: boolean }): JSX.Element {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [wantsCode, setWantsCode] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const codeInput = useRef<HTMLInputElement>(null);

  useEffect(() => {
    document.title = "Sign in · Vicino";
  }, []);
  useEffect(() => codeInput.current?.focus(), [wantsCode]);

  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      begin(await ask<Session>("POST", "/v1/session", { body: { email, password, ...(wantsCode ? { code } : {}) } }));
    } catch (failed) {
      const problem = asError(failed);
      if (problem instanceof Problem && problem.code === "code_required") setWantsCode(true);
      else setError(problem);
      setBusy(false);
    }
  };
  const onField = complaint(error, "email", "password", "code");
  return (
    <main class="sign-in">
      <form onSubmit={submit} aria-labelledby="sign-in-title">
        <img src="/console/icon.svg" alt="" width="40" height="40" />
        <h1 id="sign-in-title">Sign in to Vicino</h1>
        {over && <Notice kind="info">Your session has ended. Sign in again; nothing was lost that was saved.</Notice>}
        {error && !onField && <Notice kind="bad">{error.message}</Notice>}
        <Field label="E-mail" error={complaint(error, "email")}>
          {(attributes) => (
            <input {...attributes} type="email" autocomplete="username" required autofocus value={email} onInput={(e) => setEmail(e.currentTarget.value)} />
          )}
        </Field>
        <Field label="Password" error={complaint(error, "password")}>
          {(attributes) => (
            <input {...attributes} type="password" autocomplete="current-password" required value={password} onInput={(e) => setPassword(e.currentTarget.value)} />
          )}
        </Field>
        {wantsCode && (
          <Field label="Code" hint="Six digits, from your authenticator app" error={complaint(error, "code")}>
            {(attributes) => (
              <input {...attributes} ref={codeInput} inputMode="numeric" autocomplete="one-time-code" required value={code} onInput={(e) => setCode(e.currentTarget.value)} />
            )}
          </Field>
        )}
        <Button kind="primary" type="submit" busy={busy}>{busy ? "Signing in …" : "Sign in"}</Button>
        <p class="hint">No account? Ask an admin for one.</p>
      </form>
    </main>
  );
}
