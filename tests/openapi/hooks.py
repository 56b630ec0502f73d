"""What Schemathesis does not know: bodies of one JSON object a line. It reads this as SCHEMATHESIS_HOOKS."""

import json
from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """A list as lines, anything else as one; what is not JSON as it is."""
    if isinstance(value, bytes):
        return value
    return b"\n".join(
        json.dumps(one, default=str).encode() for one in (value if isinstance(value, list) else [value])
    )
