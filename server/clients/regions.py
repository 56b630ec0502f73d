"""What a client is told of the circles that its phone is to watch."""

import msgspec

#: The name by which phones know the rim of the safe region. No geofence can be meant: theirs are kept apart.
RIM_NAME = "vicino-rim"


class Circle(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A circle to watch, by the name and the number that the phone knows it by."""

    name: str  #: the geofence's id, or `RIM_NAME`
    number: int  #: of this device alone
    lat_deg: float
    lon_deg: float
    radius_m: float


class Change(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is to be told now."""

    put: tuple[Circle, ...] = ()  #: new or changed
    gone: tuple[Circle, ...] = ()
    all: tuple[Circle, ...] = ()  #: everything that is to be watched


NOTHING = Change()
