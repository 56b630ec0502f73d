// Shapes of geofences as the map draws them. Distances are on a sphere: 0.5 % off at the most, good enough to
// warn by; the server judges exactly.
import type { Feature, Polygon, Position } from "geojson";

export interface Circle {
  kind: "circle";
  lon: number;
  lat: number;
  radius_m: number;
}
export interface Area {
  kind: "area";
  geometry: { type: "Polygon"; coordinates: Position[][] } | { type: "MultiPolygon"; coordinates: Position[][][] };
}
export type Shape = Circle | Area;

const EARTH_M = 6_371_008.8;
const RAD = Math.PI / 180;

export function distance(a: Position, b: Position): number {
  const [lon1 = 0, lat1 = 0] = a;
  const [lon2 = 0, lat2 = 0] = b;
  const h = Math.sin(((lat2 - lat1) * RAD) / 2) ** 2 + Math.cos(lat1 * RAD) * Math.cos(lat2 * RAD) * Math.sin(((lon2 - lon1) * RAD) / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** The point so many metres east and north of another. */
export function moved(from: Position, east_m: number, north_m: number): Position {
  const [lon = 0, lat = 0] = from;
  return [lon + east_m / (EARTH_M * Math.cos(lat * RAD) * RAD), lat + north_m / (EARTH_M * RAD)];
}

export function ringOf(circle: Circle, corners = 64): Position[] {
  const ring: Position[] = [];
  for (let corner = 0; corner <= corners; corner++) {
    const angle = (2 * Math.PI * (corner % corners)) / corners;
    ring.push(moved([circle.lon, circle.lat], circle.radius_m * Math.sin(angle), circle.radius_m * Math.cos(angle)));
  }
  return ring;
}

export const polygonsOf = (shape: Shape): Position[][][] =>
  shape.kind === "circle" ? [[ringOf(shape)]] : shape.geometry.type === "Polygon" ? [shape.geometry.coordinates] : shape.geometry.coordinates;

export const outline = (shape: Shape, corners = 64): Area["geometry"] =>
  shape.kind === "circle" ? { type: "Polygon", coordinates: [ringOf(shape, corners)] } : shape.geometry;

export function centreOf(shape: Shape): Position {
  if (shape.kind === "circle") return [shape.lon, shape.lat];
  const [west, south, east, north] = boundsOf([shape]);
  return [(west + east) / 2, (south + north) / 2];
}

export function areaOf(shape: Shape): number {
  if (shape.kind === "circle") return Math.PI * shape.radius_m ** 2;
  const ringArea = (ring: Position[]): number => {
    const [lon0 = 0, lat0 = 0] = ring[0] ?? [];
    let twice = 0;
    for (let corner = 1; corner < ring.length; corner++) {
      const [x1, y1] = flat(ring[corner - 1] ?? [], lon0, lat0);
      const [x2, y2] = flat(ring[corner] ?? [], lon0, lat0);
      twice += x1 * y2 - x2 * y1;
    }
    return Math.abs(twice) / 2;
  };
  return polygonsOf(shape).reduce((sum, [outer = [], ...holes]) => sum + ringArea(outer) - holes.reduce((cut, hole) => cut + ringArea(hole), 0), 0);
}

function flat([lon = 0, lat = 0]: Position, lon0: number, lat0: number): [number, number] {
  return [(lon - lon0) * RAD * EARTH_M * Math.cos(lat0 * RAD), (lat - lat0) * RAD * EARTH_M];
}

export type Bounds = [west: number, south: number, east: number, north: number];

export function boundsOf(shapes: Iterable<Shape>): Bounds {
  const bounds: Bounds = [Infinity, Infinity, -Infinity, -Infinity];
  for (const shape of shapes) for (const polygon of polygonsOf(shape)) for (const position of polygon[0] ?? []) widen(bounds, position);
  return bounds;
}

export function widen(bounds: Bounds, [lon = 0, lat = 0]: Position): void {
  bounds[0] = Math.min(bounds[0], lon);
  bounds[1] = Math.min(bounds[1], lat);
  bounds[2] = Math.max(bounds[2], lon);
  bounds[3] = Math.max(bounds[3], lat);
}

/** How far two shapes lie apart, in metres; negative where they overlap. Of areas: by their corners and edges. */
export function gap(a: Shape, b: Shape): number {
  if (a.kind === "circle" && b.kind === "circle") {
    return distance([a.lon, a.lat], [b.lon, b.lat]) - a.radius_m - b.radius_m;
  }
  if (a.kind === "circle") return gapToCircle(b, a);
  if (b.kind === "circle") return gapToCircle(a, b);
  const [outer = []] = polygonsOf(a)[0] ?? [];
  const [other = []] = polygonsOf(b)[0] ?? [];
  if (outer.some((corner) => inside(corner, b)) || other.some((corner) => inside(corner, a)) || crossing(outer, other)) return -1;
  return Math.min(...outer.map((corner) => toRing(corner, other)), ...other.map((corner) => toRing(corner, outer)));
}

function gapToCircle(area: Shape, circle: Circle): number {
  const centre: Position = [circle.lon, circle.lat];
  if (inside(centre, area)) return -circle.radius_m;
  return Math.min(...polygonsOf(area).map((polygon) => toRing(centre, polygon[0] ?? []))) - circle.radius_m;
}

export function inside([lon = 0, lat = 0]: Position, shape: Shape): boolean {
  if (shape.kind === "circle") return distance([lon, lat], [shape.lon, shape.lat]) <= shape.radius_m;
  return polygonsOf(shape).some((rings) => {
    let odd = false;
    for (const ring of rings) {
      for (let corner = 1; corner < ring.length; corner++) {
        const [x1 = 0, y1 = 0] = ring[corner - 1] ?? [];
        const [x2 = 0, y2 = 0] = ring[corner] ?? [];
        if (y1 > lat !== y2 > lat && lon < ((x2 - x1) * (lat - y1)) / (y2 - y1) + x1) odd = !odd;
      }
    }
    return odd;
  });
}

function toRing(position: Position, ring: Position[]): number {
  const [lon0 = 0, lat0 = 0] = position;
  let least = Infinity;
  for (let corner = 1; corner < ring.length; corner++) {
    const [x1, y1] = flat(ring[corner - 1] ?? [], lon0, lat0);
    const [x2, y2] = flat(ring[corner] ?? [], lon0, lat0);
    const length2 = (x2 - x1) ** 2 + (y2 - y1) ** 2;
    const along = length2 ? Math.max(0, Math.min(1, -(x1 * (x2 - x1) + y1 * (y2 - y1)) / length2)) : 0;
    least = Math.min(least, Math.hypot(x1 + along * (x2 - x1), y1 + along * (y2 - y1)));
  }
  return least;
}

function crossing(a: Position[], b: Position[]): boolean {
  const side = ([x1 = 0, y1 = 0]: Position, [x2 = 0, y2 = 0]: Position, [x = 0, y = 0]: Position) =>
    Math.sign((x2 - x1) * (y - y1) - (y2 - y1) * (x - x1));
  for (let i = 1; i < a.length; i++) {
    for (let j = 1; j < b.length; j++) {
      const [p, q, r, s] = [a[i - 1] ?? [], a[i] ?? [], b[j - 1] ?? [], b[j] ?? []];
      if (side(p, q, r) !== side(p, q, s) && side(r, s, p) !== side(r, s, q)) return true;
    }
  }
  return false;
}

/** Corners as text, one `latitude, longitude` a line; read back by `cornersFrom`. */
export const cornersText = (shape: Area): string =>
  (polygonsOf(shape)[0]?.[0] ?? []).slice(0, -1).map(([lon = 0, lat = 0]) => `${lat.toFixed(6)}, ${lon.toFixed(6)}`).join("\n");

/** The area with these corners, or what is wrong with which line. */
export function cornersFrom(text: string): Area | string {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  const ring: Position[] = [];
  for (const [index, line] of lines.entries()) {
    const parts = line.split(/[\s,;]+/).map(Number);
    const [lat = NaN, lon = NaN] = parts;
    if (parts.length !== 2 || !(Math.abs(lat) <= 90) || !(Math.abs(lon) <= 180)) return `Line ${index + 1}: write latitude, longitude in degrees`;
    ring.push([lon, lat]);
  }
  if (ring.length < 3) return "An area has three corners at least";
  return { kind: "area", geometry: { type: "Polygon", coordinates: [[...ring, ring[0] ?? []]] } };
}

export const asFeature = (shape: Shape, corners: number, properties: Record<string, unknown>): Feature<Polygon> =>
  ({ type: "Feature", geometry: outline(shape, corners) as Polygon, properties });
