import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { all, ask } from "../api";
import { Editor } from "../fences/editor";
import { FenceList } from "../fences/list";
import type { FenceFeature, Store } from "../fences/model";
import { go } from "../router";
import type { PageProps } from "../shell";
import { Failed, Loading, useLoaded } from "../ui";

export interface Headcount {
  k: number;
  items: { geofence: string; store: string; shoppers: number }[];
  shoppers: number | null;
}

export interface World {
  stores: Store[];
  fences: FenceFeature[];
  sensitive: FenceFeature[];
}

const HEADCOUNT_EVERY_MS = 10_000;

const loadWorld = async (): Promise<World> => {
  const [stores, fences, sensitive] = await Promise.all([
    all<Store>("/v1/stores"),
    all<FenceFeature>("/v1/geofences"),
    all<FenceFeature>("/v1/sensitive"),
  ]);
  return { stores, fences, sensitive };
};

export default function Fences({ user, ground, rest }: PageProps): JSX.Element {
  const world = useLoaded(loadWorld, []);
  const headcount = useHeadcount();
  const [isNew, setNew] = useState(false);
  const counts = useMemo(() => countsOf(headcount), [headcount]);

  if (world.error && !world.value) return <div class="page"><Failed error={world.error} again={world.again} /></div>;
  if (!world.value) return <Loading what="stores and geofences" />;
  const chosen = world.value.fences.find(({ properties }) => properties.external_id === rest) ?? null;
  return (
    <Editor
      key="editor"
      ground={ground}
      world={world.value}
      counts={counts}
      chosen={isNew ? null : chosen}
      isNew={isNew}
      open={(id) => {
        setNew(false);
        go("fences", id);
      }}
      close={() => {
        setNew(false);
        go("fences");
      }}
      published={async (id) => {
        await world.again();
        setNew(false);
        go("fences", id);
      }}
      list={
        <FenceList
          world={world.value}
          counts={counts}
          headcount={headcount}
          bound={user.role === "manager"}
          missing={rest !== "" && !chosen}
          open={(id) => go("fences", id)}
          add={() => setNew(true)}
          changed={world.again}
        />
      }
    />
  );
}

function useHeadcount(): Headcount | null {
  const [headcount, setHeadcount] = useState<Headcount | null>(null);
  useEffect(() => {
    const look = () => {
      if (document.hidden) return;
      // A count that cannot be had just now is shown as it was.
      ask<Headcount>("GET", "/v1/headcount", { unattended: true }).then(setHeadcount, () => {});
    };
    look();
    const timer = setInterval(look, HEADCOUNT_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return headcount;
}

function countsOf(headcount: Headcount | null): Map<string, string> {
  const counts = new Map<string, string>();
  for (const { geofence, shoppers } of headcount?.items ?? []) {
    counts.set(geofence, `about ${shoppers} inside`);
  }
  return counts;
}
