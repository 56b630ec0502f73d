import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ask } from "../api";
import { date, words } from "../format";
import { asError, Badge, Button, complaint, Dialog, Empty, Failed, Field, Loading, say, useLoaded } from "../ui";

interface Key {
  id: string;
  kind: string;
  store: string | null;
  created_at: string;
  revoked_at: string | null;
}

interface Made {
  kind: string;
  key: string;
  /** The one that it is to replace. */
  instead: Key | null;
}

/** The retailer's keys: made, replaced and revoked. */
export function Keys(): JSX.Element {
  const keys = useLoaded(() => ask<{ items: Key[] }>("GET", "/v1/keys"), []);
  const [kind, setKind] = useState("server");
  const [store, setStore] = useState("");
  const [made, setMade] = useState<Made | null>(null);
  const [ending, setEnding] = useState<Key | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const attempt = async (work: () => Promise<void>) => {
    setError(null);
    try {
      await work();
      keys.again();
    } catch (failed) {
      setError(asError(failed));
    }
  };
  const make = (wanted: { kind: string; store: string | null }, instead: Key | null) =>
    attempt(async () => {
      const { kind, key } = await ask<{ kind: string; key: string }>("POST", "/v1/keys", { body: { kind: wanted.kind, ...(wanted.store ? { store: wanted.store } : {}) } });
      setMade({ kind, key, instead });
    });
  const add = (event: Event) => {
    event.preventDefault();
    void make({ kind, store: kind === "till" ? store : null }, null);
  };
  const seen = (instead: Key | null) => {
    setMade(null);
    setEnding(instead);
  };
  const revoke = (key: Key) => {
    setEnding(null);
    void attempt(async () => {
      await ask("DELETE", `/v1/keys/${key.id}`);
      say("The key is revoked");
    });
  };
  return (
    <section class="stack" aria-label="Keys">
      <div>
        <h2>Keys</h2>
        <p class="quiet-text">To rotate one: replace it, put the new one where the old one is, then revoke that.</p>
      </div>
      {error && !complaint(error, "store") && <Failed error={error} />}
      <form class="card" onSubmit={add} aria-label="Make a key">
        <div class="row">
          <Field label="Kind">
            {(attributes) => (
              <select {...attributes} value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
                <option value="app">App: public, registers devices</option>
                <option value="server">Server: everything</option>
                <option value="till">Till: redeems</option>
              </select>
            )}
          </Field>
          {kind === "till" && <Field label="Store" hint="Its id; empty: every store." error={complaint(error, "store")}>{(attributes) => <input {...attributes} value={store} onInput={(event) => setStore(event.currentTarget.value)} />}</Field>}
        </div>
        <div class="actions"><Button kind="primary" type="submit">Make a key</Button></div>
      </form>
      {!keys.value ? <Loading what="keys" /> : keys.value.items.length ? <Table keys={keys.value.items} replace={(key) => make(key, key)} revoke={setEnding} /> : <Empty title="No keys" />}
      {made && (
        <Dialog title={`The ${made.kind} key, this once`} close={() => setMade(null)}>
          <p>Only a hash of it is kept.{made.instead && ` ${made.instead.id} works until it is revoked.`}</p>
          <p><code class="secret">{made.key}</code></p>
          <div class="actions">
            <Button kind="primary" onClick={() => setMade(null)}>I have it</Button>
            {made.instead && <Button onClick={() => seen(made.instead)}>It is in place: revoke the old one</Button>}
          </div>
        </Dialog>
      )}
      {ending && (
        <Dialog title={`Revoke ${ending.kind} key ${ending.id}?`} close={() => setEnding(null)}>
          <p>Whoever uses it is refused within 5 s.</p>
          <div class="actions">
            <Button kind="danger" onClick={() => revoke(ending)}>Revoke</Button>
            <Button onClick={() => setEnding(null)}>Keep it</Button>
          </div>
        </Dialog>
      )}
    </section>
  );
}

function Table({ keys, replace, revoke }: { keys: Key[]; replace: (key: Key) => void; revoke: (key: Key) => void }): JSX.Element {
  return (
    <div class="table-box" role="region" aria-label="Table" tabIndex={0}>
      <table>
        <thead><tr><th scope="col">Key</th><th scope="col">Kind</th><th scope="col">Store</th><th scope="col">Made</th><th scope="col">State</th><th scope="col"><span class="visually-hidden">Actions</span></th></tr></thead>
        <tbody>
          {keys.map((key) => (
            <tr key={key.id}>
              <td><code>{key.id}</code></td>
              <td>{words(key.kind)}</td>
              <td>{key.store ?? "all"}</td>
              <td class="number time">{date(key.created_at)}</td>
              <td>{key.revoked_at ? <Badge kind="quiet">revoked {date(key.revoked_at)}</Badge> : <Badge kind="good">in use</Badge>}</td>
              <td class="actions">{!key.revoked_at && <><Button small onClick={() => replace(key)}>Replace</Button><Button small onClick={() => revoke(key)}>Revoke</Button></>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
