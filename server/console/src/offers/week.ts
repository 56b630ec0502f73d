// A week of hours and OpenStreetMap's opening-hours syntax, as far as the grid can show it.

export const DAYS = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"] as const;
/** For each day, whether each of its 24 hours is on. */
export type Week = boolean[][];

export const emptyWeek = (): Week => DAYS.map(() => Array.from({ length: 24 }, () => false));

/** `Mo-Fr 09:00-18:00; Sa 10:00-16:00`; days of the same hours stand together. */
export function scheduleOf(week: Week): string {
  const spans = week.map(spansOf);
  const rules: string[] = [];
  for (let day = 0; day < 7; ) {
    const mine = spans[day] ?? "";
    let last = day;
    while (last < 6 && spans[last + 1] === mine) last++;
    if (mine) rules.push(`${DAYS[day]}${last > day ? `-${DAYS[last]}` : ""} ${mine}`);
    day = last + 1;
  }
  return rules.join("; ");
}

function spansOf(hours: boolean[]): string {
  const spans: string[] = [];
  for (let hour = 0; hour < 24; hour++) {
    if (!hours[hour]) continue;
    const from = hour;
    while (hour < 23 && hours[hour + 1]) hour++;
    spans.push(`${two(from)}:00-${two(hour + 1)}:00`);
  }
  return spans.join(",");
}

const two = (value: number): string => String(value).padStart(2, "0");

/** The week that a text says; null where the grid cannot show it. */
export function weekOf(schedule: string): Week | null {
  const week = emptyWeek();
  for (const rule of schedule.split(";").map((one) => one.trim()).filter(Boolean)) {
    const match = /^(?:([A-Za-z,\s-]+?)\s+)?([\d:,\s-]+)$/.exec(rule);
    const days = match?.[1] === undefined ? [0, 1, 2, 3, 4, 5, 6] : daysOf(match[1]);
    const hours = match?.[2] === undefined ? null : hoursOf(match[2]);
    if (!days || !hours) return null;
    // A later rule replaces an earlier one on its days.
    for (const day of days) week[day] = hours.slice();
  }
  return week;
}

function daysOf(text: string): number[] | null {
  const days: number[] = [];
  for (const part of text.split(",")) {
    const [first = "", last] = part.trim().split("-").map((name) => DAYS.indexOf(name.trim() as (typeof DAYS)[number]));
    if (typeof first !== "number" || first < 0 || (last !== undefined && last < 0)) return null;
    for (let day = first; ; day = (day + 1) % 7) {
      days.push(day);
      if (day === (last ?? first)) break;
    }
  }
  return days;
}

function hoursOf(text: string): boolean[] | null {
  const hours = Array.from({ length: 24 }, () => false);
  for (const part of text.split(",")) {
    const match = /^\s*(\d\d):00\s*-\s*(\d\d):00\s*$/.exec(part);
    const [from, until] = [Number(match?.[1] ?? NaN), Number(match?.[2] ?? NaN)];
    if (!(from < until && until <= 24)) return null;
    hours.fill(true, from, until);
  }
  return hours;
}
