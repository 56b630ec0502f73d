"""What goes into a translator and what comes out of it."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from geo.fix import Fix
from geo.reported import Report, ReportKind

#: Characters that the database cannot hold, or nobody can read.
UNFIT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
MOST_RECORDS = 20_000  #: in one request: more than a phone gathers in a week
MOST_CHARACTERS = 200  #: of a device's or fence's name


class Unusable(Exception):  # noqa: N818 - it names what is wrong with a record
    """A record that can never be used, and why. The client is answered success all the same."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason  #: a reason code
        self.detail = detail  #: names the field; holds no value of it


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request, as far as translators look at it."""

    method: str = "POST"
    query: str = ""  #: as in the address, without the question mark
    headers: Mapping[str, str] = {}  #: names in lower case
    body: bytes = b""
    received_at_us: int = 0

    def pairs(self) -> list[tuple[str, str]]:
        """The query's parameters, in order."""
        return parse_qsl(self.query, keep_blank_values=True) if self.query else []

    def form(self) -> list[tuple[str, str]]:
        """The fields of a form in the body, in order."""
        return parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)

    def json(self) -> Any:
        """The body. Raises Unusable."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            raise Unusable("bad_json", "the body is no JSON") from None


class Refused(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record that was put aside."""

    reason: str
    detail: str
    shape: str  #: the names of its fields and what kind of values they have, never the values


class Heard(msgspec.Struct, kw_only=True):
    """What a request said."""

    device: str | None = None  #: the client's own name for the device
    fixes: list[Fix] = []
    reports: list[Report] = []
    waypoints: list[tuple[int, ReportKind, int]] = []  #: reports of regions by number: number, kind, time
    background: bool = False  #: the client says that the app was not in use
    address: tuple[str, str] | None = None  #: a push address: kind, value
    refused: list[Refused] = []
    notes: dict[str, Any] = {}  #: what the translator's own answer needs to know again

    def each(self, records: Iterable[Any], read: Callable[[Any], None]) -> None:
        """Reads records one by one; one that is unusable costs itself."""
        for number, record in enumerate(records):
            if number == MOST_RECORDS:
                detail = f"more than {MOST_RECORDS} records in one request: what comes after is lost"
                self.refuse(Unusable("too_many", detail))
                break
            try:
                read(record)
            except Unusable as error:
                self.refuse(error, record)

    def refuse(self, error: Unusable, record: Any = None) -> None:
        self.refused.append(Refused(reason=error.reason, detail=error.detail, shape=shape_of(record)))


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer in the client's language."""

    body: bytes = b""
    content_type: str = "application/json"
    status: int = 200


def shape_of(value: Any, depth: int = 3) -> str:
    """A JSON value without its content: what an operator needs to find a broken client, and no more."""
    if isinstance(value, dict):
        if not depth:
            return "{…}"
        members = list(value.items())[:40]
        parts = [f"{UNFIT.sub('?', name[:40])}: {shape_of(part, depth - 1)}" for name, part in members]
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, list):
        return f"[{shape_of(value[0], depth - 1)}, … {len(value)}]" if value and depth else "[…]"
    return "null" if value is None else type(value).__name__
