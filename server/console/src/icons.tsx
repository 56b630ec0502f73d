import type { JSX } from "preact";

// Line icons on a 20 px grid, drawn for this console.
const PATHS = {
  menu: "M3 6h14M3 10h14M3 14h14",
  fence: "M10 17s-5-4.6-5-9a5 5 0 0 1 10 0c0 4.4-5 9-5 9zM10 9.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3z",
  live: "M3 10h3l2-5 4 10 2-5h3",
  offer: "M4 4h6l6.5 6.5-6 6L4 10zM7 7h.01",
  report: "M4 16V9M10 16V4M16 16v-5",
  whatif: "M4 16V4M4 10c5 0 5-6 11-6M4 10c5 0 5 6 11 6M12.5 2L15 4l-2.5 2M12.5 14l2.5 2-2.5 2",
  privacy: "M10 3l6 2v5c0 3.6-2.6 6-6 7-3.4-1-6-3.4-6-7V5z",
  audit: "M5 3h8l3 3v11H5zM8 9h5M8 12h5",
  gauge: "M3.5 14a6.5 6.5 0 1 1 13 0M10 14l3-4",
  people: "M7.5 9a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM3 16c0-2.5 2-4 4.5-4S12 13.5 12 16M13 5a2.3 2.3 0 0 1 0 4.5M14 12.2c1.8.4 3 1.8 3 3.8",
  circle: "M10 16a6 6 0 1 0 0-12 6 6 0 0 0 0 12zM10 10h.01",
  polygon: "M5 5l9-1 2 7-6 5-5-4z",
  undo: "M7 5L4 8l3 3M4 8h8a4 4 0 0 1 0 8H9",
  redo: "M13 5l3 3-3 3M16 8H8a4 4 0 0 0 0 8h3",
  search: "M9 14A5 5 0 1 0 9 4a5 5 0 0 0 0 10zM13 13l4 4",
  back: "M12 5l-5 5 5 5",
  me: "M10 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM4 17c0-3 2.7-5 6-5s6 2 6 5",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 20 20" width="20" height="20" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
