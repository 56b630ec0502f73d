import type { FeatureCollection, LineString, MultiLineString, Position } from "geojson";
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { ask } from "../api";
import { number } from "../format";
import { useLoaded } from "../ui";

export interface Cell {
  west: number;
  south: number;
  east: number;
  north: number;
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
        const [x, y] = view.at([cell.west, cell.north]);
        const [right, bottom] = view.at([cell.east, cell.south]);
        return (
          <g key={`${cell.west} ${cell.south}`}>
            <title>{`${brief(cell.stores.map(nameOf))}: ${number(cell.visits)} visits of ${number(cell.shoppers)} shoppers`}</title>
            <rect class="cell" x={x} y={y} width={right - x} height={bottom - y} fill-opacity={0.2 + 0.65 * (cell.visits / most)} />
            {right - x > 36 && <text class="cell-text" x={(x + right) / 2} y={(y + bottom) / 2 + 4}>{number(cell.visits)}</text>}
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

/** All cells with one more around them, as large as there is room; a degree of longitude is as wide as it is there. */
function viewOf(cells: Cell[], width: number): View {
  const [one] = cells;
  const [wide, high] = one ? [one.east - one.west, one.north - one.south] : [1, 1];
  const west = Math.min(...cells.map((cell) => cell.west)) - wide;
  const east = Math.max(...cells.map((cell) => cell.east)) + wide;
  const south = Math.min(...cells.map((cell) => cell.south)) - high;
  const north = Math.max(...cells.map((cell) => cell.north)) + high;
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
