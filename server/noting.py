"""Lets what came in into the shoppers' states: browse events, outcomes, redemptions, visits, and time."""

from collections.abc import Iterable, Mapping

from offers.learn.hers import Known
from offers.remember import after_event, after_redemption, after_report, after_stop, after_time, after_visit
from offers.shopper import Shopper, with_event, with_outcome, with_redemption, with_reversal
from server.inputs import (
    Input,
    RecordEvents,
    RecordOutcome,
    RecordRedemption,
    RecordReversal,
    SetConsents,
    ShopperErased,
)
from server.records import Record
from server.whereabouts import Seen
from server.world import World


def note(  # noqa: PLR0917 - what `begin` knows
    inputs: Iterable[Input],
    seen: Iterable[Seen],
    retracted: Iterable[Seen],
    before: Mapping[str, Record],
    records: dict[str, Record],
    world: World,
) -> list[tuple[str, Known]]:
    """Changes the records; what has become known of whose earlier decisions, in the order of the inputs."""
    found: list[tuple[str, Known]] = []
    learns = world.catalogue.settings.policy == "learn"
    for item in inputs:
        if isinstance(item, ShopperErased):
            continue
        record = records[item.shopper_id]
        shopper, known = _noted(item, record.shopper, before.get(item.shopper_id), learns=learns)
        shopper, late = after_time(shopper, item.received_at_us)
        found += [(item.shopper_id, one) for one in (*known, *late)]
        if shopper is not record.shopper:
            records[item.shopper_id] = record.with_shopper(shopper)
    for by, places in ((1, seen), (-1, retracted)) if learns else ():
        for one in places:
            if one.transition.kind == "enter" and (at := records.get(one.shopper_id)) is not None:
                shopper = after_visit(at.shopper, one.transition.store, one.received_at_us, by)
                records[one.shopper_id] = at.with_shopper(shopper)
    return found


def _noted(
    item: Input, shopper: Shopper, before: Record | None, *, learns: bool
) -> tuple[Shopper, list[Known]]:
    """The shopper after one input, and what it tells of earlier decisions."""
    known: list[Known] = []
    if isinstance(item, RecordEvents):
        for event in item.events:
            shopper = with_event(shopper, event, now_us=item.received_at_us)
            if learns:
                shopper, told = after_event(shopper, event, item.received_at_us)
                known += told
    elif isinstance(item, RecordRedemption):
        shopper = with_redemption(shopper, item.offer, at_us=item.received_at_us, sku=item.sku)
        shopper, known = after_redemption(shopper, item.decision_id)
    elif isinstance(item, RecordReversal):
        shopper = with_reversal(shopper, item.offer)
    elif isinstance(item, RecordOutcome):
        shopper = with_outcome(shopper, item.decision_id, item.outcome)
        shopper, known = after_report(shopper, item.decision_id, item.outcome)
    elif isinstance(item, SetConsents) and "push" in item.consents and not item.consents["push"].granted:
        shopper, known = after_stop(shopper)
        if not known and before is not None:  # what she withdrew beside it has taken her trials
            _, known = after_stop(before.shopper)
    return shopper, known
