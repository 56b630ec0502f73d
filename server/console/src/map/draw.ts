// Drawing and reshaping on the map, by terra-draw. Circles come out as centre and radius: that is what they are.
import type { Position } from "geojson";
import { Marker, type Map as MapLibre } from "maplibre-gl";
import { TerraDraw, TerraDrawCircleMode, TerraDrawPolygonMode, TerraDrawSelectMode } from "terra-draw";
import { TerraDrawMapLibreGLAdapter } from "terra-draw-maplibre-gl-adapter";
import { type Area, type Circle, distance, moved, type Shape } from "./geometry";

type Hex = `#${string}`;

export class Drawing {
  private readonly draw: TerraDraw;
  private id: string | number | null = null;
  private handles: Marker[] = [];
  private circle: Circle | null = null;

  /** `changed` hears of every new shape; `done` tells that a step is complete, and may be undone as one: with
   * those just before of the same `what`. */
  constructor(
    private readonly map: MapLibre,
    accent: Hex,
    private readonly changed: (shape: Shape, done: boolean, what: string) => void,
    private readonly drawn: () => void,
  ) {
    const styles = { fillColor: accent, fillOpacity: 0.15, outlineColor: accent, outlineWidth: 2 } as const;
    this.draw = new TerraDraw({
      adapter: new TerraDrawMapLibreGLAdapter({ map, coordinatePrecision: 9 }),
      modes: [
        new TerraDrawCircleMode({ styles }),
        new TerraDrawPolygonMode({
          snapping: { toCoordinate: true, toLine: true },
          styles: { ...styles, closingPointColor: accent, closingPointWidth: 6 },
        }),
        new TerraDrawSelectMode({
          flags: { polygon: { feature: { draggable: true, coordinates: { draggable: true, midpoints: true, deletable: true, snappable: true } } } },
          styles: {
            selectedPolygonColor: accent,
            selectedPolygonFillOpacity: 0.15,
            selectedPolygonOutlineColor: accent,
            selectedPolygonOutlineWidth: 2,
            selectionPointColor: accent,
            selectionPointWidth: 6,
            midPointColor: accent,
            midPointWidth: 4,
          },
        }),
      ],
    });
    this.draw.start();
    this.draw.on("finish", (id, { action }) => this.finished(id, action));
    this.draw.on("change", (ids, type) => {
      if (type === "update" && this.draw.getMode() === "select" && this.id !== null && ids.includes(this.id)) this.tell(this.id, false);
    });
  }

  /** Begins a new shape; what was there goes when it is complete. */
  begin(kind: "circle" | "polygon"): void {
    this.clear();
    this.draw.setMode(kind);
  }

  /** Shows a shape with its handles. */
  edit(shape: Shape): void {
    if (shape.kind === "circle" && this.circle && this.handles.length) {
      // The handles stay where they are in the order of the page, and so does the focus.
      this.circle = shape;
      return this.place(shape);
    }
    this.clear();
    if (shape.kind === "circle") this.editCircle(shape);
    else if (shape.geometry.type === "Polygon" && shape.geometry.coordinates.length === 1) this.editArea(shape);
  }

  clear(): void {
    this.draw.setMode("static");
    this.draw.clear();
    this.id = null;
    this.circle = null;
    for (const handle of this.handles) handle.remove();
    this.handles = [];
  }

  end(): void {
    this.clear();
    this.draw.stop();
  }

  private editArea(area: Area): void {
    const [added] = this.draw.addFeatures([{ type: "Feature", geometry: area.geometry as never, properties: { mode: "polygon" } }]);
    if (added?.id === undefined || !added.valid) return;
    this.id = added.id;
    this.draw.setMode("select");
    this.draw.selectFeature(added.id);
  }

  private editCircle(circle: Circle): void {
    this.circle = circle;
    const centre = this.handle("Centre: arrow keys move it by 1 m, with Shift by 10 m", "handle", [circle.lon, circle.lat], (lngLat, done) =>
      this.circle && this.reshape({ ...this.circle, lon: lngLat[0] ?? 0, lat: lngLat[1] ?? 0 }, done, "centre"));
    const rim = this.handle("Radius: arrow keys change it by 1 m, with Shift by 10 m", "handle rim", this.rimOf(circle), (lngLat, done) =>
      this.circle && this.reshape({ ...this.circle, radius_m: Math.max(10, Math.round(distance([this.circle.lon, this.circle.lat], lngLat))) }, done, "rim"));
    centre.getElement().addEventListener("keydown", (event) => this.key(event, (east, north) => {
      if (!this.circle) return;
      const [lon = 0, lat = 0] = moved([this.circle.lon, this.circle.lat], east, north);
      this.reshape({ ...this.circle, lon, lat }, true, "centre");
    }));
    rim.getElement().addEventListener("keydown", (event) => this.key(event, (east, north) => {
      if (this.circle) this.reshape({ ...this.circle, radius_m: Math.max(10, this.circle.radius_m + east + north) }, true, "rim");
    }));
  }

  private handle(label: string, name: string, at: Position, moving: (to: Position, done: boolean) => void): Marker {
    const element = document.createElement("button");
    element.type = "button";
    element.className = name;
    element.setAttribute("aria-label", label);
    const marker = new Marker({ element, draggable: true }).setLngLat(at as [number, number]).addTo(this.map);
    marker.on("drag", () => moving(marker.getLngLat().toArray(), false));
    marker.on("dragend", () => moving(marker.getLngLat().toArray(), true));
    this.handles.push(marker);
    return marker;
  }

  private key(event: KeyboardEvent, move: (east: number, north: number) => void): void {
    const step = event.shiftKey ? 10 : 1;
    const steps: Record<string, [number, number]> = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    const by = steps[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    move(...by);
  }

  private rimOf(circle: Circle): Position {
    return moved([circle.lon, circle.lat], circle.radius_m, 0);
  }

  private reshape(circle: Circle, done: boolean, what: string): void {
    this.circle = circle;
    this.place(circle);
    this.changed(circle, done, what);
  }

  private place(circle: Circle): void {
    this.handles[0]?.setLngLat([circle.lon, circle.lat]);
    this.handles[1]?.setLngLat(this.rimOf(circle) as [number, number]);
  }

  private finished(id: string | number, action: string): void {
    if (action === "draw") {
      const feature = this.draw.getSnapshotFeature(id);
      const mode = feature?.properties["mode"];
      if (!feature || feature.geometry.type !== "Polygon") return;
      const ring = feature.geometry.coordinates[0] ?? [];
      // terra-draw is still within its own event: what was drawn is taken over after it.
      queueMicrotask(() => {
        this.changed(mode === "circle" ? circleOf(ring) : { kind: "area", geometry: { type: "Polygon", coordinates: [ring] } }, true, "drawn");
        this.drawn();
      });
    } else if (this.id !== null) this.tell(this.id, true);
  }

  private tell(id: string | number, done: boolean): void {
    const geometry = this.draw.getSnapshotFeature(id)?.geometry;
    if (geometry?.type === "Polygon") this.changed({ kind: "area", geometry: { type: "Polygon", coordinates: geometry.coordinates } }, done, "corner");
  }
}

/** The circle that a drawn ring stands for. */
function circleOf(ring: Position[]): Circle {
  const corners = ring.slice(0, -1);
  const sum = corners.reduce<[number, number]>((total, [lon = 0, lat = 0]) => [total[0] + lon, total[1] + lat], [0, 0]);
  const centre: Position = [sum[0] / corners.length, sum[1] / corners.length];
  const radius = corners.reduce((total, corner) => total + distance(centre, corner), 0) / corners.length;
  return { kind: "circle", lon: centre[0] ?? 0, lat: centre[1] ?? 0, radius_m: Math.max(10, Math.round(radius)) };
}
