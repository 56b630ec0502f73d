import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ask, type User } from "./api";
import { Icon, type IconName } from "./icons";
import { type Lazy, lazy } from "./lazy";
import type { Ground } from "./map/base";
import { address, go, usePlace } from "./router";
import { Tour } from "./tour";
import { Empty } from "./ui";

export interface PageProps {
  user: User;
  ground: Ground;
  rest: string;
  changed: () => void;
}

interface Entry {
  page: string;
  title: string;
  icon: IconName;
  roles: User["role"][];
  view: Lazy<PageProps>;
}

// Which pages a role has; the server decides by its own table what each may do.
const PAGES: Entry[] = [
  { page: "fences", title: "Stores & fences", icon: "fence", roles: ["admin", "manager"], view: lazy(() => import("./pages/fences")) },
  { page: "live", title: "Live", icon: "live", roles: ["admin", "manager", "marketer"], view: lazy(() => import("./pages/live")) },
  { page: "offers", title: "Offers", icon: "offer", roles: ["admin", "marketer", "manager", "analyst"], view: lazy(() => import("./pages/offers")) },
  { page: "reports", title: "Reports", icon: "report", roles: ["admin", "marketer", "analyst"], view: lazy(() => import("./pages/reports")) },
  { page: "whatif", title: "What if", icon: "whatif", roles: ["admin", "marketer"], view: lazy(() => import("./pages/whatif")) },
  { page: "privacy", title: "Privacy desk", icon: "privacy", roles: ["privacy"], view: lazy(() => import("./pages/privacy")) },
  { page: "audit", title: "Audit log", icon: "audit", roles: ["admin", "privacy"], view: lazy(() => import("./pages/audit")) },
  { page: "people", title: "People", icon: "people", roles: ["admin"], view: lazy(() => import("./pages/people")) },
  { page: "operator", title: "Operator", icon: "gauge", roles: ["admin"], view: lazy(() => import("./pages/operator")) },
  { page: "me", title: "Your account", icon: "me", roles: ["admin", "manager", "marketer", "analyst", "privacy"], view: lazy(() => import("./pages/me")) },
];

/** Begins to load a page's code, while it is still asked who is there. */
export function preload(page: string): void {
  PAGES.find((entry) => entry.page === page)?.view.preload();
}

export function Shell(props: { user: User; ground: Ground; changed: () => void; out: () => void }): JSX.Element {
  const place = usePlace();
  const [open, setOpen] = useState(false);
  const [touring, setTouring] = useState(() => new URLSearchParams(location.search).has("tour"));
  const mine = PAGES.filter((entry) => entry.roles.includes(props.user.role));
  const entry = mine.find((one) => one.page === place.page);
  const first = mine[0];

  useEffect(() => {
    if (!place.page && first) go(first.page, "", true);
    setOpen(false);
    document.title = entry ? `${entry.title} · Vicino` : "Vicino";
  }, [place.page]);

  const signOut = async () => {
    await ask("DELETE", "/v1/session");
    props.out();
  };
  const View = entry?.view;
  return (
    <div class="shell">
      <a class="skip" href="#main">Skip to the page</a>
      <header class="top">
        <button type="button" class="menu" aria-expanded={open} aria-controls="nav" onClick={() => setOpen(!open)}>
          <Icon name="menu" /><span class="visually-hidden">Menu</span>
        </button>
        <span class="brand"><img src="/console/icon.svg" alt="" width="24" height="24" />Vicino</span>
        <span class="top-title">{entry?.title}</span>
      </header>
      <nav id="nav" class={open ? "nav open" : "nav"} aria-label="Pages">
        <span class="brand"><img src="/console/icon.svg" alt="" width="24" height="24" />Vicino</span>
        <ul>
          {mine.map((one) => (
            <li key={one.page}>
              <a href={address(one.page)} aria-current={one === entry ? "page" : undefined}><Icon name={one.icon} />{one.title}</a>
            </li>
          ))}
        </ul>
        <div class="who">
          <p class="who-name" title={props.user.email}>{props.user.name || props.user.email}</p>
          <p class="who-role">{ROLE_NAMES[props.user.role]}</p>
          <div class="actions">
            <button type="button" class="link" onClick={() => setTouring(true)}>Tour</button>
            <button type="button" class="link" onClick={signOut}>Sign out</button>
          </div>
        </div>
      </nav>
      <main id="main" class="main" tabIndex={-1}>
        {View ? (
          <View user={props.user} ground={props.ground} rest={place.rest} changed={props.changed} />
        ) : place.page ? (
          <Empty title="No such page"><p>It is not there, or not for the role {ROLE_NAMES[props.user.role].toLowerCase()}.</p></Empty>
        ) : null}
      </main>
      {touring && <Tour role={props.user.role} pages={mine.map(({ page }) => page)} end={() => setTouring(false)} />}
    </div>
  );
}

export const ROLE_NAMES: Record<User["role"], string> = {
  admin: "Admin",
  manager: "Store manager",
  marketer: "Marketer",
  analyst: "Analyst",
  privacy: "Privacy officer",
};
