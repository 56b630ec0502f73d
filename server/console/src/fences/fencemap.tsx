// The map of stores and fences, and the shape that is being edited on it.
import type { FeatureCollection } from "geojson";
import type { GeoJSONSource, Map as MapLibre, MapMouseEvent } from "maplibre-gl";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { baseStyle, dark, type Ground, makeMap } from "../map/base";
import { Drawing } from "../map/draw";
import { asFeature, type Bounds, boundsOf, outline, ringOf, type Shape, widen } from "../map/geometry";
import { type FenceFeature, shapeOf, type Store } from "./model";

export interface MapHandle {
  begin: (kind: "circle" | "polygon") => void;
  edit: (shape: Shape | null) => void;
  show: (shape: Shape) => void;
  cancel: () => void;
}

interface Props {
  ground: Ground;
  stores: Store[];
  fences: FenceFeature[];
  sensitive: FenceFeature[];
  counts: Map<string, string>;
  chosen: string | null;
  editing: boolean;
  /** The shape being edited: circles are drawn by it, areas by the drawing tool. */
  shape: Shape | null;
  choose: (external_id: string) => void;
  changed: (shape: Shape, done: boolean, what: string) => void;
  drawn: () => void;
  ready: (handle: MapHandle | null) => void;
}

/** Of more fences than this circles are drawn with fewer corners: there is no room to see them. */
const MANY = 500;

const accent = (): `#${string}` => (dark() ? "#5fc7b0" : "#0e6b5b");

export function FenceMap(props: Props): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const map = useRef<MapLibre | null>(null);
  const latest = useRef(props);
  latest.current = props;

  useEffect(() => {
    if (!box.current) return;
    const around = everythingOf(latest.current);
    const made = makeMap(box.current, latest.current.ground, around);
    map.current = made;
    let drawing: Drawing | null = null;
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const begin = () => {
      addLayers(made);
      fill(made, latest.current);
      fillDraft(made, latest.current);
      drawing = new Drawing(made, accent(), (shape, done, what) => latest.current.changed(shape, done, what), () => latest.current.drawn());
      latest.current.ready(handleOf(made, drawing));
      made.once("idle", () => box.current?.setAttribute("data-ready", ""));
    };
    const restyle = () => {
      drawing?.end();
      made.setStyle(baseStyle(latest.current.ground, around));
      made.once("styledata", begin);
    };
    made.once("load", begin);
    scheme.addEventListener("change", restyle);
    const clicked = (event: MapMouseEvent) => {
      if (latest.current.editing) return;
      const [found] = made.queryRenderedFeatures(event.point, { layers: ["fences"] });
      const id = found?.properties["external_id"];
      if (typeof id === "string") latest.current.choose(id);
    };
    made.on("click", clicked);
    made.on("mousemove", "fences", () => {
      if (!latest.current.editing) made.getCanvas().style.cursor = "pointer";
    });
    made.on("mouseleave", "fences", () => {
      if (!latest.current.editing) made.getCanvas().style.cursor = "";
    });
    return () => {
      scheme.removeEventListener("change", restyle);
      latest.current.ready(null);
      drawing?.end();
      made.remove();
      map.current = null;
    };
  }, []);

  useEffect(() => {
    if (map.current) fill(map.current, props);
  }, [props.stores, props.fences, props.sensitive, props.counts, props.chosen, props.editing]);
  useEffect(() => {
    if (map.current) fillDraft(map.current, props);
  }, [props.shape, props.editing]);

  return <div ref={box} class="map" role="application" aria-label="Map of stores and geofences" />;
}

function handleOf(map: MapLibre, drawing: Drawing): MapHandle {
  return {
    begin: (kind) => {
      map.getCanvas().style.cursor = "crosshair";
      drawing.begin(kind);
    },
    edit: (shape) => {
      map.getCanvas().style.cursor = "";
      if (shape) drawing.edit(shape);
      else drawing.clear();
    },
    show: (shape) => {
      const [west, south, east, north] = boundsOf([shape]);
      map.fitBounds([west, south, east, north], { padding: 96, maxZoom: 18, duration: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 400 });
    },
    cancel: () => {
      map.getCanvas().style.cursor = "";
      drawing.clear();
    },
  };
}

function addLayers(map: MapLibre): void {
  const none: FeatureCollection = { type: "FeatureCollection", features: [] };
  const colour = accent();
  const [ink, halo] = dark() ? ["#ededea", "#1a1b19"] : ["#1b1c1a", "#ffffff"];
  for (const source of ["fences", "labels", "stores", "sensitive", "draft"]) map.addSource(source, { type: "geojson", data: none });
  const chosen = ["get", "chosen"] as never;
  const off = ["get", "off"] as never;
  map.addLayer({ id: "sensitive", type: "fill", source: "sensitive", paint: { "fill-antialias": false, "fill-color": "#b3261e", "fill-opacity": 0.12 } });
  map.addLayer({ id: "sensitive-edge", type: "line", source: "sensitive", paint: { "line-color": "#b3261e", "line-width": 1, "line-dasharray": [2, 2] } });
  map.addLayer({ id: "fences", type: "fill", source: "fences", paint: { "fill-antialias": false, "fill-color": colour, "fill-opacity": ["interpolate", ["linear"], ["zoom"], 13, ["case", off, 0.02, chosen, 0.28, 0.05], 16, ["case", off, 0.04, chosen, 0.28, 0.1]] } });
  map.addLayer({ id: "fence-edges", type: "line", source: "fences", paint: { "line-color": colour, "line-opacity": ["case", off, 0.4, 0.9], "line-width": ["interpolate", ["linear"], ["zoom"], 13, ["case", chosen, 2, 0.6], 16, ["case", chosen, 3, 1.5]] } });
  map.addLayer({ id: "draft", type: "fill", source: "draft", paint: { "fill-color": colour, "fill-opacity": 0.2 } });
  map.addLayer({ id: "draft-edge", type: "line", source: "draft", paint: { "line-color": colour, "line-width": 2.5 } });
  map.addLayer({ id: "stores", type: "circle", source: "stores", minzoom: 14, paint: { "circle-radius": 3, "circle-color": ink as string, "circle-stroke-color": halo as string, "circle-stroke-width": 1.5 } });
  map.addLayer({
    id: "labels",
    type: "symbol",
    source: "labels",
    minzoom: 15,
    layout: { "text-field": ["get", "label"], "text-font": ["sans-serif"], "text-size": 12, "text-offset": [0, 0.8], "text-anchor": "top", "text-max-width": 9 },
    paint: { "text-color": ink as string, "text-halo-color": halo as string, "text-halo-width": 1.5 },
  });
}

function fill(map: MapLibre, props: Props): void {
  const set = (name: string, features: FeatureCollection["features"]) => {
    map.getSource<GeoJSONSource>(name)?.setData({ type: "FeatureCollection", features });
  };
  const shown = props.fences.filter(({ properties }) => !(props.editing && properties.external_id === props.chosen));
  const corners = shown.length > MANY ? 16 : 64;
  set("fences", shown.map((fence) => asFeature(shapeOf(fence), corners, {
    external_id: fence.properties.external_id,
    chosen: fence.properties.external_id === props.chosen,
    off: props.editing || fence.properties.enabled === false,
  })));
  set("labels", shown.map((fence) => {
    const [west, south, east] = boundsOf([shapeOf(fence)]);
    const count = props.counts.get(fence.properties.external_id);
    const label = [fence.properties.name || fence.properties.external_id, count].filter(Boolean).join("\n");
    return { type: "Feature", geometry: { type: "Point", coordinates: [(west + east) / 2, south] }, properties: { label } };
  }));
  set("stores", props.stores.map((store) => ({ type: "Feature", geometry: { type: "Point", coordinates: [store.lon, store.lat] }, properties: {} })));
  set("sensitive", props.sensitive.map((place) => {
    const shape = shapeOf(place);
    const around = (place.properties as unknown as { distance_m: number }).distance_m;
    const geometry = shape.kind === "circle" ? { type: "Polygon" as const, coordinates: [ringOf({ ...shape, radius_m: shape.radius_m + around })] } : outline(shape);
    return { type: "Feature", geometry, properties: {} };
  }));
}

/** Alone, since it changes with every movement of the mouse. */
function fillDraft(map: MapLibre, { editing, shape }: Props): void {
  const features = editing && shape?.kind === "circle" ? [asFeature(shape, 64, {})] : [];
  map.getSource<GeoJSONSource>("draft")?.setData({ type: "FeatureCollection", features });
}

/** The box around all that there is to see. */
export function everythingOf({ stores, fences }: { stores: Store[]; fences: FenceFeature[] }): Bounds | null {
  const bounds: Bounds = fences.length ? boundsOf(fences.map(shapeOf)) : [Infinity, Infinity, -Infinity, -Infinity];
  for (const store of stores) widen(bounds, [store.lon, store.lat]);
  return Number.isFinite(bounds[0]) ? bounds : null;
}
