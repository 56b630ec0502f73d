import type { FeatureCollection, LineString, MultiLineString, Position } from "geojson";
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { ask } from "../api";
import { number } from "../format";
import { useLoaded } from "../ui";

export interface Cell {
  /** H3's index of it. */
  cell: string;
  corners: [lon: number, lat: number][];
  stores: string[];
  visits: number;
  shoppers: number;
}

const TALLEST = 480;

/** Parts of town, the darker the more visits began there, over the streets where we have them. */
export function HeatMap({ cells, streets, width, nameOf }: { cells: Cell[]; streets: boolean; width: number; nameOf: (id: string) => string }): JSX.Element {
  const roads = useLoaded(() => (streets ? ask<FeatureCollection>("GET", "/console/map/roads.geojson", { unattended: true }) : Promise.resolve(null)), [streets]);
  const view = useMemo(() => viewOf(cells, width), [cells, width]);
  const lines = useMemo(() => (roads.value ? pathsOf(roads.value, view) : ""), [roads.value, view]);
  const most = Math.max(...cells.map(({ visits }) => visits));
  return (
    <svg class="drawing heat" width={width} height={view.height} viewBox={`0 0 ${width} ${view.height}`} role="img" aria-label={`Heat map: ${cells.map(({ stores, visits }) => `${brief(stores.map(nameOf))} ${number(visits)}`).join("; ")}`}>
      <rect class="ground" width={width} height={view.height} />
      <path class="street" d={lines} />
      {cells.map((cell) => {
        const corners = cell.corners.map(view.at);
        const [x, y] = middleOf(corners);
        return (
          <g key={cell.cell}>
            <title>{`${brief(cell.stores.map(nameOf))}: ${number(cell.visits)} visits of ${number(cell.shoppers)} shoppers`}</title>
            <polygon class="cell" points={corners.map((corner) => corner.join(",")).join(" ")} fill-opacity={0.2 + 0.65 * (cell.visits / most)} />
            {wideOf(corners) > 36 && <text class="cell-text" x={x} y={y + 4}>{number(cell.visits)}</text>}
          </g>
        );
      })}
      {lines && <text class="chart-value end" x={width - 8} y={view.height - 8}>© OpenStreetMap contributors</text>}
    </svg>
  );
}

const brief = (names: string[]): string => (names.length > 3 ? `${names.slice(0, 2).join(", ")} and ${names.length - 2} more` : names.join(", "));

interface View {
  height: number;
  at: (position: Position) => [number, number];
}

const middleOf = (corners: [number, number][]): [number, number] => [0, 1].map((axis) => corners.reduce((sum, corner) => sum + (corner[axis] ?? 0), 0) / corners.length) as [number, number];
const wideOf = (corners: [number, number][]): number => Math.max(...corners.map(([x]) => x)) - Math.min(...corners.map(([x]) => x));

/** All cells with about one more around them, as large as there is room; a degree of longitude is as wide as it is there. */
function viewOf(cells: Cell[], width: number): View {
  const corners = cells.flatMap((cell) => cell.corners);
  const [lons, lats] = [corners.map(([lon]) => lon), corners.map(([, lat]) => lat)];
  const [wide, high] = [wideOf(cells[0]?.corners ?? []), wideOf((cells[0]?.corners ?? []).map(([lon, lat]) => [lat, lon]))];
  const [west, east] = [Math.min(...lons) - wide, Math.max(...lons) + wide];
  const [south, north] = [Math.min(...lats) - high, Math.max(...lats) + high];
  const flat = Math.cos((((south + north) / 2) * Math.PI) / 180);
  const scale = Math.min(width / ((east - west) * flat), TALLEST / (north - south));
  const height = Math.round((north - south) * scale);
  const left = (width - (east - west) * flat * scale) / 2;
  return { height, at: ([lon = 0, lat = 0]) => [left + (lon - west) * flat * scale, (north - lat) * scale] };
}

function pathsOf({ features }: FeatureCollection, view: View): string {
  const drawn: string[] = [];
  for (const { geometry, properties } of features) {
    if (properties?.["c"] === "footway" || properties?.["c"] === "steps" || properties?.["c"] === "cycleway") continue;
    const lines = geometry.type === "LineString" ? [(geometry as LineString).coordinates] : geometry.type === "MultiLineString" ? (geometry as MultiLineString).coordinates : [];
    for (const line of lines) drawn.push(`M${line.map((position) => view.at(position).map((value) => value.toFixed(1)).join(" ")).join("L")}`);
  }
  return drawn.join("");
}
