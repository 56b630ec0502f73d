// What deserves a look about a shape while it is drawn: found here at once, and by the server when it rests.
import { areaOf, gap, type Shape } from "../map/geometry";
import { metres, squareMetres } from "../format";
import { type Draft, type FenceFeature, shapeOf } from "./model";

export interface Warning {
  kind: "info" | "warn" | "bad";
  text: string;
}

const LEAST_M2 = 2_000;
const MOST_M2 = 5_000_000;
/** A phone in a street knows where it is to some 10 to 30 m: a smaller circle misses most who stand in it. */
const SMALL_M = 25;
/** What phones' own region monitoring notices; smaller ones need fixes from an app that is awake. */
const ASLEEP_M = 100;

export function warningsOf(draft: Draft, fences: FenceFeature[], sensitive: FenceFeature[]): Warning[] {
  const { shape } = draft;
  if (!shape) return [];
  return [...sizeWarnings(shape), ...overlapWarnings(draft, shape, fences), ...sensitiveWarnings(shape, sensitive)];
}

function sizeWarnings(shape: Shape): Warning[] {
  if (shape.kind === "area") {
    const area = areaOf(shape);
    if (area < LEAST_M2) return [{ kind: "bad", text: `${squareMetres(area)} is too small: an area has at least 2,000 m².` }];
    if (area > MOST_M2) return [{ kind: "bad", text: `${squareMetres(area)} is too large: an area has at most 5 km².` }];
    return [];
  }
  if (shape.radius_m < SMALL_M) {
    return [{ kind: "warn", text: `Too small for phones: in a street they know their place to 10–30 m, so most visits would be missed. ${SMALL_M} m or more works.` }];
  }
  if (shape.radius_m < ASLEEP_M) {
    return [{ kind: "info", text: `Below ${ASLEEP_M} m only apps that report their position notice it; a sleeping phone's own monitoring does not.` }];
  }
  return [];
}

function overlapWarnings(draft: Draft, shape: Shape, fences: FenceFeature[]): Warning[] {
  const others = fences.filter(({ properties }) => properties.external_id !== draft.external_id && properties.enabled !== false);
  const overlapping = others.filter((other) => gap(shape, shapeOf(other)) < 0);
  const foreign = overlapping.filter(({ properties }) => properties.store !== draft.store);
  if (!foreign.length) return [];
  const names = foreign.slice(0, 3).map(({ properties }) => properties.name || properties.external_id).join(", ");
  const more = foreign.length > 3 ? ` and ${foreign.length - 3} more` : "";
  return [{ kind: "info", text: `Overlaps ${names}${more}. Where fences overlap, the smaller one's store speaks first, and only one speaks.` }];
}

function sensitiveWarnings(shape: Shape, places: FenceFeature[]): Warning[] {
  return places.flatMap((place) => {
    const { kind, distance_m } = place.properties as unknown as { kind: string; distance_m: number };
    const apart = gap(shape, shapeOf(place)) - distance_m;
    if (apart >= 0) return [];
    const reach = distance_m ? ` (${metres(distance_m)} around it count)` : "";
    return [{ kind: "warn" as const, text: `Reaches a sensitive place: ${kind}${reach}. No position from there is taken, so nothing is noticed in that part.` }];
  });
}
