"""What clients send and get, and its translation into inputs.

Whole bodies are decoded in one go; only when that fails is each record of a batch decoded by itself, so that
one bad record costs one entry in `rejected` and nothing else.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec

from geo.reported import Report, ReportKind
from offers.event import event_from_body
from offers.problem import BodyRejected
from server.clock import from_us, to_us
from server.problems import bad_json, not_acceptable

MOST_RECORDS = 2000  #: fixes or events in one request

T = TypeVar("T")

Time = Annotated[datetime, msgspec.Meta(tz=True, description="RFC 3339 with an offset")]
#: PostgreSQL can hold no NUL; the JSON decoder has refused lone surrogates already.
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]


class _Wire(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """A body as it stands on the wire; a field nobody knows is refused with its name."""


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request's JSON; unknown fields are refused with their name."""


class WireFix(_Wire, frozen=True, kw_only=True):
    """A fix on the wire; to `Pings.of` it is as good as a `Fix`, and costs nothing to make."""

    lat_deg: float = msgspec.field(name="lat")
    lon_deg: float = msgspec.field(name="lon")
    fixed_at: Time
    accuracy_m: float | None = None
    speed_mps: float | None = None
    course_deg: float | None = None
    altitude_m: float | None = None
    mock: bool | None = None
    id: Text | None = None

    @property
    def fixed_at_us(self) -> int:
        # Exact for some 150 years to come: a double holds such a time to a quarter of a microsecond.
        return round(self.fixed_at.timestamp() * 1e6)


class Ping(_Wire, frozen=True, kw_only=True):
    fixes: Annotated[list[WireFix], msgspec.Meta(max_length=MOST_RECORDS)]
    device_id: str | None = None  #: with a server key only: for which device
    background: bool = False  #: the app was not in use when they were measured


class _LoosePing(_Wire, frozen=True, kw_only=True):
    fixes: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=MOST_RECORDS)]
    device_id: str | None = None
    background: bool = False


class Events(_Wire, frozen=True, kw_only=True):
    events: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=MOST_RECORDS)]
    device_id: str | None = None


class WireCrossing(_Wire, frozen=True, kw_only=True):
    geofence_id: Text
    kind: ReportKind
    at: Time

    def report(self) -> Report:
        return Report(geofence=self.geofence_id, kind=self.kind, at_us=to_us(self.at))


class Crossings(_Wire, frozen=True, kw_only=True):
    crossings: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=MOST_RECORDS)]
    device_id: str | None = None


class Rejected(_Wire, frozen=True, kw_only=True, omit_defaults=True):
    index: int
    reason: str
    detail: str | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """The records of a request that could be read, each with its place in the request."""

    device_id: str | None
    places: Sequence[int]
    records: list[Any]
    rejected: list[Rejected]
    background: bool = False  #: of a ping


def decode(body: bytes, shape: type[T]) -> T:
    """The body as `shape`; raises Problem 400 for what is no JSON and 422 for JSON of another shape."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        _require_json(body)  # the wrong shape may be told before the syntax error behind it
        raise not_acceptable(error) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise bad_json(error) from None


def _require_json(body: bytes) -> None:
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise bad_json(error) from None


_ping = msgspec.json.Decoder(Ping)


def decode_ping(body: bytes) -> Batch:
    """The fixes of a ping; a fix that cannot be read is rejected alone."""
    try:
        whole = _ping.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        loose = decode(body, _LoosePing)
        batch = _one_by_one(loose.device_id, loose.fixes, _fix)
        return msgspec.structs.replace(batch, background=loose.background)
    return Batch(
        device_id=whole.device_id,
        places=range(len(whole.fixes)),
        records=whole.fixes,
        rejected=[],
        background=whole.background,
    )


def fixes_of(body: bytes, device_id: str) -> Sequence[WireFix]:
    """The fixes of a ping of this device's; none where it cannot be read whole, or names another."""
    try:
        whole = _ping.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ()
    return whole.fixes if whole.device_id in (None, device_id) else ()


def decode_events(body: bytes) -> Batch:
    """The browse events of a request; one that cannot be read is rejected alone."""
    loose = decode(body, Events)
    return _one_by_one(loose.device_id, loose.events, lambda raw: event_from_body(msgspec.json.decode(raw)))


def decode_crossings(body: bytes) -> Batch:
    """The crossings of a request; one that cannot be read is rejected alone."""
    loose = decode(body, Crossings)
    return _one_by_one(
        loose.device_id, loose.crossings, lambda raw: msgspec.json.decode(raw, type=WireCrossing).report()
    )


def _fix(raw: msgspec.Raw) -> WireFix:
    return msgspec.json.decode(raw, type=WireFix)


def _one_by_one(
    device_id: str | None, raws: Iterable[msgspec.Raw], read: Callable[[msgspec.Raw], Any]
) -> Batch:
    places: list[int] = []
    batch = Batch(device_id=device_id, places=places, records=[], rejected=[])
    for index, raw in enumerate(raws):
        try:
            record = read(raw)
        except (msgspec.DecodeError, BodyRejected, RecursionError, OverflowError) as error:
            batch.rejected.append(Rejected(index=index, reason="malformed", detail=str(error)))
        else:
            places.append(index)
            batch.records.append(record)
    return batch


def rfc3339(at_us: int) -> str:
    """`2026-01-05T18:00:01Z`, with microseconds only where there are some."""
    return from_us(at_us).isoformat().replace("+00:00", "Z")
