"""Reads the map of central Helsinki that lies beside this module (© OpenStreetMap contributors, ODbL 1.0)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from server.demo.plane import Plane, Spot
from server.demo.streets import Streets

ATTRIBUTION = "© OpenStreetMap contributors"

#: The middle of the map: the flat plane touches the ellipsoid here.
PLANE = Plane(lat_deg=60.1715, lon_deg=24.9440)

_FOLDER = Path(__file__).parent / "helsinki"
#: Ways nobody walks along: platforms and lifts have no way in on this map, building sites no way through.
_NOT_WALKED = frozenset({"construction", "elevator", "platform"})
_DRIVEN = frozenset(
    {"primary", "primary_link", "secondary", "tertiary", "tertiary_link", "unclassified", "residential"}
)


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """A shop as the map knows it."""

    name: str
    kind: str  #: the value of OpenStreetMap's `shop` tag
    lat_deg: float
    lon_deg: float


class Town(msgspec.Struct, frozen=True, kw_only=True):
    """The streets, for those on foot and for those on wheels."""

    footways: Streets
    roads: Streets


def read_shops() -> tuple[Shop, ...]:
    """Every named shop of the map, in its order."""
    return tuple(
        Shop(
            name=feature["properties"]["n"],
            kind=feature["properties"]["s"],
            lat_deg=feature["geometry"]["coordinates"][1],
            lon_deg=feature["geometry"]["coordinates"][0],
        )
        for feature in _features("shops")
    )


def read_town() -> Town:
    """The streets of the map."""
    ways = [(feature["properties"]["c"], list(_spots(feature))) for feature in _features("roads")]
    return Town(
        footways=Streets.build(way for kind, way in ways if kind not in _NOT_WALKED),
        roads=Streets.build(way for kind, way in ways if kind in _DRIVEN),
    )


def _features(name: str) -> list[dict[str, Any]]:
    document = msgspec.json.decode((_FOLDER / f"{name}.geojson").read_bytes())
    features: list[dict[str, Any]] = document["features"]
    return features


def _spots(feature: dict[str, Any]) -> Iterator[Spot]:
    return (PLANE.spot(lat_deg, lon_deg) for lon_deg, lat_deg in feature["geometry"]["coordinates"])
