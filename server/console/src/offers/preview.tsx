import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Button } from "../ui";
import { discountText, type Fields, type Product } from "./model";

/** What a phone shows of a push before it is opened; the server cuts there, too. */
const TITLE_SHOWN = 65;
const BODY_SHOWN = 240;

interface Props {
  fields: Fields;
  locale: string;
  product: Product | undefined;
  store: string;
}

/** The message as a phone would show it, filled in for an example shopper. */
export function Preview({ fields, locale, product, store }: Props): JSX.Element {
  const [system, setSystem] = useState<"ios" | "android">("ios");
  const message = fields.messages[locale] ?? { title: "", body: "" };
  const values: Record<string, string> = {
    product: product?.name ?? "the product",
    discount: discountText({ kind: fields.kind, value: fields.value }),
    distance_m: "40",
    store,
    until: "12:30",
  };
  const fill = (text: string, most: number): string => {
    const filled = text.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
    return filled.length > most ? `${filled.slice(0, most - 1)}…` : filled;
  };
  return (
    <div class="preview">
      <div class="actions" role="group" aria-label="Phone">
        <Button small aria-pressed={system === "ios"} onClick={() => setSystem("ios")}>iOS</Button>
        <Button small aria-pressed={system === "android"} onClick={() => setSystem("android")}>Android</Button>
      </div>
      <div class={`phone ${system}`} role="img" aria-label={`On a phone: ${fill(message.title, TITLE_SHOWN)}. ${fill(message.body, BODY_SHOWN)}`}>
        <span class="phone-clock">12:04</span>
        <div class="push">
          <span class="push-app"><span class="push-icon" />Your app<span class="push-when">now</span></span>
          <strong>{fill(message.title, TITLE_SHOWN) || "No title yet"}</strong>
          <span>{fill(message.body, BODY_SHOWN) || "No text yet"}</span>
        </div>
      </div>
      <p class="hint">Filled in for a shopper 40 m away. {message.title.length > TITLE_SHOWN ? "The title is cut on phones." : ""}</p>
    </div>
  );
}
