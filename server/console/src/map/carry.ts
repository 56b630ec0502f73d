// Moving the map where a computer draws without graphics hardware: a picture of 2,000 fences takes such a one a
// second. So while the map moves, the picture that is there is carried along, larger or smaller where it zooms, and
// drawn anew when it rests.
import type { Map as MapLibre } from "maplibre-gl";

const SOFTWARE = /swiftshader|llvmpipe|software|basic render/i;

function drawsInSoftware(map: MapLibre): boolean {
  const gl = map.getCanvas().getContext("webgl2");
  const told = gl?.getExtension("WEBGL_debug_renderer_info");
  return Boolean(gl && told && SOFTWARE.test(String(gl.getParameter(told.UNMASKED_RENDERER_WEBGL))));
}

/** What lay in the middle of a picture when it was drawn, and how near. */
interface Held {
  middle: { lng: number; lat: number };
  zoom: number;
}

export function carryWhileMoved(map: MapLibre): void {
  if (!drawsInSoftware(map)) return;
  const { painter } = map;
  const canvas = map.getCanvas();
  const draw = painter.render.bind(painter);
  let drawn: Held | null = null; // of the picture that is there; null before the first
  let carrying = false;
  painter.render = (...arguments_) => {
    if (carrying) return;
    draw(...arguments_);
    drawn = { middle: map.getCenter(), zoom: map.getZoom() };
  };
  const carry = () => {
    if (!carrying || !drawn) return;
    const at = map.project(drawn.middle);
    const scale = 2 ** (map.getZoom() - drawn.zoom);
    canvas.style.transform = `translate(${at.x - canvas.clientWidth / 2}px, ${at.y - canvas.clientHeight / 2}px) scale(${scale})`;
  };
  const settle = () => {
    if (!carrying) return;
    carrying = false;
    // Away from where it was only once the new picture is there: else the old one would be seen to jump back.
    map.once("render", () => (carrying ? carry() : (canvas.style.transform = "")));
    map.triggerRepaint();
  };
  map.on("movestart", () => (carrying = drawn !== null));
  map.on("move", carry);
  map.on("moveend", settle);
}
