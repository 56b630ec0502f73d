"""OwnTracks in HTTP mode (Android and iOS), and Overland's imitation of it.

One message a request. The answer is always 200 with a JSON array: an empty body, or one element that the app
does not know, stalls the queue of a released Android version or loses the whole answer.
"""

import base64
import binascii
import contextlib
from typing import Any

import msgspec

from geo.fix import SECOND_US
from geo.reported import Report, ReportKind
from server.clients import fields
from server.clients.heard import Asked, Heard, Reply, Unusable
from server.clients.regions import Change, Circle

#: Overland writes seconds since 2001 where OwnTracks has seconds since 1970.
YEAR_2001_US = 978_307_200 * SECOND_US
YEAR_2010_US = 1_262_304_000 * SECOND_US
DAYS_BACK_US, DAYS_AHEAD_US = 7 * 86_400 * SECOND_US, 86_400 * SECOND_US
#: iOS takes coordinates that cannot be for 'delete this region'.
NOWHERE_DEG = -1_000_000
LEAST_RADIUS_M = 150.0  #: below it phones' own region monitoring is not reliable

_EVENTS: dict[str, ReportKind] = {"enter": "enter", "leave": "exit"}


def hear(asked: Asked) -> Heard:
    """One message, or a list of them. Types other than `location` and `transition` say nothing to us."""
    heard = Heard(notes={"android": _agent(asked).startswith("owntracks-android")})
    if not asked.body.strip():
        return heard
    body = asked.json()
    messages = [one for one in (body if isinstance(body, list) else [body]) if isinstance(one, dict)]
    first = messages[0] if messages else {}
    heard.notes["overland"] = _is_overland(asked, first)
    heard.device = _device(asked, fields.text_of(first.get("topic")))
    heard.each(messages, lambda message: _read(heard, message, asked.received_at_us))
    return heard


def answer(heard: Heard, change: Change) -> Reply:
    """An array with at most one command; for Overland what Overland needs."""
    if heard.notes.get("overland"):
        return Reply(body=b'{"result":"ok"}')
    android = heard.notes.get("android", False)
    waypoints = [_waypoint(circle) for circle in change.put]
    if not android:
        waypoints = [_deleted(circle) for circle in change.gone] + waypoints
    if not waypoints:
        return Reply(body=b"[]")
    command = {
        "_type": "cmd",
        "action": "setWaypoints",
        "waypoints": {"_type": "waypoints", "waypoints": waypoints},
    }
    return Reply(body=msgspec.json.encode([command]))


def _read(heard: Heard, message: dict[str, Any], now_us: int) -> None:
    match message.get("_type"):
        case "location":
            _location(heard, message, now_us)
        case "transition":
            _transition(heard, message, now_us)
        case "encrypted":
            raise Unusable("encrypted", "the app encrypts its messages: turn its encryption off")


def _location(heard: Heard, message: dict[str, Any], now_us: int) -> None:
    if heard.notes["android"] and ("lat" in message) != ("lon" in message):
        message = {"lat": 0.0, "lon": 0.0} | message  # it leaves out a value that is exactly zero
    heard.fixes.append(
        fields.fix(
            message.get("lat"),
            message.get("lon"),
            _time_us(message, now_us),
            accuracy_m=fields.accuracy_m(message.get("acc")),
            speed_mps=fields.known(message.get("vel"), fields.KMH_MPS),
            course_deg=fields.course_deg(message.get("cog")),
            altitude_m=fields.number(message.get("alt")),
        )
    )


def _transition(heard: Heard, message: dict[str, Any], now_us: int) -> None:
    kind = _EVENTS.get(fields.text_of(message.get("event")))
    if kind is None:
        raise Unusable("bad_event", "event is neither enter nor leave")
    at_us = _time_us(message, now_us)
    region = fields.name(message.get("rid"))
    number = fields.number(message.get("wtst"))
    if region is not None:
        heard.reports.append(Report(geofence=region, kind=kind, at_us=at_us))
    elif number is not None:
        heard.waypoints.append((int(number), kind, at_us))
    if message.get("t") != "b":  # a beacon's position is where the beacon was set up, or 0/0
        _location(heard, message, now_us)


def _time_us(message: dict[str, Any], now_us: int) -> int:
    at_us = fields.at_us(message.get("tst"), "tst")
    if at_us < YEAR_2010_US and -DAYS_BACK_US < at_us + YEAR_2001_US - now_us < DAYS_AHEAD_US:
        return at_us + YEAR_2001_US
    return at_us


def _device(asked: Asked, topic: str) -> str | None:
    """`user:device`. Who signs in is the user; what the message says of itself is a name, never a proof."""
    levels = topic.split("/")
    by_topic = (levels[1], levels[2]) if len(levels) > 2 else ("", "")
    query = dict(asked.pairs())
    user = _signed_in(asked) or by_topic[0] or asked.headers.get("x-limit-u") or query.get("u")
    device = by_topic[1] or asked.headers.get("x-limit-d") or query.get("d")
    return fields.name(":".join(part for part in (user, device) if part))


def _signed_in(asked: Asked) -> str | None:
    """The user of `Authorization: Basic`; Overland forgets to encode it."""
    scheme, _, value = asked.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    with contextlib.suppress(binascii.Error, ValueError):  # else it stands there as it is
        value = base64.b64decode(value, validate=True).decode()
    return value.partition(":")[0].strip() or None


def _agent(asked: Asked) -> str:
    return asked.headers.get("user-agent", "").lower()


def _is_overland(asked: Asked, message: dict[str, Any]) -> bool:
    agent = _agent(asked)
    return ("overland" in agent or "gpslogger" in agent) and not {"_id", "tid", "t"} & message.keys()


def _waypoint(circle: Circle) -> dict[str, Any]:
    return {
        "_type": "waypoint",
        "tst": circle.number,
        "rid": circle.name,
        "desc": circle.name.replace(":", " ").replace("|", " "),  # the app reads those two as syntax
        "lat": circle.lat_deg,
        "lon": circle.lon_deg,
        "rad": round(max(circle.radius_m, LEAST_RADIUS_M)),
    }


def _deleted(circle: Circle) -> dict[str, Any]:
    return _waypoint(circle) | {"lat": NOWHERE_DEG, "lon": NOWHERE_DEG}
