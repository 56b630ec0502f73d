"""What the journal holds: every accepted input that can change a decision, in the order it was processed.

Inputs are imperative ("record these fixes"); what follows from them is past tense and lives in the tables.
They are packed with msgspec as a tagged union, so a journal row can be read back by any later version
that still knows the tags; fixes in columns beside them (`server/pings.py`).
"""

from collections.abc import Sequence

import msgspec

from geo.fix import Fix
from geo.packed import Packed
from geo.reported import Report
from offers.conditions import Traits
from offers.consent import Consent, Purpose
from offers.event import Event
from offers.preferences import Preferences
from offers.shopper import Shopper
from server.device import Device


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
    by_app_key: bool = False  #: it appeared by an ingest address: the app key is enough to speak for it
    public_key: bytes | None = None  #: Ed25519; it signs what it sends
    trust: float | None = None  #: how far an attestation vouched for it, 0 to 1


class MoveDevice(RegisterDevice, frozen=True, kw_only=True):
    """The device is this shopper's from now on: somebody logged in on it, or out.

    Where the one before was nobody known, she is the same person: what was known of her comes along.
    """

    leaves: str | None = None  #: the shopper whose it was; with the batch it becomes her `LeaveShopper`
    brings: Shopper | None = None  #: the one before
    device: Device | None = None
    place: Packed | None = None  #: where the device is and was


class LeaveShopper(_Input, frozen=True, kw_only=True):
    """The device is another shopper's from now on. It comes with a `MoveDevice`, in the same batch: they are
    two so that each names one person, and goes with her erasure.
    """

    device_id: str
    merged: bool = False  #: … who is the same person: nothing of her stays behind


class RecordFixes(_Input, frozen=True, kw_only=True):
    """Positions of one device, each already judged by itself, in the order the phone sent them."""

    device_id: str
    fixes: Sequence[Fix] = ()
    #: when the first of them lay in a store's fence but in a sensitive place; that fix itself is not kept
    sensitive_at_us: int | None = None
    in_sensitive: bool | None = None  #: whether the newest of them was dropped so; None until admitted
    copied_at_us: tuple[
        int, ...
    ] = ()  #: when those were measured that repeat another's track (`geo/copies.py`)
    reports: tuple[Report, ...] = ()  #: what the phone's own region monitoring said: evidence, no more
    background: bool = False  #: they were measured while the app was not in use; not journaled
    backlog: bool = False  #: from a client that keeps for days what it could not send


class RecordCrossings(_Input, frozen=True, kw_only=True):
    """Fences that a phone says it crossed, without a position: it compares for itself."""

    device_id: str
    crossings: tuple[Report, ...]


class RecordEvents(_Input, frozen=True, kw_only=True):
    """What the shopper looked at, carted, searched for."""

    device_id: str
    events: tuple[Event, ...]


class SetConsents(_Input, frozen=True, kw_only=True):
    """The shopper grants or withdraws purposes."""

    consents: dict[Purpose, Consent]
    told_by: str = "app"  #: or `retailer`, or `clock` when they have run out


class SetPreferences(_Input, frozen=True, kw_only=True):
    """The shopper's own limits, replacing the earlier ones."""

    preferences: Preferences


class SetTraits(_Input, frozen=True, kw_only=True):
    """What the retailer's servers know of the shopper, replacing what they told before."""

    traits: Traits


class RecordOutcome(_Input, frozen=True, kw_only=True):
    """What became of a push on the phone."""

    item_id: str
    decision_id: str
    outcome: str  #: delivered | opened | dismissed


class RecordRedemption(_Input, frozen=True, kw_only=True):
    """A coupon was redeemed at a till, as it was granted."""

    offer: str
    sku: str | None  #: the product that the push named
    decision_id: str
    store: str  #: where


class RecordReversal(_Input, frozen=True, kw_only=True):
    """A redemption was taken back at a till."""

    offer: str
    decision_id: str


class Wake(_Input, frozen=True, kw_only=True):
    """A timer of the shopper's devices (dwell, time-out) is due."""


class EraseShopper(_Input, frozen=True, kw_only=True):
    """Everything of the shopper is to go. It is not journaled; what is left of it is `ShopperErased`."""

    erasure_id: str


class ShopperErased(_Input, frozen=True, kw_only=True):
    """Somebody was erased: the journal says when, and no longer whom (the shopper's id is empty)."""


class Suppressed(_Input, frozen=True, kw_only=True):
    """A registration that would bring back somebody who was erased, or a move of a device that is somebody
    else's by now: refused, and not journaled.
    """


Input = (
    RegisterDevice
    | MoveDevice
    | LeaveShopper
    | RecordFixes
    | RecordCrossings
    | RecordEvents
    | SetConsents
    | SetPreferences
    | SetTraits
    | RecordOutcome
    | RecordRedemption
    | RecordReversal
    | Wake
    | EraseShopper
    | ShopperErased
    | Suppressed
)
