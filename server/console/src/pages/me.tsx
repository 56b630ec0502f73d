import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ask } from "../api";
import { ROLE_NAMES, type PageProps } from "../shell";
import { asError, Badge, Button, complaint, Failed, Field, Notice, say } from "../ui";

export default function Me({ user, changed }: PageProps): JSX.Element {
  return (
    <div class="page">
      <div class="page-head">
        <div>
          <h1>Your account</h1>
          <p>{user.email} · {ROLE_NAMES[user.role]}{user.stores ? ` of ${user.stores.join(", ")}` : ""}</p>
        </div>
      </div>
      <div class="columns">
        <Password />
        <SecondFactor on={user.totp} changed={changed} />
      </div>
    </div>
  );
}

function Password(): JSX.Element {
  const [password, setPassword] = useState("");
  const [fresh, setFresh] = useState("");
  const [error, setError] = useState<Error | null>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    setError(null);
    try {
      await ask("PUT", "/v1/session/password", { body: { password, new_password: fresh } });
      setPassword("");
      setFresh("");
      say("The password is changed; you are signed out elsewhere");
    } catch (failed) {
      setError(asError(failed));
    }
  };
  const tooShort = error?.message.startsWith("password: ") ? "From 12 to 200 characters." : null;
  return (
    <form class="card" onSubmit={submit} aria-label="Password">
      <h2>Password</h2>
      {error && !tooShort && !complaint(error, "password") && <Failed error={error} />}
      <Field label="Present password" error={complaint(error, "password")}>{(attributes) => <input {...attributes} type="password" autocomplete="current-password" required value={password} onInput={(e) => setPassword(e.currentTarget.value)} />}</Field>
      <Field label="New password" hint="12 characters or more; a few words do well." error={tooShort}>{(attributes) => <input {...attributes} type="password" autocomplete="new-password" required value={fresh} onInput={(e) => setFresh(e.currentTarget.value)} />}</Field>
      <div class="actions"><Button kind="primary" type="submit">Change it</Button></div>
    </form>
  );
}

function SecondFactor({ on, changed }: { on: boolean; changed: () => void }): JSX.Element {
  const [begun, setBegun] = useState<{ secret: string; picture: string } | null>(null);
  const [code, setCode] = useState("");
  const [error, setError] = useState<Error | null>(null);
  const begin = async () => {
    setError(null);
    try {
      setBegun(await ask("POST", "/v1/session/totp"));
    } catch (failed) {
      setError(asError(failed));
    }
  };
  const confirm = async (event: Event) => {
    event.preventDefault();
    setError(null);
    try {
      await ask("PUT", "/v1/session/totp", { body: { code } });
      say("The second factor is on");
      setBegun(null);
      changed();
    } catch (failed) {
      setError(asError(failed));
    }
  };
  return (
    <section class="card" aria-label="Second factor">
      <h2>Second factor <Badge kind={on ? "good" : "quiet"}>{on ? "on" : "off"}</Badge></h2>
      {on ? (
        <p class="quiet-text">Signing in takes a code of your authenticator app as well. If the phone is lost, an admin can reset it.</p>
      ) : begun ? (
        <form class="dialog-form" onSubmit={confirm}>
          <p>Scan it with an authenticator app, or type <code class="secret">{begun.secret}</code>; then enter the code that it shows.</p>
          <img class="qr" src={begun.picture} alt="QR code with the secret" width="176" height="176" />
          <Field label="Code" error={complaint(error, "code")}>{(attributes) => <input {...attributes} inputMode="numeric" autocomplete="one-time-code" required value={code} onInput={(e) => setCode(e.currentTarget.value)} />}</Field>
          <div class="actions"><Button kind="primary" type="submit">Turn it on</Button></div>
        </form>
      ) : (
        <>
          <Notice kind="info">With it, a stolen password alone opens nothing.</Notice>
          {error && <Failed error={error} />}
          <div class="actions"><Button onClick={begin}>Set it up</Button></div>
        </>
      )}
    </section>
  );
}
