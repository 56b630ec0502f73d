"""The log: one event a line on standard error, as text for people or JSON for machines.

Nothing that says who or where a shopper is or that opens a door belongs in it. What has such a name is
withheld here, should a call pass it nevertheless; and what looks like it is cut out of exceptions' messages,
which quote what they met.
"""

import logging
import re
import sys
import traceback
from collections.abc import Iterator
from typing import IO, Literal

import msgspec
import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}

#: Libraries that say what concerns nobody, python-barcode that it draws no bitmaps; or what must not be
#: told, aiokafka every record that it sends.
_CHATTY = ("pyBarcode", "aiokafka")

_WITHHELD = "(withheld)"

#: Names, and ends of names after `_`, whose values are never logged.
_PRIVATE = frozenset(
    (
        *("lat", "lon", "lat_deg", "lon_deg", "latitude", "longitude", "altitude", "altitude_m"),
        *("position", "coordinates", "geometry", "fix", "fixes"),
        *("code", "codes", "token", "tokens", "secret", "key", "password", "authorization", "credentials"),
    )
)

#: Ids, tokens and codes (long words with a digit), and numbers with decimals, as positions have.
_TELLING = re.compile(r"\b(?=\w*[0-9])[\w.~+/=-]{16,}|-?[0-9]+\.[0-9]+")


def withhold(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A structlog processor: hides the values of private names, also inside mappings."""
    return {name: _withheld(name, value) for name, value in event.items()}


def _withheld(name: str, value: object) -> object:
    if name.lower() in _PRIVATE or name.lower().rpartition("_")[2] in _PRIVATE:
        return _WITHHELD
    if isinstance(value, dict):
        return {inner: _withheld(str(inner), content) for inner, content in value.items()}
    return value


def unquote(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A structlog processor: cuts out of what asyncio says the message of the exception that it is about."""
    if event["_record"].name == "asyncio":
        event["event"] = _TELLING.sub(_WITHHELD, event["event"])
    return event


def told(exc_info: ExcInfo) -> str:
    """An exception with its traceback and causes; of the messages only what tells nobody."""
    return "".join(_told(traceback.TracebackException(*exc_info))).rstrip("\n")


def _told(error: traceback.TracebackException) -> Iterator[str]:
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _told(cause)
        yield "\nwhich led to:\n\n"
    yield "Traceback (most recent call last):\n"
    yield from error.stack.format()
    yield _TELLING.sub(_WITHHELD, "".join(error.format_exception_only()))
    for one in error.exceptions or ():
        yield from _told(one)


def configure(
    form: Literal["text", "json"] = "text", stream: IO[str] | None = None, *, level: int = logging.INFO
) -> None:
    """Sends structlog's events and those of the standard library's logging to `stream` (standard error)."""
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(told),
        withhold,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[unquote, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(form, stream)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _renderer(form: Literal["text", "json"], stream: IO[str]) -> Processor:
    if form == "json":
        return structlog.processors.JSONRenderer(serializer=_json)
    # Rich's own traceback would print the values of local variables: positions, tokens, codes.
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty(),
        pad_event_to=0,
        sort_keys=False,
        exception_formatter=structlog.dev.plain_traceback,
    )


def _json(event: EventDict, **_: object) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()
