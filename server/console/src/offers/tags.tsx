import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";
import { Field } from "../ui";

interface Props {
  label: string;
  hint: string;
  error: string | null;
  chosen: string[];
  choices: { value: string; name: string }[];
  set: (chosen: string[]) => void;
}

/** Several of many: typed or chosen one by one, each taken away by its button. */
export function Tags({ label, hint, error, chosen, choices, set }: Props): JSX.Element {
  const list = useId();
  const [text, setText] = useState("");
  const names = new Map(choices.map(({ value, name }) => [value, name]));
  const add = (typed: string, final: boolean) => {
    const found = choices.find(({ value, name }) => value === typed || `${name} · ${value}` === typed || (final && name.toLocaleLowerCase() === typed.trim().toLocaleLowerCase()));
    const value = found?.value ?? (final ? typed.trim() : "");
    if (!value) return setText(typed);
    if (!chosen.includes(value)) set([...chosen, value]);
    setText("");
  };
  return (
    <Field label={label} hint={hint} error={error}>
      {(attributes) => (
        <>
          {chosen.length > 0 && (
            <ul class="tags">
              {chosen.map((value) => (
                <li key={value}>{names.get(value) ?? value}<button type="button" aria-label={`Remove ${names.get(value) ?? value}`} onClick={() => set(chosen.filter((one) => one !== value))}>×</button></li>
              ))}
            </ul>
          )}
          <input {...attributes} list={list} autocomplete="off" value={text} onInput={(event) => add(event.currentTarget.value, false)} onChange={(event) => add(event.currentTarget.value, true)} onKeyDown={(event) => { if (event.key === "Enter") { event.preventDefault(); add(event.currentTarget.value, true); } }} />
          <datalist id={list}>{choices.slice(0, 2000).map(({ value, name }) => <option key={value} value={name === value ? value : `${name} · ${value}`} />)}</datalist>
        </>
      )}
    </Field>
  );
}
