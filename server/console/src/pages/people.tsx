import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ask, type User } from "../api";
import { all } from "../api";
import type { Store } from "../fences/model";
import { date } from "../format";
import { ROLE_NAMES, type PageProps } from "../shell";
import { asError, Badge, Button, complaint, Dialog, Failed, Field, Loading, Notice, say, useLoaded } from "../ui";

interface Account extends User {
  created_at: string;
  disabled_at: string | null;
}

const ROLE_HINTS: Record<User["role"], string> = {
  admin: "Stores, fences, offers, settings, accounts. No shopper’s record.",
  manager: "Fences and what happens, of the stores listed.",
  marketer: "Offers and what becomes of them. No fences, no shoppers.",
  analyst: "Reports in counts. Changes nothing.",
  privacy: "A shopper’s record, with a reason; the audit log.",
};

export default function People({ user }: PageProps): JSX.Element {
  const accounts = useLoaded(() => ask<{ items: Account[] }>("GET", "/v1/users"), []);
  const [adding, setAdding] = useState(false);
  const [password, setPassword] = useState<{ email: string; password: string } | null>(null);
  const [error, setError] = useState<Error | null>(null);

  const change = async (account: Account, body: Record<string, unknown>) => {
    setError(null);
    try {
      const answer = await ask<{ password?: string }>("PATCH", `/v1/users/${encodeURIComponent(account.user_id)}`, { body });
      if (answer.password) setPassword({ email: account.email, password: answer.password });
      else say(`${account.email} was changed and signed out`);
      accounts.again();
    } catch (failed) {
      setError(asError(failed));
    }
  };
  return (
    <div class="page">
      <div class="page-head">
        <div>
          <h1>People</h1>
          <p>Who may sign in, and as what. Every change ends the sessions of the account.</p>
        </div>
        <Button kind="primary" onClick={() => setAdding(true)}>Add somebody</Button>
      </div>
      {error && <Failed error={error} />}
      {accounts.error && <Failed error={accounts.error} again={accounts.again} />}
      {!accounts.value ? <Loading what="accounts" /> : (
        <div class="table-box" role="region" aria-label="Table" tabIndex={0}>
          <table>
            <thead><tr><th scope="col">Account</th><th scope="col">Role</th><th scope="col">Stores</th><th scope="col">Second factor</th><th scope="col">Since</th><th scope="col"><span class="visually-hidden">Actions</span></th></tr></thead>
            <tbody>
              {accounts.value.items.map((account) => (
                <tr key={account.user_id}>
                  <td>{account.email}{account.name && <div class="quiet-text small-text">{account.name}</div>}</td>
                  <td>{ROLE_NAMES[account.role]} {account.disabled_at && <Badge kind="bad">disabled</Badge>}</td>
                  <td>{account.role === "manager" ? account.stores?.join(", ") : "all"}</td>
                  <td>{account.totp ? <Badge kind="good">on</Badge> : <Badge kind="quiet">off</Badge>}</td>
                  <td>{date(account.created_at)}</td>
                  <td class="actions">
                    <Button small onClick={() => change(account, { reset_password: true })}>New password</Button>
                    {account.totp && <Button small onClick={() => change(account, { reset_totp: true })}>Reset second factor</Button>}
                    {account.user_id !== user.user_id && <Button small onClick={() => change(account, { disabled: !account.disabled_at })}>{account.disabled_at ? "Enable" : "Disable"}</Button>}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {adding && <Add close={() => setAdding(false)} added={(made) => { setAdding(false); setPassword(made); accounts.again(); }} />}
      {password && (
        <Dialog title="The password, this once" close={() => setPassword(null)}>
          <p>Give it to {password.email} by a safe way. Only a hash of it is kept.</p>
          <p><code class="secret">{password.password}</code></p>
          <div class="actions"><Button kind="primary" onClick={() => setPassword(null)}>I have it</Button></div>
        </Dialog>
      )}
    </div>
  );
}

function Add({ close, added }: { close: () => void; added: (made: { email: string; password: string }) => void }): JSX.Element {
  const stores = useLoaded(() => all<Store>("/v1/stores"), []);
  const [email, setEmail] = useState("");
  const [name, setName] = useState("");
  const [role, setRole] = useState<User["role"]>("manager");
  const [chosen, setChosen] = useState("");
  const [error, setError] = useState<Error | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    const bound = role === "manager" ? chosen.split(/[\s,;]+/).filter(Boolean) : [];
    try {
      added(await ask("POST", "/v1/users", { body: { email, name, role, stores: bound } }));
    } catch (failed) {
      setError(asError(failed));
      setBusy(false);
    }
  };
  const about = (field: string): string | null => {
    const message = error?.message ?? "";
    return message.startsWith(`${field}: `) ? sentence(message.slice(field.length + 2)) : complaint(error, field);
  };
  const other = error && !["email", "stores", "role", "name"].some((field) => about(field)) ? error.message : null;
  return (
    <Dialog title="Add somebody" close={close}>
      <form class="dialog-form" onSubmit={submit}>
        {other && <Notice kind="bad">{other}</Notice>}
        <Field label="E-mail" error={about("email")}>{(attributes) => <input {...attributes} type="email" required value={email} onInput={(e) => setEmail(e.currentTarget.value)} />}</Field>
        <Field label="Name" error={about("name")}>{(attributes) => <input {...attributes} value={name} onInput={(e) => setName(e.currentTarget.value)} />}</Field>
        <Field label="Role" hint={ROLE_HINTS[role]} error={about("role")}>
          {(attributes) => (
            <select {...attributes} value={role} onChange={(e) => setRole(e.currentTarget.value as User["role"])}>
              {Object.entries(ROLE_NAMES).map(([code, title]) => <option key={code} value={code}>{title}</option>)}
            </select>
          )}
        </Field>
        {role === "manager" && (
          <Field label="Stores" hint="Their ids, with commas between." error={about("stores")}>
            {(attributes) => (
              <>
                <input {...attributes} required list="all-stores" autocomplete="off" value={chosen} onInput={(e) => setChosen(e.currentTarget.value)} />
                <datalist id="all-stores">{stores.value?.map((store) => <option key={store.external_id} value={store.external_id}>{store.name}</option>)}</datalist>
              </>
            )}
          </Field>
        )}
        <div class="actions"><Button kind="primary" type="submit" busy={busy}>Add</Button><Button onClick={close}>Cancel</Button></div>
      </form>
    </Dialog>
  );
}

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
