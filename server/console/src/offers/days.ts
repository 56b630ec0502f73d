// How far an offer would have gone on each of several days, and in all.

export interface DayReach {
  day: string;
  /** About how many offers and shoppers; null where they were of fewer than 20 shoppers, which may be none. */
  offers: number | null;
  shoppers: number | null;
}

/** So many of the newest days are tried. */
export const DAYS_MOST = 7;

/** The offers of all days that may be told. What is withheld of a day stays out, so that it does not follow from the
 * total. Shoppers are not added up: the same ones come on several days. */
export function offersIn(days: DayReach[]): number | null {
  const told = days.flatMap(({ offers }) => offers ?? []);
  return told.length ? told.reduce((sum, offers) => sum + offers, 0) : null;
}
