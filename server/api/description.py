"""What the description of a route has beside its row in the table."""

from typing import Any

import msgspec


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """Of one route."""

    answer: Any = None  #: the type of its answer, where the table has none
    body: Any = None  #: the type of its body, likewise, or where it says more
    forms: tuple[str, ...] = ("application/json",)  #: media types of the body
    example: Any = None  #: of the body
    told: Any = None  #: of the answer
    repeatable: bool = False  #: it honours an Idempotency-Key
