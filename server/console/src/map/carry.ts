// Moving the map where a computer draws without graphics hardware: a picture of 2,000 fences takes such a one a
// second. So while somebody drags, the picture that is there is carried along, and drawn anew when it rests.
import type { Map as MapLibre } from "maplibre-gl";

const SOFTWARE = /swiftshader|llvmpipe|software|basic render/i;

function drawsInSoftware(map: MapLibre): boolean {
  const gl = map.getCanvas().getContext("webgl2");
  const told = gl?.getExtension("WEBGL_debug_renderer_info");
  return Boolean(gl && told && SOFTWARE.test(String(gl.getParameter(told.UNMASKED_RENDERER_WEBGL))));
}

export function carryWhileDragged(map: MapLibre): void {
  if (!drawsInSoftware(map)) return;
  const { painter } = map;
  const canvas = map.getCanvas();
  const draw = painter.render.bind(painter);
  let held: { lng: number; lat: number } | null = null; // what lay in the middle when the picture was drawn
  painter.render = (...arguments_) => {
    if (!held) draw(...arguments_);
  };
  const carry = () => {
    if (!held) return;
    const at = map.project(held);
    canvas.style.transform = `translate(${at.x - canvas.clientWidth / 2}px, ${at.y - canvas.clientHeight / 2}px)`;
  };
  const settle = () => {
    if (!held) return;
    held = null;
    // Away from where it was only once the new picture is there: else the old one would be seen to jump back.
    map.once("render", () => (canvas.style.transform = ""));
    map.triggerRepaint();
  };
  map.on("dragstart", () => (held = map.getCenter()));
  map.on("move", carry);
  map.on("moveend", settle);
  map.on("zoomstart", settle);
}
