"""The shape of Radar's `/v1/track`, for web apps that point Radar's web SDK here, and apps that speak it.

The SDK takes an answer for a success only with a `user` object and an `events` list. A foreground request
carries no time at all; a background one its age; a replay the time by the phone's clock for some, and a
counter by which the others can be placed.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from geo.fix import Fix
from geo.reported import Report, ReportKind
from server.clients import fields
from server.clients.heard import Asked, Heard, Reply, Unusable
from server.clients.regions import RIM_NAME, Change, Circle

MOST_NEARBY = 19  #: iOS watches 20 regions; the SDK keeps one for itself
_SOURCES: dict[str, ReportKind] = {
    "GEOFENCE_ENTER": "enter",
    "GEOFENCE_EXIT": "exit",
    "GEOFENCE_DWELL": "dwell",
}
_EVENTS = {
    "enter": "user.entered_geofence",
    "exit": "user.exited_geofence",
    "dwell": "user.dwelled_in_geofence",
}
_MEDIUM, _HIGH = 2, 3  #: confidence


class Happened(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A transition, as far as an event tells it."""

    id: str
    kind: str
    geofence: str
    at: str  #: RFC 3339
    confidence: float


def hear(asked: Asked) -> Heard:
    """A track, or a replay of many."""
    heard = Heard()
    if asked.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded"):
        body: Any = dict(asked.form())
    else:
        body = asked.json()
    members = fields.members(body)
    replays = members.get("replays")
    tracks = replays if isinstance(replays, list) else [members]
    newest = fields.members(tracks[-1]) if tracks else {}
    heard.device = _device(newest)
    heard.notes = {"track": newest, "nearby": fields.truth(newest.get("nearbyGeofences"))}
    heard.notes["limit"] = fields.known(newest.get("nearbyGeofencesLimit"))
    heard.background = newest.get("foreground") in (False, "false")
    token = fields.text_of(newest.get("pushNotificationToken"))
    if 0 < len(token) <= 4096 and token.isascii() and token.isprintable():
        heard.address = ("fcm_token", token)
    now_us = asked.received_at_us
    heard.each(tracks, lambda track: _read(heard, fields.members(track), newest, now_us))
    return heard


def answer(heard: Heard, change: Change) -> Reply:
    """The least that the SDK needs."""
    return answer_to(heard, change)


def answer_to(
    heard: Heard,
    change: Change,
    *,
    at: str = "",
    visiting: Sequence[str] = (),
    events: Sequence[Happened] = (),
) -> Reply:
    """The user with the geofences she is in, and what happened; `at` is now, RFC 3339."""
    track = heard.notes.get("track", {})
    by_name = {circle.name: circle for circle in change.all if circle.name != RIM_NAME}
    user: dict[str, Any] = {
        "_id": heard.device,
        "deviceId": heard.device,
        "userId": track.get("userId"),
        "updatedAt": at,
        "actualUpdatedAt": at,
        "live": True,
        "geofences": [_geofence(by_name.get(name) or name) for name in visiting],
    }
    position = [fields.number(track.get(name)) for name in ("longitude", "latitude")]
    if None not in position:
        user["location"] = {"type": "Point", "coordinates": position}
        user["locationAccuracy"] = fields.accuracy_m(track.get("accuracy"))
    told = [_event(one, by_name.get(one.geofence), user) for one in events if one.kind in _EVENTS]
    body: dict[str, Any] = {"meta": {"code": 200}, "user": user, "events": told}
    if heard.notes.get("nearby"):
        most = int(min(heard.notes.get("limit") or MOST_NEARBY, MOST_NEARBY))
        body["nearbyGeofences"] = [_geofence(circle) for circle in list(by_name.values())[:most]]
    return Reply(body=msgspec.json.encode(body))


def _device(track: dict[str, Any]) -> str | None:
    """An anonymous track names no device, and is answered without being kept."""
    if fields.truth(track.get("anonymous")) or track.get("deviceId") == "anonymous":
        return None
    return fields.name(track.get("deviceId")) or fields.name(track.get("installId"))


def _read(heard: Heard, track: dict[str, Any], newest: dict[str, Any], now_us: int) -> None:
    if _device(track) != heard.device:
        raise Unusable("other_device", "a request speaks for one device")
    if heard.device is None:
        return
    fixed_at_us = _fixed_at_us(track, newest, now_us)
    heard.fixes.append(_fix(track, fixed_at_us))
    kind = _SOURCES.get(fields.text_of(track.get("source")))
    geofence = fields.name(track.get("geofenceId"))
    if kind is not None and geofence is not None:
        heard.reports.append(Report(geofence=geofence, kind=kind, at_us=fixed_at_us))


def _fix(track: dict[str, Any], fixed_at_us: int) -> Fix:
    counter = fields.number(track.get("locationMs"))
    return fields.fix(
        track.get("latitude"),
        track.get("longitude"),
        fixed_at_us,
        accuracy_m=fields.accuracy_m(track.get("accuracy")),
        speed_mps=fields.known(track.get("speed")),
        course_deg=fields.course_deg(track.get("course")),
        altitude_m=fields.number(track.get("altitude")),
        mock=track.get("source") == "MOCK_LOCATION",
        id=None if counter is None else f"locationMs {counter:.0f}",
    )


def _fixed_at_us(track: dict[str, Any], newest: dict[str, Any], now_us: int) -> int:
    """`updatedAtMs` or `updatedAt`; else, in a replay, by the counter from the newest; else by age.

    An item that was kept after a failed request carries an age that means nothing any more.
    """
    for name in ("updatedAtMs", "updatedAt"):
        if track.get(name) is not None:
            return fields.at_us(track[name], name)
    counters = [fields.number(one.get("locationMs")) for one in (track, newest)]
    newest_ms = fields.number(newest.get("updatedAtMs"))
    if newest_ms is not None and counters[0] is not None and counters[1] is not None:
        return fields.at_us(newest_ms - (counters[1] - counters[0]), "locationMs")
    age_ms = fields.known(track.get("updatedAtMsDiff")) or 0.0
    return fields.at_us(now_us / 1000 - age_ms, "updatedAtMsDiff") if age_ms else now_us


def _event(one: Happened, circle: Circle | None, user: dict[str, Any]) -> dict[str, Any]:
    return {
        "_id": one.id,
        "type": _EVENTS[one.kind],
        "createdAt": one.at,
        "actualCreatedAt": one.at,
        "live": True,
        "geofence": _geofence(circle or one.geofence),
        "location": user.get("location"),
        "locationAccuracy": user.get("locationAccuracy"),
        "confidence": _HIGH if one.confidence >= 0.9 else _MEDIUM,
    }


def _geofence(circle: Circle | str) -> dict[str, Any]:
    """A geofence by its circle, or, where that is not near, by its name alone."""
    if isinstance(circle, str):
        return {"_id": circle, "externalId": circle, "description": circle}
    return {
        "_id": circle.name,
        "externalId": circle.name,
        "description": circle.name,
        "type": "circle",
        "geometryCenter": {"type": "Point", "coordinates": [circle.lon_deg, circle.lat_deg]},
        "geometryRadius": round(circle.radius_m),
    }
