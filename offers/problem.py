"""Refusals of what a retailer or an app sends us: every problem by its field, in words to act on."""

import re
import threading
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

#: The longest external id, sku, name or category that is taken.
TEXT_MAX = 200

_SHAPE = re.compile(r"^(?P<detail>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)
_NAMED = re.compile(r"^Object (?P<what>contains unknown|missing required) field `(?P<name>.*)`$", re.DOTALL)

Body = TypeVar("Body")


class OffersError(Exception):
    """The base of what `offers` raises."""


class Problem(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that is wrong with a body."""

    field: str  #: dotted path inside the body, e.g. `discount.value`; empty for the body itself
    code: str  #: machine-readable, e.g. `unknown_field`, `missing`, `out_of_range`
    detail: str  #: one sentence for a person


class BodyRejected(OffersError):  # noqa: N818 - named for what happened to the body
    """A body that cannot be taken as it is. `problems` lists what must be mended, never empty."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{p.field or 'body'}: {p.detail}" for p in problems))
        self.problems = problems


class Problems:
    """Collects the problems of one body, so that all of them are told at once."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, field: str, code: str, detail: str) -> None:
        self.found.append(Problem(field=field, code=code, detail=detail))

    def check(self, holds: bool, field: str, code: str, detail: str) -> None:
        """Notes a problem unless `holds`. Phrase range checks positively, so that NaN fails them."""
        if not holds:
            self.add(field, code, detail)

    def text(self, field: str, value: str, *, longest: int = TEXT_MAX) -> None:
        """A name or id: something to read in it, and no longer than `longest` characters."""
        self.check(bool(value.strip()), field, "empty", "must not be empty")
        self.check(len(value) <= longest, field, "too_long", f"must have at most {longest} characters")

    def raise_if_any(self) -> None:
        if self.found:
            raise BodyRejected(self.found)


_known: set[type[Any]] = set()  # the shapes that msgspec has looked at
_learning = threading.Lock()


def shaped(body: Any, shape: type[Body], *, lax: bool = False) -> Body:
    """The decoded JSON `body` as a `shape` (a msgspec struct that forbids unknown fields).

    `lax` also takes numbers and booleans written as strings, which is what a CSV row has.
    Raises BodyRejected naming the first field of the wrong shape, or every text with characters that
    no name can have (control characters, NUL, lone surrogates).
    """
    problems = Problems()
    for field, text in _texts(body):
        if (bad := _unprintable(text)) is not None:
            problems.add(field, "bad_character", f"contains the character U+{ord(bad):04X}")
    problems.raise_if_any()
    if shape not in _known:
        _learn(shape)
    try:
        return msgspec.convert(body, shape, strict=not lax)
    except msgspec.ValidationError as error:
        raise BodyRejected([_shape_problem(str(error))]) from error


def _learn(shape: type[Any]) -> None:
    """Has msgspec look at a shape for the first time, one thread after the other: worlds are built in
    threads, and two that met a shape at the same moment have crashed the process (msgspec 0.22).
    """
    with _learning:
        if shape not in _known:
            msgspec.json.Decoder(shape)
            _known.add(shape)


def _shape_problem(message: str) -> Problem:
    """The problem that msgspec tells as `Expected ... - at `$.path``."""
    match = _SHAPE.match(message)
    detail, path = (match["detail"], match["path"] or "") if match else (message, "")
    named = _NAMED.match(detail)
    if named is None:
        return Problem(field=path, code="invalid", detail=detail)
    field = f"{path}.{named['name']}" if path else named["name"]
    if named["what"] == "missing required":
        return Problem(field=field, code="missing", detail="is required")
    return Problem(field=field, code="unknown_field", detail=f"unknown field {named['name']!r}")


def _texts(body: Any) -> Iterator[tuple[str, str]]:
    """Every string inside a decoded body, names included, with its field. However deep: without recursion."""
    left: list[tuple[str, Any]] = [("", body)]
    while left:
        field, value = left.pop()
        if isinstance(value, str):
            yield field, value
        elif isinstance(value, dict):
            parts = [(f"{field}.{name}" if field else str(name), name, part) for name, part in value.items()]
            yield from ((path, name) for path, name, _ in parts if isinstance(name, str))
            left += [(path, part) for path, _, part in reversed(parts)]
        elif isinstance(value, list | tuple):
            left += [(f"{field}[{position}]", part) for position, part in reversed([*enumerate(value)])]


def _unprintable(text: str) -> str | None:
    """The first character that has no place in a name or message (a line feed has), or None."""
    if text.isprintable():  # also false for U+2028 and unusual spaces, which are looked at below
        return None
    for character in text:
        code = ord(character)
        if (code < 0x20 and character != "\n") or 0x7F <= code <= 0x9F or 0xD800 <= code <= 0xDFFF:
            return character
    return None
