"""The built console: its files in memory, as compressed as the build left them, with the headers they need.

No script, style, font or picture comes from elsewhere, and the browser is told so.
"""

import gzip
import hashlib
import mimetypes
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

_CONSOLE: Final = Path(__file__).parent / "console" / "dist"
_MAP: Final = Path(__file__).parent / "demo" / "helsinki"
#: Made by the build beside each file that is worth it.
_COMPRESSED: Final = {"br": ".br", "gzip": ".gz"}

_ALLOWED: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "worker-src": "'self'",
    "style-src": "'self'",
    "font-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "report-uri": "/v1/csp-reports",
}
#: What has to be allowed for tiles of another host.
_TILES: Final = ("connect-src", "img-src")


def policy(tiles: str | None = None) -> str:
    """What browsers are told; `tiles` is the one other host that the map may ask, as an origin."""
    also = dict.fromkeys(_TILES, f" {tiles}") if tiles else {}
    return "; ".join(f"{what} {where}{also.get(what, '')}" for what, where in _ALLOWED.items())


_GUARDS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
    "Content-Security-Policy": policy(),
}


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """A file in the forms that browsers take it in."""

    bodies: dict[str, bytes]  #: by encoding; "" is the plain one
    headers: dict[str, str]
    tag: str

    def body_for(self, accepted: str) -> tuple[str, bytes]:
        """The smallest form that a browser accepts, and its encoding."""
        offered = {part.partition(";")[0].strip() for part in accepted.split(",")}
        return min(
            ((name, body) for name, body in self.bodies.items() if not name or name in offered),
            key=lambda form: len(form[1]),
        )


@cache
def console_assets() -> dict[str, Asset]:
    """The console's files by their paths below `/console/`; empty where it is not built."""
    paths = [
        path for path in _CONSOLE.rglob("*") if path.is_file() and path.suffix not in _COMPRESSED.values()
    ]
    return {path.relative_to(_CONSOLE).as_posix(): _asset(path) for path in paths}


@cache
def map_assets() -> dict[str, Asset]:
    """The layers of the demo's street map (© OpenStreetMap contributors, ODbL 1.0), by their names."""
    paths = [_MAP / f"{layer}.geojson" for layer in ("water", "green", "buildings", "roads")]
    return {path.stem: _asset(path, compress=True) for path in paths if path.exists()}


def _asset(path: Path, *, compress: bool = False) -> Asset:
    bodies = {"": path.read_bytes()}
    bodies |= {
        name: path.with_name(path.name + suffix).read_bytes()
        for name, suffix in _COMPRESSED.items()
        if path.with_name(path.name + suffix).exists()
    }
    if compress:
        bodies["gzip"] = gzip.compress(bodies[""], mtime=0)
    kind = "text/javascript" if path.suffix in {".js", ".mjs"} else mimetypes.guess_type(path.name)[0]
    # What the build named by its content never changes under that name.
    lasting = "public, max-age=31536000, immutable" if path.parent.name == "assets" else "no-cache"
    text = "; charset=utf-8" if kind and (kind.startswith("text/") or kind.endswith("json")) else ""
    headers = {"Content-Type": (kind or "application/octet-stream") + text, "Cache-Control": lasting}
    tag = f'"{hashlib.sha256(bodies[""]).hexdigest()[:16]}"'
    return Asset(bodies=bodies, headers=headers | {"Vary": "Accept-Encoding"} | _GUARDS, tag=tag)
