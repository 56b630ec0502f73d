"""Overland (iOS, and its Android port): batches of GeoJSON features.

Without `{"result":"ok"}` the app sends the whole batch again, for ever. What it logs beside locations
(visits, trips, its own actions) is taken and says nothing; a feature that cannot be read costs itself.
"""

from typing import Any

import msgspec

from server.clients import fields
from server.clients.heard import Asked, Heard, Reply, Unusable
from server.clients.regions import Change

_OK = Reply(body=b'{"result":"ok"}')


def hear(asked: Asked) -> Heard:
    """`locations`, and `current`: the newest point of a phone that has a backlog."""
    heard = Heard(notes={"asks": asked.method == "GET"})
    if not asked.body.strip():
        return heard
    body = asked.json()
    features = fields.members(body).get("locations")
    if not isinstance(features, list):
        raise Unusable("malformed", "locations is no list")
    current = fields.members(body).get("current")
    everything = [*features, current] if current is not None else features
    properties = [fields.members(fields.members(one).get("properties")) for one in everything]
    named = (fields.name(one.get("device_id")) or fields.name(one.get("unique_id")) for one in properties)
    heard.device = next((one for one in named if one), None)
    heard.each(everything, lambda feature: _read(heard, feature))
    return heard


def answer(heard: Heard, _: Change) -> Reply:
    """Delivered; or, asked by GET, whose account it is."""
    return Reply(body=msgspec.json.encode({"name": "Vicino"})) if heard.notes.get("asks") else _OK


def _read(heard: Heard, feature: Any) -> None:
    properties = fields.members(fields.members(feature).get("properties"))
    if properties.get("action") or properties.get("type"):
        return  # a visit, a trip, something the app did
    position = fields.members(fields.members(feature).get("geometry")).get("coordinates")
    if not isinstance(position, list) or len(position) < 2:
        raise Unusable("no_position", "geometry.coordinates is missing")
    heard.fixes.append(
        fields.fix(
            position[1],
            position[0],
            fields.at_us(properties.get("timestamp"), "timestamp"),
            accuracy_m=fields.accuracy_m(properties.get("horizontal_accuracy")),
            speed_mps=fields.known(properties.get("speed")),
            course_deg=fields.course_deg(properties.get("course")),
            altitude_m=fields.number(properties.get("altitude")),
        )
    )
