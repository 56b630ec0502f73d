"""What one micro-batch means: inputs and records in, new records, transitions and decisions out.

No I/O: the live pipeline, the replay of a stored day and every test run these same two functions. `begin`
does all that needs no answer from outside; `decide_all` asks for those answers in the order of the moments.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from geo.fleet import Fleet
from offers.decide import decide, remembered
from offers.decision import Answers, Decision
from offers.moment import Moment
from offers.overlap import in_order, spoken_by, with_overlaps
from offers.shopper import with_event, with_outcome, with_redemption
from server.admit import Admitted, admit, settle
from server.inputs import Input, RecordEvents, RecordFixes, RecordOutcome, RecordRedemption, ShopperErased
from server.matched import matched, whereabouts_by_report
from server.moments import from_events, from_places
from server.plausible import with_plausibility
from server.records import Record
from server.whereabouts import Seen, follow, whereabouts
from server.world import World


class Turn(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A micro-batch before its decisions."""

    admitted: list[Admitted]  #: one per input, in order
    records: dict[str, Record]  #: every record that was loaded, after the batch
    fleet: Fleet  #: where their devices are
    moved: set[str]  #: shoppers of whose devices something is known that was not before
    seen: list[Seen]
    retracted: list[Seen]
    moments: list[Moment]  #: in the order they are decided, each once
    doubted: Sequence[str] = ()  #: for which reasons fixes were (`geo.motion`), each time they were judged

    @property
    def inputs(self) -> list[Input]:
        """What goes into the journal."""
        return [one.input for one in self.admitted if one.input is not None]


def begin(inputs: Sequence[Input], records: Mapping[str, Record], fleet: Fleet, world: World) -> Turn:
    """Settles, admits, follows and notes; finds the moments. Moves the fleet on."""
    settled, forgotten = settle(inputs, records, fleet)
    admitted = [admit(item, settled, world) for item in inputs]
    kept = [one.input for one in admitted if one.input is not None]
    seen, retracted, doubted = follow(kept, settled, fleet, world)
    _note(kept, settled)
    told, by_phone = matched(kept, settled, world)
    moments = (
        *from_places(kept, seen, settled, fleet, world),
        *by_phone,
        *from_events(kept, settled, fleet, world),
    )
    once = {one.moment_id: with_plausibility(one, settled, fleet, world) for one in moments}
    followed = {i.shopper_id for i in kept if isinstance(i, RecordFixes)} | {one.shopper_id for one in seen}
    return Turn(
        admitted=admitted,
        records=settled,
        fleet=fleet,
        moved=forgotten | followed,
        seen=[*seen, *told],
        retracted=retracted,
        moments=list(once.values()),
        doubted=doubted,
    )


def decide_all(
    turn: Turn,
    moments: Iterable[Moment],
    world: World,
    answers: Answers,
    *,
    now_us: int,
    took: Callable[[Decision], None] = lambda _: None,
) -> list[Decision]:
    """Decides the moments one after the other; an offer counts for the next."""
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
                    *whereabouts(turn.fleet, record, device, world.rules),
                    *whereabouts_by_report(device),
                )
            ],
            record.shopper,
            spoken.get(found.device_id),
            fences=world.fences,
            catalogue=world.catalogue,
        )
        decision = decide(moment, record.shopper, world.catalogue, answers, salt=world.secret, now_us=now_us)
        if decision.chosen is not None:
            turn.records[moment.shopper_id] = record.with_shopper(remembered(record.shopper, decision))
            took(decision)
        if (store := spoken_by(decision)) is not None:
            spoken.setdefault(moment.device_id, store)
        decisions.append(decision)
    return decisions


def _note(inputs: Iterable[Input], records: dict[str, Record]) -> None:
    """Lets browse events, outcomes and redemptions into the shoppers' states."""
    for item in inputs:
        if isinstance(item, ShopperErased):
            continue
        record = records[item.shopper_id]
        shopper = record.shopper
        if isinstance(item, RecordEvents):
            for event in item.events:
                shopper = with_event(shopper, event, now_us=item.received_at_us)
        elif isinstance(item, RecordRedemption):
            shopper = with_redemption(shopper, item.offer, at_us=item.received_at_us, sku=item.sku)
        elif isinstance(item, RecordOutcome):
            shopper = with_outcome(shopper, item.decision_id, item.outcome)
        else:
            continue
        records[item.shopper_id] = record.with_shopper(shopper)
