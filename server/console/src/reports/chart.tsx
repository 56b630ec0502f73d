import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { save } from "../api";
import { asError, Button, say } from "../ui";
import { csv } from "./csv";
import { png } from "./picture";

interface Props {
  title: string;
  about: string;
  file: string;
  header: string[];
  rows: unknown[][];
  /** The chart, drawn as wide as there is room, in pixels. */
  children: (width: number) => ComponentChildren;
}

/** A chart with its words, and its numbers to take away. */
export function Chart({ title, about, file, header, rows, children }: Props): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!box.current) return;
    const watch = new ResizeObserver(([entry]) => entry && setWidth(Math.floor(entry.contentRect.width)));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  const picture = async () => {
    const svg = box.current?.querySelector("svg");
    if (!svg) return;
    try {
      save(await png(svg), `${file}.png`);
    } catch (error) {
      say(`The picture could not be made: ${asError(error).message}`, "bad");
    }
  };
  return (
    <section class="card chart" aria-label={title}>
      <div class="page-head">
        <div><h2>{title}</h2><p class="small-text">{about}</p></div>
        {rows.length > 0 && (
          <span class="actions">
            <Button small aria-label={`${title} as CSV`} onClick={() => save(new Blob([csv(header, rows)], { type: "text/csv;charset=utf-8" }), `${file}.csv`)}>CSV</Button>
            <Button small aria-label={`${title} as PNG`} onClick={picture}>PNG</Button>
          </span>
        )}
      </div>
      <div ref={box}>{width > 0 && children(width)}</div>
    </section>
  );
}
