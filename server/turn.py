"""What one micro-batch means: inputs and records in, new records, transitions and decisions out.

No I/O: the live pipeline, the replay of a stored day and every test run these same two functions. `begin`
does all that needs no answer from outside; `decide_all` asks for those answers in the order of the moments.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from offers.decide import decide
from offers.decision import Answers, Decision
from offers.learn.hers import Known
from offers.learn.learner import Learner
from offers.learn.lesson import Lesson
from offers.moment import Moment
from offers.overlap import in_order, spoken_by, with_overlaps
from offers.remember import remembered
from server.admit import Admitted, admit, settle
from server.admit_pings import admit_pings
from server.inputs import Input, LeaveShopper, RecordFixes
from server.learning import learn, learn_decision
from server.matched import matched, whereabouts_by_report
from server.moments import from_events, from_places
from server.noting import note
from server.phones import Phones
from server.pings import Pings
from server.plausible import with_plausibility
from server.records import Record
from server.whereabouts import Seen, follow, whereabouts
from server.world import World


class Turn(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A micro-batch before its decisions."""

    admitted: list[Admitted]  #: one per input, in order, but for those that come with another
    asked: list[RecordFixes]  #: the pings as they came
    answers: list[Admitted]  #: one for each of them
    inputs: list[Input]  #: what goes into the journal
    pings: Pings  #: and these
    slots: npt.NDArray[np.int32]  #: of the devices of these pings
    kept: list[int]  #: which of `asked` they are
    known: Mapping[str, Record]  #: every record that was loaded
    records: dict[str, Record]  #: the same after the batch, and those of new shoppers
    phones: Phones  #: where their devices are
    moved: set[str]  #: shoppers of whose devices something is known that was not before
    seen: list[Seen]
    retracted: list[Seen]
    moments: list[Moment]  #: in the order they are decided, each once
    outcomes: list[tuple[str, Known]] = []  #: what became known of whose earlier decisions
    lessons: list[tuple[str, Lesson]] = []  #: what was learned, of whom
    doubted: Sequence[str] = ()  #: for which reasons fixes were (`geo.motion`), each time they were judged

    @property
    def quiet(self) -> bool:
        """Whether nothing follows but that it is known where devices were."""
        return not (self.inputs or self.seen or self.retracted or self.moments)

    @property
    def changed(self) -> set[str]:
        """The shoppers whose state has changed."""
        known = self.known
        return self.moved | {name for name, record in self.records.items() if record is not known.get(name)}

    @property
    def told(self) -> set[str]:
        """The shoppers of whom more is known than where their devices were; not those who were erased."""
        inputs = {item.shopper_id for item in self.inputs}
        places = {one.shopper_id for one in (*self.seen, *self.retracted)}
        moments = {moment.shopper_id for moment in self.moments}
        return (inputs | places | moments) & self.records.keys()

    @property
    def timed(self) -> set[str]:
        """The shoppers whose timers may have changed: not those who just keep their visits alive."""
        devices, slots = self.phones.devices.data, self.slots
        open_ = (devices["visit_count"][slots] > 0) & (devices["steady"][slots] == 0)
        return self.told | {self.pings.items[ping].shopper_id for ping in open_.nonzero()[0].tolist()}


def begin(
    inputs: Sequence[Input], pings: Pings, records: Mapping[str, Record], phones: Phones, world: World
) -> Turn:
    """Settles, admits, follows and notes; finds the moments. Moves the fleet on."""
    settled, forgotten = settle(inputs, records, phones)
    taken = admit_pings(pings, settled, phones, world)
    judged = [admit(item, settled, phones, world) for item in inputs]
    kept = [item for _, item in judged if item is not None]
    seen, retracted, doubted = follow(kept, taken.pings, taken.slots, settled, phones, world)
    told, by_phone = matched(kept, settled, world)
    outcomes = note(kept, [*seen, *told], retracted, records, settled, world)
    moments = (
        *from_places(taken.pings, taken.slots, seen, settled, phones, world),
        *by_phone,
        *from_events(kept, settled, phones, world),
    )
    once = {one.moment_id: with_plausibility(one, settled, phones, world) for one in moments}
    followed = {item.shopper_id for item in taken.pings.items} | {one.shopper_id for one in seen}
    return Turn(
        admitted=[
            answer
            for item, (answer, _) in zip(inputs, judged, strict=True)
            if not isinstance(item, LeaveShopper)
        ],
        asked=pings.items,
        answers=taken.answers,
        inputs=kept,
        pings=taken.pings,
        slots=taken.slots,
        kept=taken.kept,
        known=records,
        records=settled,
        phones=phones,
        moved=forgotten | followed,
        seen=[*seen, *told],
        retracted=retracted,
        moments=list(once.values()),
        outcomes=outcomes,
        doubted=doubted,
    )


def decide_all(
    turn: Turn,
    moments: Iterable[Moment],
    world: World,
    answers: Answers,
    learner: Learner | None = None,
    *,
    now_us: int,
    took: Callable[[Decision], None] = lambda _: None,
) -> list[Decision]:
    """Learns what has become known; decides the moments one after the other: each counts for the next."""
    if learner is not None:
        learn(learner, turn.outcomes, turn.records, turn.lessons, now_us)
    decisions = []
    spoken: dict[str, str] = {}  # by device: the store that has, in this batch
    for found in in_order(list(moments), world.fences):
        record = turn.records[found.shopper_id]
        moment = with_overlaps(
            found,
            [
                one
                for device in record.devices
                for one in (
                    *whereabouts(turn.phones, record, device),  # however fast
                    *whereabouts_by_report(device),
                )
            ],
            record.shopper,
            spoken.get(found.device_id),
            fences=world.fences,
            catalogue=world.catalogue,
        )
        decision = decide(
            moment,
            record.shopper,
            world.catalogue,
            answers,
            salt=world.secret,
            now_us=now_us,
            learner=learner,
        )
        if learner is not None:
            learn_decision(learner, decision, turn.lessons)
        if (after := remembered(record.shopper, decision)) is not record.shopper:
            turn.records[moment.shopper_id] = record.with_shopper(after)
        if decision.chosen is not None:
            took(decision)
        if (store := spoken_by(decision)) is not None:
            spoken.setdefault(moment.device_id, store)
        decisions.append(decision)
    return decisions
