// Everything the console asks of the server goes through here: one session, one form of error.

export interface User {
  user_id: string;
  email: string;
  name: string;
  role: "admin" | "manager" | "marketer" | "analyst" | "privacy";
  stores: string[] | null;
  totp: boolean;
}

export interface Session {
  user: User | null;
  csrf?: string;
  map?: string[];
  tiles?: Tiles | null;
}

/** Raster tiles of another host, where the operator has set some. */
export interface Tiles {
  url: string;
  credit: string;
}

export interface Complaint {
  field: string;
  code: string;
  detail: string;
  remedy?: string;
}

/** An answer that is not a success (RFC 9457): what is wrong, with which field, and what to do. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly field: string | null = null,
    readonly problems: Complaint[] = [],
  ) {
    super(detail);
  }
}

let csrf = "";
let over: () => void = () => {};

/** Called when the server says that the session is over. */
export function onSessionOver(then: () => void): void {
  over = then;
}

export function keepCsrf(session: Session): void {
  csrf = session.csrf ?? "";
}

interface Options {
  body?: unknown;
  signal?: AbortSignal;
  /** Asked by the page itself: it does not keep the session alive. */
  unattended?: boolean;
}

async function send(method: string, path: string, options: Options): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["Vicino-CSRF"] = csrf;
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  if (options.unattended) headers["Vicino-Unattended"] = "1";
  const request: RequestInit = { method, headers, credentials: "same-origin" };
  if (options.body !== undefined) request.body = JSON.stringify(options.body);
  if (options.signal) request.signal = options.signal;
  try {
    return await fetch(path, request);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "unreachable", "The server cannot be reached. What you see may be old; nothing was changed.");
  }
}

export async function ask<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const response = await send(method, path, options);
  if (response.status === 204) return undefined as T;
  if (!response.ok) throw await problemOf(response);
  try {
    return (await response.json()) as T;
  } catch {
    throw new Problem(response.status, "bad_answer", "The server answered something that is no JSON: reload the page.");
  }
}

export async function askText(path: string): Promise<string> {
  const response = await send("GET", path, { unattended: true });
  if (!response.ok) throw await problemOf(response);
  return response.text();
}

async function problemOf(response: Response): Promise<Problem> {
  let told: { code?: string; detail?: string; field?: string; problems?: Complaint[] } = {};
  try {
    told = await response.json();
  } catch {
    // What stands before the server may answer something else than problem details.
  }
  if (response.status === 401 && told.code === "no_credential") over();
  return new Problem(
    response.status,
    told.code ?? "unknown",
    told.detail ?? `The server answered ${response.status}.`,
    told.field ?? null,
    told.problems ?? [],
  );
}

/** Asks for a file and lets the browser keep it under a name. */
export async function download(path: string, body: unknown, name: string): Promise<void> {
  const response = await send("POST", path, { body });
  if (!response.ok) throw await problemOf(response);
  save(await response.blob(), name);
}

export function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

/** Every item of a list, page by page. */
export async function all<T>(path: string, most = 20_000): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const mark: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page: Page<T> & { features?: T[] } = await ask("GET", `${path}?limit=200${mark}`);
    items.push(...(page.features ?? page.items));
    cursor = page.next_cursor;
  } while (cursor !== null && items.length < most);
  return items;
}
