"""Attestation: what the makers of phones say about an app that registers. A plug-in point.

An app may send a statement with its registration: a token of Play Integrity, an assertion of App Attest. Who
understands it is a verifier, named in the retailer's setting `attestation` and installed with
`VICINO_ATTESTORS`. Without one nothing is asked and nothing scored.
"""

import importlib
from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from server.errors import BadUse
from server.problems import Problem


class Statement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a verifier is shown."""

    retailer_id: str
    platform: str
    text: str | None  #: as the app sent it; None where it sent none
    challenge: str | None  #: the registration's Idempotency-Key, to which a statement can be bound


class Assessment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a verifier thinks of it."""

    verdict: Literal["allow", "score", "deny"]
    trust: float | None = None  #: 0 to 1, with `score`: how likely the app and its phone are what they seem
    reason: str = ""  #: why it was denied, for the app's developer


class Attestor(Protocol):
    """A verifier. It may ask its maker's servers; what it raises refuses the registration with a 503."""

    async def assess(self, statement: Statement) -> Assessment: ...


class Unasked:
    """The default: nobody is asked, and nothing is scored."""

    async def assess(self, _: Statement) -> Assessment:
        return Assessment(verdict="allow")


Attestors = Mapping[str, Attestor]
BUILT_IN: Attestors = {"none": Unasked()}


def installed(text: str) -> Attestors:
    """The verifiers of `NAME=MODULE:ATTRIBUTE,…`, and the built-in one. Raises BadUse."""
    found = dict(BUILT_IN)
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, path = part.partition("=")
        module, _, attribute = path.partition(":")
        try:
            found[name] = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError, ValueError) as error:
            remedy = "write NAME=MODULE:ATTRIBUTE, with commas between"
            raise BadUse(f"VICINO_ATTESTORS: {part!r} cannot be loaded ({error}); {remedy}") from error
    return found


async def trust_in(attestors: Attestors, name: str, statement: Statement) -> float | None:
    """How far a statement is trusted; None where nothing is scored. Raises Problem 403 and 503."""
    attestor = attestors.get(name)
    if attestor is None:
        raise Problem(503, "attestation", f"no verifier {name!r} is installed here: see VICINO_ATTESTORS")
    assessment = await attestor.assess(statement)
    if assessment.verdict == "deny":
        raise Problem(403, "attestation_denied", assessment.reason or "the attestation was not accepted")
    return assessment.trust if assessment.verdict == "score" else None
