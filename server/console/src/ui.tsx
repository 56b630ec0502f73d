// The parts that every page is made of.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { Problem } from "./api";

export function Button(
  props: { kind?: "primary" | "plain" | "danger" | "quiet"; busy?: boolean; small?: boolean } & Omit<JSX.IntrinsicElements["button"], "ref">,
): JSX.Element {
  const { kind = "plain", busy = false, small = false, children, ...rest } = props;
  return (
    <button type="button" {...rest} class={`button ${kind}${small ? " small" : ""}`} disabled={busy || rest.disabled === true} aria-busy={busy}>
      {children}
    </button>
  );
}

interface FieldProps {
  label: string;
  hint?: string | undefined;
  error?: string | null | undefined;
  unit?: string;
  children: (attributes: { id: string; "aria-describedby": string; "aria-invalid": boolean }) => ComponentChildren;
}

/** A labelled control. What is wrong with it stands beneath it, and is read out with it. */
export function Field({ label, hint, error, unit, children }: FieldProps): JSX.Element {
  const id = useId();
  return (
    <div class={error ? "field wrong" : "field"}>
      <label for={id}>{label}</label>
      <div class={unit ? "control has-unit" : "control"}>
        {children({ id, "aria-describedby": `${id}-hint`, "aria-invalid": Boolean(error) })}
        {unit && <span class="unit" aria-hidden="true">{unit}</span>}
      </div>
      <p id={`${id}-hint`} class={error ? "error" : "hint"}>{error ?? hint ?? ""}</p>
    </div>
  );
}

export function Notice({ kind, children }: { kind: "info" | "warn" | "bad" | "good"; children: ComponentChildren }): JSX.Element {
  const marks = { info: "i", warn: "!", bad: "×", good: "✓" };
  return (
    <div class={`notice ${kind}`} role={kind === "bad" ? "alert" : undefined}>
      <span class="mark" aria-hidden="true">{marks[kind]}</span>
      <div>{children}</div>
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }): JSX.Element {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

export function Badge({ kind, children }: { kind: "good" | "bad" | "warn" | "quiet"; children: ComponentChildren }): JSX.Element {
  return <span class={`badge ${kind}`}>{children}</span>;
}

export function Loading({ what }: { what: string }): JSX.Element {
  return <p class="loading" role="status">Loading {what} …</p>;
}

export function Failed({ error, again }: { error: Error; again?: () => void }): JSX.Element {
  return (
    <Notice kind="bad">
      <p>{error.message}</p>
      {again && <Button small onClick={again}>Try again</Button>}
    </Notice>
  );
}

/** A question that has to be answered; Escape says no. */
export function Dialog(props: { title: string; children: ComponentChildren; close: () => void; wide?: boolean }): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog ref={dialog} class={props.wide ? "wide" : ""} aria-labelledby={id} onClose={props.close} onCancel={props.close}>
      <h2 id={id}>{props.title}</h2>
      {props.children}
    </dialog>
  );
}

const said: ((text: string, kind: "good" | "bad") => void)[] = [];

/** Says something briefly, also to those who hear the page. */
export function say(text: string, kind: "good" | "bad" = "good"): void {
  for (const listener of said) listener(text, kind);
}

export function Toasts(): JSX.Element {
  const [shown, setShown] = useState<{ id: number; text: string; kind: string }[]>([]);
  useEffect(() => {
    let id = 0;
    const listener = (text: string, kind: string) => {
      const mine = ++id;
      setShown((before) => [...before.slice(-2), { id: mine, text, kind }]);
      setTimeout(() => setShown((before) => before.filter((one) => one.id !== mine)), 6000);
    };
    said.push(listener);
    return () => void said.splice(said.indexOf(listener), 1);
  }, []);
  return (
    <div class="toasts" role="status" aria-live="polite">
      {shown.map((one) => <div key={one.id} class={`toast ${one.kind}`}>{one.text}</div>)}
    </div>
  );
}

export interface Loaded<T> {
  value: T | null;
  error: Error | null;
  again: () => Promise<void>;
}

/** Loads something, again when what it depends on changes; what was there stays until then. */
export function useLoaded<T>(load: () => Promise<T>, on: readonly unknown[]): Loaded<T> {
  const [state, setState] = useState<{ value: T | null; error: Error | null }>({ value: null, error: null });
  const newest = useRef(0);
  const again = async () => {
    const mine = ++newest.current;
    try {
      const value = await load();
      if (mine === newest.current) setState({ value, error: null });
    } catch (error) {
      if (mine === newest.current) setState((before) => ({ value: before.value, error: asError(error) }));
    }
  };
  useEffect(() => {
    void again();
    return () => void newest.current++;
  }, on);
  return { ...state, again };
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** What a problem says of one field; the last part of its path counts (`properties.radius`). */
export function complaint(error: Error | null, ...names: string[]): string | null {
  if (!(error instanceof Problem)) return null;
  const matches = (field: string | null) => names.some((name) => field === name || field?.endsWith(`.${name}`));
  const found = error.problems.find((one) => matches(one.field));
  if (found) return [found.detail, found.remedy].filter(Boolean).join(". ");
  return matches(error.field) ? error.message : null;
}
