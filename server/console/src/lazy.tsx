// Pages are loaded when they are first shown: the sign-in need not wait for the map.
import type { ComponentType, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { asError, Failed, Loading } from "./ui";

export type Lazy<P> = ComponentType<P> & { preload: () => void };

/** A page that is loaded when it is first shown, or before, when it is known that it will be. */
export function lazy<P extends object>(load: () => Promise<{ default: ComponentType<P> }>): Lazy<P> {
  let loaded: ComponentType<P> | null = null;
  // A failure is told when the page is shown, which asks again.
  return Object.assign(function Lazy(props: P): JSX.Element {
    const [View, setView] = useState<ComponentType<P> | null>(() => loaded);
    const [error, setError] = useState<Error | null>(null);
    useEffect(() => {
      if (loaded) return;
      load().then(
        (module) => {
          loaded = module.default;
          setView(() => module.default);
        },
        (failed: unknown) => setError(asError(failed)),
      );
    }, []);
    if (error) return <Failed error={error} again={() => location.reload()} />;
    return View ? <View {...props} /> : <Loading what="the page" />;
  }, { preload: () => void load().catch(() => {}) });
}
