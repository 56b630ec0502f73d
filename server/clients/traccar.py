"""Traccar Client and the OsmAnd protocol: four bodies in the wild, at one address.

A query with an empty body (the old apps, OsmAnd, scripts), a form (version 10), Transistorsoft's JSON
(version 9), and a JSON list of flat objects. Speeds are in knots, except in version 9's JSON. Any 2xx deletes
the position on the phone; only a request that names no device at all is refused.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

from server.clients import fields, transistorsoft
from server.clients.heard import Asked, Heard, Reply, Unusable
from server.clients.regions import Change

FCM_TOKEN_MOST = 4096


class NoDevice(Exception):  # noqa: N818 - it names what is missing
    """The request names no device, which is for whoever configured it to see."""


def hear(asked: Asked) -> Heard:
    """A position, a heartbeat without one, or a push token. Raises NoDevice."""
    heard = Heard()
    if asked.headers.get("content-type", "").lower().startswith("application/json"):
        _json(heard, asked)
    else:
        pairs = asked.pairs() or asked.form()
        if not pairs and not asked.body and asked.method == "GET":
            return heard  # somebody looks whether the address is right
        flat = _flat(pairs)
        heard.each([flat], lambda record: _read(heard, record, asked.received_at_us))
    if heard.device is None:
        raise NoDevice
    return heard


def answer(_: Heard, __: Change) -> Reply:
    """The body is read by nobody."""
    return Reply()


def _json(heard: Heard, asked: Asked) -> None:
    body = asked.json()
    if isinstance(body, list) and not any("coords" in fields.members(one) for one in body):
        heard.each(body, lambda record: _read(heard, fields.members(record), asked.received_at_us))
        return
    members = fields.members(body)
    records = transistorsoft.records_of(body)
    trail = parse_qs(fields.text_of(fields.members(records[0]).get("_")) if records else "")
    query = dict(asked.pairs())
    named = (members.get("device_id"), *trail.get("id", ()), query.get("id"), query.get("deviceid"))
    heard.device = next((one for one in map(fields.name, named) if one), None)
    heard.each(records, lambda record: _coords(heard, record))


def _coords(heard: Heard, record: Any) -> None:
    if "coords" in fields.members(record):  # else a heartbeat
        transistorsoft.read(heard, record)


def _flat(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The first value of each name; `cell` and `wifi` come more than once."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def _read(heard: Heard, record: dict[str, Any], now_us: int) -> None:
    device = fields.name(record.get("id")) or fields.name(record.get("deviceid"))
    if heard.device not in (None, device):
        raise Unusable("other_device", "a request speaks for one device")
    heard.device = device
    token = fields.text_of(record.get("notificationToken"))
    if 0 < len(token) <= FCM_TOKEN_MOST and token.isascii() and token.isprintable():
        heard.address = ("fcm_token", token)
    lat, lon = _position(record)
    invalid = fields.text_of(record.get("valid")).lower() in ("false", "0")
    if invalid or (lat is None and lon is None):
        return  # a heartbeat: there is no position, or only an old one
    at = record.get("timestamp")
    heard.fixes.append(
        fields.fix(
            lat,
            lon,
            now_us if at is None else fields.at_us(at, "timestamp"),
            accuracy_m=fields.accuracy_m(record.get("accuracy")),
            speed_mps=fields.known(record.get("speed"), fields.KNOT_MPS),
            course_deg=fields.course_deg(record.get("bearing", record.get("heading"))),
            altitude_m=fields.number(record.get("altitude")),
            mock=fields.truth(record.get("mock")),
        )
    )


def _position(record: dict[str, Any]) -> tuple[Any, Any]:
    if "location" in record:
        lat, _, lon = fields.text_of(record["location"]).partition(",")
        return lat, lon
    return record.get("lat"), record.get("lon")
