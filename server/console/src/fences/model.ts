// A geofence as the server has it (a GeoJSON feature) and as it is edited here.
import type { Feature, Geometry } from "geojson";
import type { Area, Shape } from "../map/geometry";

export interface Store {
  external_id: string;
  name: string;
  lat: number;
  lon: number;
  address?: string;
}

export interface Properties {
  external_id: string;
  store: string;
  name?: string;
  radius?: number;
  dwell_s?: number;
  enabled?: boolean;
  valid?: { from?: string; until?: string } | null;
}
export type FenceFeature = Feature<Geometry, Properties>;

export interface Draft {
  external_id: string;
  isNew: boolean;
  store: string;
  name: string;
  shape: Shape | null;
  dwell_s: string;
  enabled: boolean;
  radius: string; //: as it stands in the field, which may be half typed
  valid: Properties["valid"];
}

export interface Version {
  version: number;
  published_at: string;
  published_by: string | null;
  ended_at: string | null;
  body: FenceFeature;
}

export function shapeOf(feature: FenceFeature): Shape {
  const { geometry, properties } = feature;
  if (geometry.type === "Point") {
    const [lon = 0, lat = 0] = geometry.coordinates;
    return { kind: "circle", lon, lat, radius_m: properties.radius ?? 0 };
  }
  return { kind: "area", geometry: geometry as Area["geometry"] };
}

export function draftOf(feature: FenceFeature): Draft {
  const { properties } = feature;
  const shape = shapeOf(feature);
  return {
    external_id: properties.external_id,
    isNew: false,
    store: properties.store,
    name: properties.name ?? "",
    shape,
    dwell_s: String(properties.dwell_s ?? 60),
    enabled: properties.enabled !== false,
    radius: shape.kind === "circle" ? String(shape.radius_m) : "",
    valid: properties.valid ?? null,
  };
}

export function newDraft(store: string): Draft {
  return { external_id: "", isNew: true, store, name: "", shape: null, dwell_s: "60", enabled: true, radius: "", valid: null };
}

/** The feature that a draft would publish. */
export function featureOf(draft: Draft): FenceFeature | null {
  const { shape } = draft;
  if (!shape) return null;
  const properties: Properties = {
    external_id: draft.external_id,
    store: draft.store,
    name: draft.name,
    // What is no number is sent as typed: the server names the field.
    dwell_s: (Number.isNaN(Number(draft.dwell_s)) ? draft.dwell_s : Number(draft.dwell_s)) as number,
    enabled: draft.enabled,
  };
  if (draft.valid) properties.valid = draft.valid;
  if (shape.kind === "area") return { type: "Feature", geometry: shape.geometry, properties };
  properties.radius = shape.radius_m;
  return { type: "Feature", geometry: { type: "Point", coordinates: [round(shape.lon), round(shape.lat)] }, properties };
}

// A centimetre or so.
const round = (degrees: number): number => Math.round(degrees * 1e7) / 1e7;

export const withShape = (draft: Draft, shape: Shape): Draft =>
  ({ ...draft, shape, radius: shape.kind === "circle" ? String(shape.radius_m) : "" });

/** An id for a new geofence of a store, that no other has. */
export function freeId(store: string, taken: Set<string>): string {
  for (let number = 1; ; number++) {
    const id = number === 1 ? `${store}-fence` : `${store}-fence-${number}`;
    if (!taken.has(id)) return id;
  }
}
