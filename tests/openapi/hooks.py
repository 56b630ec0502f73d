"""What Schemathesis does not know: bodies of one JSON object a line, and what is well made. It reads this as
SCHEMATHESIS_HOOKS.
"""

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


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    """Every other time the example, where other calls are about what is made of it: little of what is made up
    is good enough for there to be anything afterwards.
    """
    raw = context.operation.definition.raw
    if not any(answer.get("links") for answer in raw["responses"].values()) or len(repr(body)) % 2:
        return body
    examples = [one["example"] for one in raw["requestBody"]["content"].values() if "example" in one]
    return examples[0] if examples else body
