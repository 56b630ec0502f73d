// Puts each of the texts into each field that can be written into and was not before, as typing it would; the sharpest
// are left and entered as well. Returns the labels of all controls there are.
async ({ texts, sharp, known }) => {
  const done = (window.filledFields ??= new WeakSet());
  const labelOf = (field) => field.getAttribute("aria-label") ?? field.labels?.[0]?.innerText ?? "";
  const valueOf = (field) => Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), "value");
  const put = async (field, text, left) => {
    valueOf(field).set.call(field, text);
    field.dispatchEvent(new Event("input", { bubbles: true }));
    if (left) {
      field.dispatchEvent(new Event("change", { bubbles: true }));
      field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
    }
    await null; // what is shown follows in the microtask after it
  };
  const controls = [...document.querySelectorAll("input, textarea, select")];
  for (const field of controls) {
    const writable = field.localName === "textarea" || (field.localName === "input" && !["file", "checkbox", "radio"].includes(field.type));
    if (!writable || field.disabled || done.has(field) || known.includes(labelOf(field))) continue;
    done.add(field);
    for (const text of texts) await put(field, text, false);
    for (const text of sharp) await put(field, text, true);
  }
  return controls.map(labelOf);
}
