import { useEffect, useState } from "preact/hooks";

// Addresses below /console/ are the pages' own: `/console/fences/door` is page `fences`, rest `door`.
const BASE = "/console/";

export interface Place {
  page: string;
  rest: string;
}

export function placeOf(pathname: string): Place {
  const [page = "", ...rest] = pathname.slice(BASE.length).split("/");
  return { page, rest: decodeURIComponent(rest.join("/")) };
}

export const address = (page: string, rest = ""): string => BASE + page + (rest ? `/${encodeURIComponent(rest)}` : "");

let leaving: (() => boolean) | null = null;

/** Asked before another page is shown; a page with unsaved work may say no. */
export function guardLeaving(mayLeave: (() => boolean) | null): void {
  leaving = mayLeave;
}

export function go(page: string, rest = "", replace = false): void {
  if (leaving && placeOf(location.pathname).page !== page && !leaving()) return;
  history[replace ? "replaceState" : "pushState"](null, "", address(page, rest));
  dispatchEvent(new PopStateEvent("popstate"));
}

export function usePlace(): Place {
  const [place, setPlace] = useState(placeOf(location.pathname));
  useEffect(() => {
    const moved = () => setPlace(placeOf(location.pathname));
    addEventListener("popstate", moved);
    return () => removeEventListener("popstate", moved);
  }, []);
  return place;
}

/** Lets plain links move within the page. */
export function followLinks(): () => void {
  const clicked = (event: MouseEvent) => {
    const link = (event.target as Element | null)?.closest?.("a");
    const href = link?.getAttribute("href");
    if (!href?.startsWith(BASE) || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    const { page, rest } = placeOf(href);
    go(page, rest);
  };
  addEventListener("click", clicked);
  return () => removeEventListener("click", clicked);
}
