"""Transistorsoft's background geolocation (React Native, Flutter, Capacitor, Cordova; versions 4 and 5).

The body's form depends on the app's configuration: `{"location": {…}}`, `{"location": […]}`, another root,
the fields at the root, or a bare list. 200 deletes the records on the phone; 401 makes it refresh its token
and try again; anything else halts its uploads.
"""

from typing import Any

import msgspec

from geo.fix import Fix
from geo.reported import Report, ReportKind
from server.clients import fields
from server.clients.heard import Asked, Heard, Reply, Unusable
from server.clients.regions import RIM_NAME, Change, Circle

_ROOTS = ("location", "data", "locations")
_DEVICE = ("device_id", "deviceId", "id")
_ACTIONS: dict[str, ReportKind] = {"ENTER": "enter", "EXIT": "exit", "DWELL": "dwell"}
LEAST_RADIUS_M = 200.0  #: the vendor's own figure for what is reliable
LOITERING_MS = 60_000


def hear(asked: Asked) -> Heard:
    """All bodies that the SDK can be made to send, but for templates, which an app writes for itself."""
    heard = Heard()
    if not asked.body.strip():
        return heard
    body = asked.json()
    records = records_of(body)
    first = fields.members(records[0]) if records else {}
    places = (fields.members(body), first, fields.members(first.get("extras")))
    names = (fields.name(place.get(key)) for place in places for key in _DEVICE)
    heard.device = next((one for one in names if one), None)
    heard.each(records, lambda record: read(heard, record))
    return heard


def answer(_: Heard, change: Change) -> Reply:
    """Delivered; with geofences to add or remove as commands of the SDK's remote procedure call."""
    commands: list[list[Any]] = []
    if change.gone:
        commands.append(["removeGeofences", [circle.name for circle in change.gone]])
    if change.put:
        commands.append(["addGeofences", [_geofence(circle) for circle in change.put]])
    return Reply(body=msgspec.json.encode({"background_geolocation": commands} if commands else {}))


def records_of(body: Any) -> list[Any]:
    """The location records of a body: under a root, at the root, or the list itself. Raises Unusable."""
    if isinstance(body, list):
        return body
    members = fields.members(body)
    found = next((members[root] for root in _ROOTS if root in members), None)
    if found is None and "coords" in members:
        found = members
    if found is None:
        roots = [one for one in members.values() if isinstance(one, dict | list) and _looks_right(one)]
        found = roots[0] if roots else None
    if found is None:
        raise Unusable("malformed", "no location: neither location, data, locations nor coords is there")
    return found if isinstance(found, list) else [found]


def _looks_right(value: Any) -> bool:
    """Whether this is what a root of the app's own naming holds."""
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict) and "coords" in first


def read(heard: Heard, record: Any) -> None:
    """One location record. Samples are the SDK's own attempts at a position, and are not kept."""
    members = fields.members(record)
    if members.get("sample") is True:
        return
    report = _report(members)
    if report is not None:
        heard.reports.append(report)
    heard.fixes.append(_fix(members))


def _fix(members: dict[str, Any]) -> Fix:
    coords = fields.members(members.get("coords"))
    return fields.fix(
        coords.get("latitude"),
        coords.get("longitude"),
        fields.at_us(members.get("timestamp"), "timestamp"),
        accuracy_m=fields.accuracy_m(coords.get("accuracy")),
        speed_mps=fields.known(coords.get("speed")),
        course_deg=fields.course_deg(coords.get("heading")),
        altitude_m=fields.number(coords.get("altitude")),
        mock=fields.truth(members.get("mock")),
    )


def _report(members: dict[str, Any]) -> Report | None:
    """What a geofence event says; its own time, which may differ from the position's."""
    event = fields.members(members.get("geofence"))
    kind = _ACTIONS.get(fields.text_of(event.get("action")).upper())
    geofence = fields.name(event.get("identifier"))
    if kind is None or geofence is None:
        return None
    at = event.get("timestamp") or members.get("timestamp")
    return Report(geofence=geofence, kind=kind, at_us=fields.at_us(at, "geofence.timestamp"))


def _geofence(circle: Circle) -> dict[str, Any]:
    rim = circle.name == RIM_NAME
    geofence = {
        "identifier": circle.name,
        "latitude": circle.lat_deg,
        "longitude": circle.lon_deg,
        "radius": round(circle.radius_m if rim else max(circle.radius_m, LEAST_RADIUS_M)),
        "notifyOnEntry": not rim,
        "notifyOnExit": True,
        "notifyOnDwell": not rim,
    }
    return geofence if rim else geofence | {"loiteringDelay": LOITERING_MS}
