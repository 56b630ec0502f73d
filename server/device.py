"""What is remembered of one of a shopper's devices, beside where it is."""

import msgspec

from geo.reported import Report


class Inside(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A visit that is open, of a phone that tells which fences it crosses and not where it is."""

    geofence: str
    store: str
    entered_at_us: int
    supported_at_us: int  #: when the phone spoke of it last
    dwelled: bool = False


class Device(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One of the shopper's devices."""

    device_id: str
    in_sensitive: bool = False  #: its newest fix was dropped for a sensitive place
    mock: bool = False  #: its newest fix was made up, the phone said
    trust: float | None = None  #: how far an attestation vouched for it, 0 to 1
    copied_at_us: tuple[int, ...] = ()  #: its newest fixes that repeated another shopper's track
    inside: tuple[Inside, ...] = ()  #: of a phone that sends no positions: the fences it is in
    reports: tuple[Report, ...] = ()  #: the newest of its own region monitoring, oldest first
