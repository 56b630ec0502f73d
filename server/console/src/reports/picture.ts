// A chart as a picture: with the colours that it has on the page, twice as fine.

const KEPT = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-linecap", "stroke-dasharray", "font-size", "font-weight", "text-anchor", "paint-order"];
const MARGIN = 16;

export async function png(svg: SVGSVGElement): Promise<Blob> {
  const { width, height } = svg.getBoundingClientRect();
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(standalone(svg, width, height))}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = (width + 2 * MARGIN) * 2;
  canvas.height = (height + 2 * MARGIN) * 2;
  const paper = canvas.getContext("2d");
  if (!paper) throw new Error("the browser has no canvas");
  paper.fillStyle = getComputedStyle(document.body).getPropertyValue("--surface");
  paper.fillRect(0, 0, canvas.width, canvas.height);
  paper.drawImage(image, MARGIN * 2, MARGIN * 2, width * 2, height * 2);
  return new Promise((done, failed) => canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("the picture is empty")))));
}

/** The drawing with its style written into it: outside the page there is no stylesheet. */
function standalone(svg: SVGSVGElement, width: number, height: number): string {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const from = svg.querySelectorAll("*");
  for (const [index, element] of copy.querySelectorAll("*").entries()) {
    const style = getComputedStyle(from[index] as Element);
    for (const name of KEPT) element.setAttribute(name, style.getPropertyValue(name));
    element.setAttribute("font-family", "sans-serif");
  }
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  return new XMLSerializer().serializeToString(copy);
}
