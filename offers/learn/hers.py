"""What learning keeps with a shopper: trials still open, her habits, and how she differs from others.

A *trial* is a decided moment of which is not yet known what came of it. It holds the features as they were
then, so that what is learned later is learned of what was known. All of this is her state: it is merged,
exported and erased with her, and the model that all shoppers share has nothing of hers by name.
"""

from collections.abc import Iterator

import msgspec

from offers.learn.blr import Moments

#: As many trials are open at once; an older one is given up without a lesson.
TRIALS_MAX = 32
#: As many stores, products or categories, and tastes are remembered, those touched last.
HABITS_MAX = 64

#: Purchases are told so much later at the most, to count for a trial.
GRACE_US = 300_000_000

#: Effects of her taste for a category have names that begin so.
TASTE = "taste "


class Trial(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A decided moment whose outcome is to come."""

    decision_id: str
    at_us: int
    until_us: int  #: what has not happened by then has not happened
    store: str
    offer: str  #: that was made; where none was, that of the best arm
    category: str  #: what it was about
    sku: str | None
    row: bytes  #: features of that arm, float64, little-endian
    spoken: bool  #: whether the offer was made
    pushed: bool  #: … and pushed
    pressure: tuple[int, int] = (0, 0)  #: her pushes in the last 24 hours and 7 days, before
    cost: float = 0.0  #: what its coupon was expected to cost, of a budget
    spend: float = 0.0  #: … and can cost at the most
    opened: bool | None = None  #: None: not known yet
    stopped: bool = False  #: she turned pushes off since


#: What became known of a trial: the head that it is for (`open`, `organic`, `uplift`, `optout`; `budget`: its
#: coupon is used, or has run out), and whether it happened.
Known = tuple[Trial, str, bool]


class Hers(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One shopper's part of what is learned. `Hers()` is a stranger."""

    trials: tuple[Trial, ...] = ()  #: the oldest first
    effects: dict[str, Moments] = {}  #: by head, or `taste ` and a category
    visits: dict[str, int] = {}  #: by store
    bought: dict[str, int] = {}  #: by sku or category
    pushed: int = 0  #: offers pushed of which it is known whether she opened them
    opened: int = 0  #: of these

    @property
    def ends_us(self) -> int | None:
        """When the next trial ends."""
        return min((trial.until_us + GRACE_US for trial in self.trials), default=None)

    def without_habits(self) -> "Hers":
        """What is left when she no longer permits that her habits are looked at."""
        return Hers(trials=self.trials)


def with_trial(hers: Hers, trial: Trial) -> Hers:
    """With one trial more."""
    return msgspec.structs.replace(hers, trials=(*hers.trials, trial)[-TRIALS_MAX:])


def counted(habits: dict[str, int], key: str, by: int = 1) -> dict[str, int]:
    """Habits after one more (or less) of something."""
    count = habits.get(key, 0) + by
    others = {name: number for name, number in habits.items() if name != key}
    return others if count <= 0 else dict([*others.items(), (key, count)][-HABITS_MAX:])


def with_effects(hers: Hers, effects: dict[str, Moments]) -> Hers:
    """After an outcome changed how she differs from others."""
    both = hers.effects | effects
    tastes = [name for name in both if name.startswith(TASTE)]
    for name in tastes[: max(0, len(tastes) - HABITS_MAX)]:
        del both[name]
    return msgspec.structs.replace(hers, effects=both)


def joined(known: Hers, other: Hers) -> Hers:
    """Of two shoppers who turned out to be one: effects of the known one stand, all else adds up."""
    trials = {trial.decision_id: trial for trial in (*other.trials, *known.trials)}
    return Hers(
        trials=tuple(sorted(trials.values(), key=lambda one: (one.at_us, one.decision_id)))[-TRIALS_MAX:],
        effects=other.effects | known.effects,
        visits=_added(known.visits, other.visits),
        bought=_added(known.bought, other.bought),
        pushed=known.pushed + other.pushed,
        opened=known.opened + other.opened,
    )


def _added(mine: dict[str, int], others: dict[str, int]) -> dict[str, int]:
    both = {name: mine.get(name, 0) + count for name, count in others.items()}
    return dict(list((mine | both).items())[-HABITS_MAX:])


def opened(hers: Hers, decision_id: str, did: bool) -> tuple[Hers, list[Known]]:
    """After the phone told that she opened a push, or dismissed it. What is known already is known."""
    found = [t for t in hers.trials if t.decision_id == decision_id and t.spoken and t.opened is None]
    if not found:
        return hers, []
    trial = found[0]
    told = [(trial, "open", did)] if trial.pushed else []
    hers = _replaced(hers, msgspec.structs.replace(trial, opened=did))
    return _counted_open(hers, did) if told else hers, told


def redeemed(hers: Hers, decision_id: str) -> tuple[Hers, list[Known]]:
    """After her coupon was used: she had opened it, and she bought."""
    found = [t for t in hers.trials if t.decision_id == decision_id and t.spoken]
    if not found:
        return hers, []
    hers, told = opened(hers, decision_id, True)
    trial = msgspec.structs.replace(found[0], opened=True)
    return _without(hers, trial), [*told, *_closed(trial, bought=True), (trial, "budget", True)]


def purchased(hers: Hers, store: str | None, keys: frozenset[str], at_us: int) -> tuple[Hers, list[Known]]:
    """After she bought something in a store, or where none is told, something (`keys`: its sku, category)."""
    told: list[Known] = []
    for trial in hers.trials:
        here = trial.store == store if store is not None else not keys.isdisjoint((trial.sku, trial.category))
        if here and trial.at_us <= at_us <= trial.until_us:
            hers = _without(hers, trial)
            if trial.pushed and trial.opened is None:  # bought without it, or it would have been told
                hers = _counted_open(hers, False)
                told.append((trial, "open", False))
            told += [*_closed(trial, bought=True), (trial, "budget", False)]
    return hers, told


def stopped(hers: Hers) -> tuple[Hers, list[Known]]:
    """After she turned pushes off: the newest push has driven her away."""
    pushed = [trial for trial in hers.trials if trial.pushed and not trial.stopped]
    for trial in pushed:
        hers = _replaced(hers, msgspec.structs.replace(trial, stopped=True))
    return hers, [(pushed[-1], "optout", True)] if pushed else []


def ended(hers: Hers, now_us: int) -> tuple[Hers, list[Known]]:
    """After the time of some trials is over: what was not told has not happened."""
    told: list[Known] = []
    for trial in hers.trials:
        if trial.until_us + GRACE_US <= now_us:
            hers = _without(hers, trial)
            if trial.pushed and trial.opened is None:
                hers = _counted_open(hers, False)
                told.append((trial, "open", False))
            told += [*_closed(trial, bought=False), (trial, "budget", False)]
    return hers, told


def _closed(trial: Trial, *, bought: bool) -> Iterator[Known]:
    """What the end of a trial tells of buying and of bearing with the push."""
    yield trial, "uplift" if trial.opened else "organic", bought
    if trial.pushed and not trial.stopped:
        yield trial, "optout", False


def _counted_open(hers: Hers, did: bool) -> Hers:
    return msgspec.structs.replace(hers, pushed=hers.pushed + 1, opened=hers.opened + did)


def _replaced(hers: Hers, trial: Trial) -> Hers:
    trials = tuple(trial if one.decision_id == trial.decision_id else one for one in hers.trials)
    return msgspec.structs.replace(hers, trials=trials)


def _without(hers: Hers, trial: Trial) -> Hers:
    return msgspec.structs.replace(
        hers, trials=tuple(one for one in hers.trials if one.decision_id != trial.decision_id)
    )
