"""Who the demo's shoppers are: drawn from a seed, one after the other, without end. Pure."""

import enum
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from server.clock import from_us
from server.demo.helsinki import PLANE
from server.demo.plane import Spot, distance_m
from server.demo.retail import TIMEZONE, Bargain

#: How far the next errand may be from the last one.
NEXT_ERRAND_MOST_M = 500.0

T = TypeVar("T")

_CONSENTS: Final = ("nearby_offers", "background_location", "push", "personalisation", "insight")


class Habit(enum.StrEnum):
    """What is special about a shopper; the value is what the screen calls her."""

    WALKS = "on foot"
    LOOKS = "at the shelf"  # stands in a store and looks its product up there
    RIDES = "by tram"
    MUTED = "push off"  # has refused pushes
    RESTS = "quiet hours"  # has chosen quiet hours that hold now
    CHOOSY = "choosy"  # wants half off or nothing


class Answer(enum.StrEnum):
    """What a shopper does with a push."""

    COMES = "comes"
    OPENS = "opens"
    DISMISSES = "dismisses"
    IGNORES = "ignores"


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """One shopper's part."""

    number: int
    habit: Habit
    errands: tuple[Bargain, ...]  #: what she looks at and walks to, in order
    answer: Answer
    locale: str
    carts: bool  #: puts what she looks at into the cart as well
    speed_mps: float
    accuracy_m: float  #: of her phone's fixes
    lead_m: float  #: how far outside the first store's geofence she starts

    @property
    def label(self) -> str:
        """What the screen calls her."""
        return f"{self.number} {self.habit}"


# The opening: the first comes to a push at once, the others in turn, so that there is soon something to see.
_OPENING: Final = (Habit.LOOKS, Habit.WALKS, Habit.WALKS, Habit.RIDES, Habit.WALKS, Habit.MUTED, Habit.WALKS)
_HABITS: Final = {
    Habit.WALKS: 60,
    Habit.LOOKS: 10,
    Habit.RIDES: 12,
    Habit.MUTED: 6,
    Habit.RESTS: 6,
    Habit.CHOOSY: 6,
}
_ANSWERS: Final = {Answer.COMES: 55, Answer.OPENS: 20, Answer.DISMISSES: 10, Answer.IGNORES: 15}


def cast_role(number: int, bargains: Sequence[Bargain], seed: int) -> Role:
    """The shopper of that number, counted from 1; the same for the same seed, whoever came before her."""
    rng = random.Random(f"{seed}/{number}")  # noqa: S311 - repeatable, guards nothing
    opening = number <= len(_OPENING)
    habit = _OPENING[number - 1] if opening else _drawn(_HABITS, rng)
    return Role(
        number=number,
        habit=habit,
        errands=_errands(bargains, rng),
        answer=Answer.COMES if opening else _drawn(_ANSWERS, rng),
        locale="fi" if rng.random() < 0.3 else "en",
        carts=rng.random() < 0.3,
        speed_mps=rng.uniform(11.0, 13.0) if habit is Habit.RIDES else rng.uniform(1.1, 1.6),
        accuracy_m=rng.uniform(5.0, 15.0),
        lead_m=5.0 * number if opening else rng.uniform(20.0, 200.0),
    )


def consents_of(role: Role) -> dict[str, dict[str, Any]]:
    """Her consents as the app sends them."""
    return {
        purpose: {
            "granted": not (purpose == "push" and role.habit is Habit.MUTED),
            "text_version": "demo-1",
            "locale": role.locale,
        }
        for purpose in _CONSENTS
    }


def preferences_of(role: Role, now_us: int) -> dict[str, Any] | None:
    """Her preferences as the app sends them at that time; None where she has set none."""
    if role.habit is Habit.CHOOSY:
        return {"minimum_percent": 50}
    if role.habit is Habit.RESTS:
        local = from_us(now_us).astimezone(ZoneInfo(TIMEZONE))
        start, end = local - timedelta(hours=1), local + timedelta(hours=3)
        return {"quiet_hours": {"from": f"{start:%H:%M}", "until": f"{end:%H:%M}"}, "timezone": TIMEZONE}
    return None


def spot_of(bargain: Bargain) -> Spot:
    """Where the bargain's store is on the flat map."""
    return PLANE.spot(bargain.outlet.lat_deg, bargain.outlet.lon_deg)


def _errands(bargains: Sequence[Bargain], rng: random.Random) -> tuple[Bargain, ...]:
    errands = [rng.choice(bargains)]
    for _ in range(rng.randint(0, 2)):
        near = [
            one
            for one in bargains
            if one not in errands and distance_m(spot_of(one), spot_of(errands[-1])) <= NEXT_ERRAND_MOST_M
        ]
        if near:
            errands.append(rng.choice(near))
    return tuple(errands)


def _drawn(weights: dict[T, int], rng: random.Random) -> T:
    return rng.choices(list(weights), weights=list(weights.values()))[0]
