"""What the journal holds: every accepted input that can change a decision, in the order it was processed.

Inputs are imperative ("record these fixes"); what follows from them is past tense and lives in the tables.
They are packed with msgspec as a tagged union, so a journal row can be read back by any later version
that still knows the tags; fixes in columns beside them (`server/pings.py`).
"""

from collections.abc import Sequence

import msgspec

from geo.fix import Fix
from offers.consent import Consent, Purpose
from offers.event import Event
from offers.preferences import Preferences


class _Input(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True, omit_defaults=True):
    shopper_id: str
    received_at_us: int  #: when the server had it, microseconds since the epoch, UTC


class RegisterDevice(_Input, frozen=True, kw_only=True):
    """A device appears, with its shopper when she is new."""

    device_id: str
    platform: str
    user_hash: bytes | None = None  #: keyed hash of the retailer's own user id
    consents: dict[Purpose, Consent] = {}
    address: tuple[str, str] | None = None  #: (kind, value) of the push address


class RecordFixes(_Input, frozen=True, kw_only=True):
    """Positions of one device, each already judged by itself, in the order the phone sent them."""

    device_id: str
    fixes: Sequence[Fix] = ()
    #: when the first of them lay in a store's fence but in a sensitive place; that fix itself is not kept
    sensitive_at_us: int | None = None
    in_sensitive: bool | None = None  #: whether the newest of them was dropped so; None until admitted


class RecordEvents(_Input, frozen=True, kw_only=True):
    """What the shopper looked at, carted, searched for."""

    device_id: str
    events: tuple[Event, ...]


class SetConsents(_Input, frozen=True, kw_only=True):
    """The shopper grants or withdraws purposes."""

    consents: dict[Purpose, Consent]


class SetPreferences(_Input, frozen=True, kw_only=True):
    """The shopper's own limits, replacing the earlier ones."""

    preferences: Preferences


class RecordOutcome(_Input, frozen=True, kw_only=True):
    """What became of a push on the phone."""

    item_id: str
    decision_id: str
    outcome: str  #: delivered | opened | dismissed


class RecordRedemption(_Input, frozen=True, kw_only=True):
    """A coupon was redeemed at a till: the answer of the one conditional UPDATE, as it was granted."""

    offer: str
    sku: str | None  #: the product that the push named
    decision_id: str
    store: str  #: where


class Wake(_Input, frozen=True, kw_only=True):
    """A timer of the shopper's devices (dwell, time-out) is due."""


Input = (
    RegisterDevice
    | RecordFixes
    | RecordEvents
    | SetConsents
    | SetPreferences
    | RecordOutcome
    | RecordRedemption
    | Wake
)
