// How numbers, times and distances are written, the same on every page.

const count = new Intl.NumberFormat("en-GB");
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const moment = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

export const number = (value: number): string => count.format(value);
export const time = (at: string): string => clock.format(new Date(at));
export const date = (at: string): string => day.format(new Date(at));
export const dateTime = (at: string): string => moment.format(new Date(at));

export function metres(value: number): string {
  return value >= 1000 ? `${(value / 1000).toFixed(1)} km` : `${count.format(Math.round(value))} m`;
}

export function milliseconds(value: number): string {
  if (value >= 10_000) return `${(value / 1000).toFixed(0)} s`;
  return value >= 1000 ? `${(value / 1000).toFixed(1)} s` : `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
}

export function squareMetres(value: number): string {
  return value >= 1e6 ? `${(value / 1e6).toFixed(2)} km²` : `${count.format(Math.round(value))} m²`;
}

/** `already_offered` as a person reads it. */
export const words = (code: string): string => code.replaceAll("_", " ");

/** How long ago that was, in the largest unit that fits. */
export function ago(at: string): string {
  const seconds = Math.max(0, (Date.now() - Date.parse(at)) / 1000);
  const [size, unit] = ([[86_400, "d"], [3_600, "h"], [60, "min"]] as const).find(([size]) => seconds >= size) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${unit} ago`;
}
