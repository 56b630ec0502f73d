"""How a device and a fence stand to each other, and what changes it: the values and the table.

A device stands to each fence in one of three **states**:

- `OUTSIDE`: not in a visit. Nothing is stored for it.
- `INSIDE`: a visit has begun, at `entered_at_us`.
- `DWELLED`: the visit has lasted the fence's `dwell_s`.

Seven things can happen to it (**signs**). Three are what a fix says about a fence:

- `Sign.INSIDE`: the device is in it. In `exact` mode the fix lies inside or on the boundary. In `accurate`
  mode the position is a bell around the fix, as wide as the fix is inaccurate: the fix lies inside, *and* the
  bell has at least `enter_at` of its weight inside, *and* the fix is no coarser than `coarse_m`.
- `Sign.OUTSIDE`: the device is not in it. In `exact` mode the fix lies outside. In `accurate` mode it lies so
  far outside that at most `exit_at` of the bell can be inside.
- `Sign.UNSURE`: neither (`accurate` mode alone). It changes nothing; that is the hysteresis that keeps a
  phone at the edge from flapping, and a coarse fix from ending a visit it knows nothing about.

The others are not said by a fix:

- `Sign.DWELL_DUE`: `dwell_s` have passed since the visit began. No fix is needed for it, only time: the
  time of the device's next fix or a timer's. A dwell is dated to the moment it was due. When the exit has
  that very time, the dwell comes first.
- `Sign.LOST`: for `presence_timeout_s` no fix supported the visit (`accurate` mode alone: in `exact` mode a
  visit stays open until a fix outside ends it). The exit is dated to the last fix that did support it, or to
  the dwell if that came later. A fix supports a visit when it lies inside and more than `exit_at` of its bell
  does too.
- `Sign.GONE`: the fence was deleted or disabled. Noticed at the device's next fix or timer, and dated so.
  Nothing late revises its visits any more.

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


#: state, sign -> next state, what is told
TABLE: dict[tuple[State, Sign], tuple[State, Kind]] = {
    (State.OUTSIDE, Sign.INSIDE): (State.INSIDE, "enter"),
    (State.INSIDE, Sign.DWELL_DUE): (State.DWELLED, "dwell"),
    (State.INSIDE, Sign.OUTSIDE): (State.OUTSIDE, "exit"),
    (State.INSIDE, Sign.LOST): (State.OUTSIDE, "exit"),
    (State.INSIDE, Sign.GONE): (State.OUTSIDE, "exit"),
    (State.DWELLED, Sign.OUTSIDE): (State.OUTSIDE, "exit"),
    (State.DWELLED, Sign.LOST): (State.OUTSIDE, "exit"),
    (State.DWELLED, Sign.GONE): (State.OUTSIDE, "exit"),
}


class Rules(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A retailer's choices. The defaults are meant to be kept."""

    mode: Literal["exact", "accurate"] = "accurate"  #: `exact` ignores accuracy, hysteresis and time-outs
    lateness_s: float = 600.0  #: a fix this much older than the device's newest still counts
    window_fixes: int = 600  #: of those, at most so many are remembered; older ones are settled
    presence_timeout_s: float = 1800.0  #: a visit ends after so long without a fix that supports it
    default_accuracy_m: float = 20.0  #: what an unknown accuracy is taken for (a phone outdoors, in a street)
    coarse_m: float = 1000.0  #: a fix less accurate than this never enters anything
    enter_at: float = 0.4  #: least probability of being inside for an enter (at the boundary: < .5)
    exit_at: float = 0.1  #: greatest probability of being inside for an exit


class Sighting(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A fix as the engine remembers it while late ones may still come before or after it."""

    at_us: int
    lat_deg: float
    lon_deg: float
    accuracy_m: float | None = None
    speed_mps: float | None = None  #: measured
    #: the fences it lies in, as they were when it came: geofence, store, probability of being inside
    inside: tuple[tuple[str, str, float], ...] = ()


class Presence(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A visit that has not ended."""

    geofence: str
    store: str
    entered_at_us: int
    last: Sighting  #: the newest fix that supports the visit
    confidence: float  #: probability of being inside at that fix
    dwelled_at_us: int | None = None

    @property
    def dwelled(self) -> bool:
        """Whether the visit has lasted the fence's `dwell_s`."""
        return self.dwelled_at_us is not None


class DeviceState(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What the engine knows of a device. `DeviceState()` is a device never seen."""

    present: tuple[Presence, ...] = ()  #: the visits open now, by geofence
    recent: tuple[Sighting, ...] = ()  #: by time; the last one is the device's newest fix
    base: tuple[Presence, ...] = ()  #: the visits that were open before `recent`
    sealed_us: int = -1  #: nothing up to this time can be revised any more
    clock_us: int = -1  #: the latest time a timer of this device fired

    @property
    def last(self) -> Sighting | None:
        """The device's newest fix."""
        return self.recent[-1] if self.recent else None

    @property
    def newest_us(self) -> int:
        """The time of the device's newest fix; -1 before the first."""
        return self.recent[-1].at_us if self.recent else -1


class Transition(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something that happened between a device and a fence."""

    kind: Kind
    geofence: str
    store: str
    at_us: int  #: when it happened (the fix's time, or the timer's due time)
    lat_deg: float  #: where the device was seen last by then
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

    state: DeviceState
    transitions: tuple[Transition, ...] = ()  #: in order of time
    retracted: tuple[Transition, ...] = ()  #: told earlier, and now known to be wrong: a late fix says so
