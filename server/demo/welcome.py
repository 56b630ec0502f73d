"""What the demo says first: where things are, and how to be a shopper oneself. No I/O."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from server.demo.client import Keys
from server.demo.helsinki import ATTRIBUTION
from server.demo.retail import Retail

#: A terminal's width that everything here fits.
WIDTH = 100

_TRY: Final = r"""
URL={url} KEY={app_key}
JSON='Content-Type: application/json'
TOKEN=$(curl -s $URL/v1/devices -H "Authorization: Bearer $KEY" -H "$JSON" -d '{{
  "platform":"android","consents":{{"nearby_offers":{{"granted":true}},"push":{{"granted":true}},
  "personalisation":{{"granted":true}}}}}}' \
  | sed -E 's/.*"access_token": ?"([^"]+)".*/\1/')
curl -s $URL/v1/pings -H "Authorization: Bearer $TOKEN" -H "$JSON" -d '{{"fixes":[
  {{"lat":{lat:.6f},"lon":{lon:.6f},"accuracy_m":8,"fixed_at":"'$(date -u +%FT%TZ)'"}}]}}'
curl -s $URL/v1/events -H "Authorization: Bearer $TOKEN" -H "$JSON" -d '{{"events":[
  {{"kind":"cart","sku":"{sku}","at":"'$(date -u +%FT%TZ)'"}}]}}'
curl -s $URL/v1/inbox -H "Authorization: Bearer $TOKEN"
"""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the demo runs."""

    url: str
    data_dir: Path
    log_file: Path
    keys: Keys
    note: str = ""  #: what else the viewer should know


def console_url(place: Place) -> str:
    """Where the console is; it begins with a tour."""
    return f"{place.url}/console/?tour"


def has_screen(environ: Mapping[str, str]) -> bool:
    """Whether a browser could be shown here: one that draws in the terminal is not meant."""
    return sys.platform == "darwin" or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def title(retail: Retail) -> str:
    """The header line."""
    return (
        f"Vicino demo · central Helsinki: {len(retail.outlets)} real shops, "
        f"{len(retail.bargains)} invented offers · {ATTRIBUTION}"
    )


def heading(place: Place) -> str:
    """What stays above the live table."""
    return f"Vicino demo · {place.url} · stop: Ctrl-C · {ATTRIBUTION} · data: {_short(place.data_dir)}"


def whereabouts(place: Place) -> str:
    """Where things are and how to stop, a line each."""
    lines = [
        ("console", console_url(place)),
        ("", f"sign in as {place.keys.email} with {place.keys.password}"),
        ("server", f"{place.url}   (API: {place.url}/openapi.json)"),
        ("data", f"{_short(place.data_dir)}   (remove it to start afresh)"),
        ("log", _short(place.log_file)),
        ("app key", place.keys.app_key),
        ("server key", place.keys.server_key),
        ("till key", place.keys.till_key),
        ("stop", "Ctrl-C"),
    ]
    if place.note:
        lines.insert(3, ("", place.note))
    return "\n".join(f"  {name:<11} {text}" for name, text in lines)


def invitation(place: Place, retail: Retail) -> str:
    """What to paste into another terminal to get an offer oneself."""
    bargain = retail.showcase
    what = f"in {bargain.outlet.name}, looking at {bargain.article.name.lower()}"
    commands = _TRY.strip().format(
        url=place.url,
        app_key=place.keys.app_key,
        lat=bargain.outlet.lat_deg,
        lon=bargain.outlet.lon_deg,
        sku=bargain.sku,
    )
    return f"Be a shopper yourself ({what}): paste this into another terminal\n\n{commands}"


def _short(path: Path) -> str:
    """The path as seen from here, where that is shorter."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
