import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ask, keepCsrf, onSessionOver, type Session } from "./api";
import { SignIn } from "./pages/signin";
import { followLinks, placeOf } from "./router";
import { preload, Shell } from "./shell";
import { asError, Failed, Loading, Toasts } from "./ui";

export function App(): JSX.Element {
  const [session, setSession] = useState<Session | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [over, setOver] = useState(false);

  const look = () => {
    setError(null);
    ask<Session>("GET", "/v1/session").then(begin, (failed: unknown) => setError(asError(failed)));
  };
  const begin = (next: Session) => {
    keepCsrf(next);
    setOver(false);
    setSession(next);
  };
  useEffect(() => {
    onSessionOver(() => {
      setOver(true);
      setSession({ user: null });
    });
    look();
    preload(placeOf(location.pathname).page);
    return followLinks();
  }, []);

  return (
    <>
      {error ? (
        <main class="alone"><Failed error={error} again={look} /></main>
      ) : session === null ? (
        <main class="alone"><Loading what="the console" /></main>
      ) : session.user === null ? (
        <SignIn begin={begin} over={over} />
      ) : (
        <Shell user={session.user} ground={{ layers: session.map ?? [], tiles: session.tiles ?? null }} changed={look} out={() => setSession({ user: null })} />
      )}
      <Toasts />
    </>
  );
}
