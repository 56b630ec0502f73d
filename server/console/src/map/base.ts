// The map beneath the fences: the demo's streets where they are wanted, else a grid of degrees. Nothing is
// asked of anybody but our own server; labels are drawn with the fonts of this machine.
import type { Feature, FeatureCollection, LineString } from "geojson";
import { Map as MapLibre, setWorkerUrl, NavigationControl, ScaleControl, type LayerSpecification, type SourceSpecification, type StyleSpecification } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import type { Tiles } from "../api";
import { carryWhileMoved } from "./carry";
import type { Bounds } from "./geometry";

setWorkerUrl(workerUrl);

/** Where the demo's streets are. */
const STREETS: Bounds = [24.934, 60.163, 24.954, 60.18];

const LIGHT = { ground: "#f3f1ec", building: "#e4e0d8", green: "#dbe8d3", water: "#c9dcea", road: "#ffffff", edge: "#d9d5cc", path: "#cfc9bd", label: "#6b675e", halo: "#f8f7f4", grid: "#dcd9d2" };
const DARK = { ground: "#1a1b19", building: "#262724", green: "#1e2a20", water: "#1a2833", road: "#3a3c37", edge: "#2b2c29", path: "#33352f", label: "#a2a49a", halo: "#1a1b19", grid: "#2a2b28" };

export const dark = (): boolean => matchMedia("(prefers-color-scheme: dark)").matches;

/** What there is to draw beneath: the demo's streets, by layer, and what the operator has set. */
export interface Ground {
  layers: string[];
  tiles: Tiles | null;
}

export function baseStyle({ layers, tiles }: Ground, around: Bounds | null): StyleSpecification {
  const paint = dark() ? DARK : LIGHT;
  const streets = !tiles && layers.includes("roads") && (around === null || meets(around, STREETS));
  const style: StyleSpecification = {
    version: 8,
    sources: { grid: { type: "geojson", data: graticule(around) } },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": paint.ground } },
      { id: "grid", type: "line", source: "grid", paint: { "line-color": paint.grid, "line-width": 1 } },
    ],
  };
  if (tiles) {
    style.sources["tiles"] = { type: "raster", tiles: [tiles.url], tileSize: 256, maxzoom: 19, attribution: asText(tiles.credit) };
    style.layers.push({ id: "tiles", type: "raster", source: "tiles", paint: { "raster-fade-duration": 0 } });
  }
  if (streets) {
    Object.assign(style.sources, streetSources(layers));
    style.layers.push(...streetLayers(paint).filter((layer) => "source" in layer && layers.includes(String(layer.source))));
  }
  return style;
}

function streetSources(layers: string[]): Record<string, SourceSpecification> {
  return Object.fromEntries(
    layers.map((name) => [name, { type: "geojson", data: `/console/map/${name}.geojson`, attribution: "© OpenStreetMap contributors" } as const]),
  );
}

function streetLayers(paint: typeof LIGHT): LayerSpecification[] {
  const driven = ["in", ["get", "c"], ["literal", ["primary", "primary_link", "secondary", "tertiary", "tertiary_link", "residential", "unclassified", "pedestrian"]]] as never;
  const wide = (scale: number) => ["interpolate", ["exponential", 1.6], ["zoom"], 13, 1.5 * scale, 16, 7 * scale, 19, 34 * scale] as never;
  return [
    { id: "water", type: "fill", source: "water", paint: { "fill-antialias": false, "fill-color": paint.water } },
    { id: "green", type: "fill", source: "green", paint: { "fill-antialias": false, "fill-color": paint.green } },
    { id: "buildings", type: "fill", source: "buildings", minzoom: 13, paint: { "fill-color": paint.building } },
    { id: "paths", type: "line", source: "roads", minzoom: 15, filter: ["!", driven] as never, paint: { "line-color": paint.path, "line-width": 1, "line-dasharray": [3, 2] } },
    { id: "road-edges", type: "line", source: "roads", filter: driven, layout: { "line-cap": "round", "line-join": "round" }, paint: { "line-color": paint.edge, "line-width": wide(1.25) } },
    { id: "roads", type: "line", source: "roads", filter: driven, layout: { "line-cap": "round", "line-join": "round" }, paint: { "line-color": paint.road, "line-width": wide(1) } },
    {
      id: "road-names",
      type: "symbol",
      source: "roads",
      minzoom: 15,
      filter: driven,
      layout: { "symbol-placement": "line", "text-field": ["get", "n"], "text-font": ["sans-serif"], "text-size": 11, "text-padding": 20 },
      paint: { "text-color": paint.label, "text-halo-color": paint.halo, "text-halo-width": 1.5 },
    },
  ];
}

/** The map takes an attribution for markup: of a setting it is text. */
const asText = (text: string): string => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

export function makeMap(container: HTMLElement, ground: Ground, around: Bounds | null): MapLibre {
  const map = new MapLibre({
    container,
    style: baseStyle(ground, around),
    attributionControl: { compact: false },
    ...(around ? { bounds: around, fitBoundsOptions: { padding: 48, maxZoom: 17 } } : { center: [0, 20], zoom: 1 }),
    maxZoom: 20,
    dragRotate: false,
    pitchWithRotate: false,
    fadeDuration: 0,
  });
  map.touchZoomRotate.disableRotation();
  carryWhileMoved(map);
  map.addControl(new NavigationControl({ showCompass: false }), "top-right");
  map.addControl(new ScaleControl({ maxWidth: 96 }), "bottom-left");
  return map;
}

const meets = (a: Bounds, b: Bounds): boolean => a[0] <= b[2] && b[0] <= a[2] && a[1] <= b[3] && b[1] <= a[3];

/** Lines of latitude and longitude: of the world, and finer ones around what there is to see. */
function graticule(around: Bounds | null): FeatureCollection<LineString> {
  const lines: Feature<LineString>[] = [];
  const add = (bounds: Bounds, step: number) => {
    const [west, south, east, north] = [Math.floor(bounds[0] / step), Math.floor(bounds[1] / step), Math.ceil(bounds[2] / step), Math.ceil(bounds[3] / step)];
    const line = (...coordinates: [number, number][]) => lines.push({ type: "Feature", properties: {}, geometry: { type: "LineString", coordinates } });
    for (let x = west; x <= east; x++) line([x * step, south * step], [x * step, north * step]);
    for (let y = south; y <= north; y++) line([west * step, y * step], [east * step, y * step]);
  };
  add([-180, -80, 180, 80], 10);
  if (around && around[2] - around[0] < 1 && around[3] - around[1] < 1) {
    add([around[0] - 0.05, around[1] - 0.05, around[2] + 0.05, around[3] + 0.05], 0.005);
  }
  return { type: "FeatureCollection", features: lines };
}
