"""How a device and a fence stand to each other, and what changes it: the values and the table.

A device stands to each fence in one of three **states**:

- `OUTSIDE`: not in a visit. Nothing is stored for it.
- `INSIDE`: a visit has begun, at `entered_at_us`.
- `DWELLED`: the visit has lasted the fence's `dwell_s`.

Seven things can happen to it (**signs**). Three are what a fix says about a fence. In `exact` mode it lies
inside (or on the boundary) or outside, and that is all. In `accurate` mode the true position is a bell around
the fix, as wide as the fix is inaccurate, and P(inside) is the bell's weight inside the fence:

- `Sign.INSIDE`: the device is in it. The fix lies inside, *and* P(inside) is at least `enter_at`, *and* the
  fix is no coarser than `coarse_m`.
- `Sign.OUTSIDE`: the device is not in it. The fix lies outside, *and* either P(inside) is at most `exit_at`
  (one clear fix is enough), *or* it is at most `doubt_at` and has been for `settle_s`: since the first of
  the *contrary* fixes (those that lie outside with so little P(inside)) after the newest one that supports
  the visit. A fix *supports* a visit when it lies inside and P(inside) is at least `doubt_at`. The exit is
  dated to the first of these contrary fixes, or to the dwell if that came later.
- `Sign.UNSURE`: neither. It changes nothing; that is the hysteresis that keeps a phone at the edge from
  flapping, and a coarse fix from ending a visit it knows nothing about.

A fix inside a fence thus never speaks against a visit, and one outside never for it: where a phone that is
clearly inside may skip fixes (its safe region), what they would have said changes no transition.

The others are not said by a fix:

- `Sign.DWELL_DUE`: `dwell_s` have passed since the visit began. No fix is needed for it, only time: the
  time of the device's next fix or a timer's. A dwell is dated to the moment it was due. When the exit has
  that very time, the dwell comes first.
- `Sign.LOST`: for `presence_timeout_s` no fix supported the visit (`accurate` mode alone: in `exact` mode a
  visit stays open until a fix outside ends it). The exit is dated to the last fix that did support it, or to
  the dwell if that came later.
- `Sign.GONE`: the fence is there no more. One that was deleted or disabled ends its visits with the device's
  next fix or timer, and nothing late revises them; a temporary one ends them at the end of its time.

- `Sign.PASSED`: the device has passed through the fence (`accurate` mode alone): the way between two fixes
  outside of it leads through it, or a visit that ended without dwelling was driven through. A pass-by is
  told beside a visit's enter and exit, never in place of one of them.

A visit is one enter and the next exit of the same fence; `entered_at_us` names it in every transition of it.
An unlisted pair changes nothing.
"""

from enum import StrEnum, auto
from typing import Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal["enter", "dwell", "exit", "pass_by"]


class State(StrEnum):
    """How a device stands to a fence."""

    OUTSIDE = auto()
    INSIDE = auto()
    DWELLED = auto()


class Sign(StrEnum):
    """What a fix, time or a publication says about a device and a fence."""

    INSIDE = auto()
    UNSURE = auto()
    OUTSIDE = auto()
    DWELL_DUE = auto()
    LOST = auto()
    GONE = auto()
    PASSED = auto()


#: state, sign -> next state, what is told
TABLE: dict[tuple[State, Sign], tuple[State, Kind]] = {
    (State.OUTSIDE, Sign.INSIDE): (State.INSIDE, "enter"),
    (State.OUTSIDE, Sign.PASSED): (State.OUTSIDE, "pass_by"),
    (State.INSIDE, Sign.DWELL_DUE): (State.DWELLED, "dwell"),
    (State.INSIDE, Sign.OUTSIDE): (State.OUTSIDE, "exit"),
    (State.INSIDE, Sign.LOST): (State.OUTSIDE, "exit"),
    (State.INSIDE, Sign.GONE): (State.OUTSIDE, "exit"),
    (State.DWELLED, Sign.OUTSIDE): (State.OUTSIDE, "exit"),
    (State.DWELLED, Sign.LOST): (State.OUTSIDE, "exit"),
    (State.DWELLED, Sign.GONE): (State.OUTSIDE, "exit"),
}


class Rules(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A retailer's choices. The defaults are meant to be kept; docs/judgement.md says how they were found."""

    mode: Literal["exact", "accurate"] = "accurate"  #: `exact` ignores accuracy, hysteresis and time-outs
    lateness_s: float = 600.0  #: a fix this much older than the device's newest still counts
    window_fixes: int = 600  #: of those, at most so many are remembered; older ones are settled
    presence_timeout_s: float = 43_200.0  #: a visit ends after so long without a fix that supports it
    default_accuracy_m: float = 20.0  #: what an unknown accuracy is taken for (a phone outdoors, in a street)
    coarse_m: float = 1000.0  #: a fix less accurate than this never enters anything
    enter_at: float = 0.65  #: least probability of being inside for an enter
    doubt_at: float = 0.1  #: a fix outside, at most this probably inside, is contrary to a visit
    exit_at: float = 0.01  #: one at most this probably inside ends it at once
    settle_s: float = 120.0  #: contrary fixes end it when they have come for so long


class Sighting(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A fix as the engine remembers it while late ones may still come before or after it."""

    at_us: int
    lat_deg: float
    lon_deg: float
    accuracy_m: float | None = None
    speed_mps: float | None = None  #: measured
    #: the fences it lies in, as they were when it came: geofence, store, probability of being inside (to
    #: float32 precision)
    inside: tuple[tuple[str, str, float], ...] = ()


class Presence(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A visit that has not ended."""

    geofence: str
    store: str
    entered_at_us: int
    entered_lat_deg: float  #: of the fix that entered
    entered_lon_deg: float
    supported_at_us: int  #: time of the newest fix that supports the visit
    confidence: float  #: probability of being inside at the fix that entered, to float32 precision
    dwelled_at_us: int | None = None
    #: time of the first fix that has argued against the visit since the newest one that supports it, or None
    doubted_at_us: int | None = None

    @property
    def dwelled(self) -> bool:
        """Whether the visit has lasted the fence's `dwell_s`."""
        return self.dwelled_at_us is not None


class DeviceState(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What the engine knows of a device. `DeviceState()` is a device never seen.

    Late fixes are judged from the `anchor` on: a sighting before which nothing can change any more.
    """

    present: tuple[Presence, ...] = ()  #: the visits open now, by geofence
    recent: tuple[Sighting, ...] = ()  #: the sightings after the anchor, by time
    base: tuple[Presence, ...] = ()  #: the visits that were open after the anchor
    anchor: Sighting | None = None
    clock_us: int = -1  #: the latest time a timer of this device fired
    doubts: int = 0  #: so many of the newest sightings are doubted

    @property
    def window(self) -> tuple[Sighting, ...]:
        """All sightings that are remembered, by time."""
        return self.recent if self.anchor is None else (self.anchor, *self.recent)

    @property
    def last(self) -> Sighting | None:
        """The device's newest sighting."""
        return self.recent[-1] if self.recent else self.anchor

    @property
    def believed(self) -> Sighting | None:
        """The device's newest sighting that is not doubted."""
        window = self.window
        return window[-1 - self.doubts] if len(window) > self.doubts else None

    @property
    def newest_us(self) -> int:
        """The time of the device's newest sighting; -1 before the first."""
        return -1 if self.last is None else self.last.at_us


class Transition(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something that happened between a device and a fence."""

    kind: Kind
    geofence: str
    store: str
    at_us: int  #: when it happened (the fix's time, or the timer's due time)
    lat_deg: float  #: where the device was seen last when it was told
    lon_deg: float
    entered_at_us: int  #: names the visit
    speed_mps: float | None = None  #: measured, else derived from an earlier fix; None: unknown
    accuracy_m: float | None = None  #: of the fix
    confidence: float = 1.0  #: probability that it is true; 1 in exact mode
    late: bool = False  #: dated before the device's newest fix known earlier: history, nothing to act on

    @property
    def identity(self) -> tuple[str, Kind, int, int]:
        """What makes two transitions of a device the same one."""
        return (self.geofence, self.kind, self.at_us, self.entered_at_us)


class Sensed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a batch or a timer did to one device."""

    state: DeviceState = DeviceState()
    transitions: tuple[Transition, ...] = ()  #: in order of time
    retracted: tuple[Transition, ...] = ()  #: told earlier, and now known to be wrong: a late fix says so
    doubted: tuple[str, ...] = ()  #: why sightings were (`geo.motion`), each time they were judged
