"""Overlapping fences: of the stores that a shopper is at, the one whose fence fits her place best speaks.

In a mall she stands in the fences of a shop, of its floor and of the mall at once. All of them are entered
and left as if they were alone; only who may speak is settled here. The moments that one micro-batch brings of
one device are decided in the order of how specific their fences are: the smaller first, which puts what is
nested before what it is nested in; then the nearer store; then by id. Whoever has nothing to say leaves it to
the next. A moment is silent (`overlapped`) when another store

- has made her an offer in this very micro-batch, or would have but for the holdout;
- has made her one within a second of this look or step, whichever of her devices it came from;
- has a more specific fence, which the device is in, and has made her one in that visit. This holds for an
  enter, a dwell or an approach; what she looks at may bring up any store.
"""

import math
from collections.abc import Iterable, Sequence

import msgspec

from geo.index import FenceSet
from geo.specific import size_m2
from offers.catalogue import Catalogue
from offers.decision import Decision
from offers.hours import SECOND_US
from offers.moment import PLACE_TRIGGERS, SILENT_TRIGGERS, Moment, Whereabouts, distance_to_store_m
from offers.shopper import Shopper

#: Looks and steps within this time are one: a mall and its shops are entered fix by fix.
MALL_US = SECOND_US
#: A fence's area, the distance of its store, and ids where both are the same: the least is the most specific.
Specificity = tuple[float, float, str, str]


def in_order(moments: Sequence[Moment], fences: FenceSet) -> list[Moment]:
    """The moments of each device together, the most specific first; devices in the order of their first."""
    by_device: dict[str, list[Moment]] = {}
    for moment in moments:
        by_device.setdefault(moment.device_id, []).append(moment)
    ordered: list[Moment] = []
    for group in by_device.values():
        if len({moment.store for moment in group}) > 1:
            group.sort(key=lambda moment: _of_moment(moment, fences))
        ordered += group
    return ordered


def most_specific(here: Iterable[Whereabouts], fences: FenceSet, catalogue: Catalogue) -> list[Whereabouts]:
    """Of each device's open visits to one store by several of its fences, the one of the most specific."""
    by_store: dict[tuple[str, str], list[Whereabouts]] = {}
    for one in here:
        by_store.setdefault((one.device_id, one.presence.store), []).append(one)
    return [
        visits[0] if len(visits) == 1 else min(visits, key=lambda one: _of_visit(one, fences, catalogue))
        for visits in by_store.values()
    ]


def with_overlaps(
    moment: Moment,
    here: Iterable[Whereabouts],
    shopper: Shopper,
    spoken: str | None,
    *,
    fences: FenceSet,
    catalogue: Catalogue,
) -> Moment:
    """The moment, knowing of her other visits and of who has spoken.

    `here` are the open visits of all her devices; `spoken` is the store that has spoken to this device in
    this micro-batch.
    """
    if not moment.store or moment.trigger in SILENT_TRIGGERS:
        return moment  # silent anyway, and in a sensitive place no store is named
    others = [one for one in here if one.presence.geofence != moment.geofence]
    stays = {one.presence.entered_at_us for one in here if one.presence.store == moment.store}
    if spoken is None or spoken == moment.store:
        spoken = _at_this_look(moment, shopper) or _more_specific(moment, others, shopper, fences, catalogue)
    return msgspec.structs.replace(
        moment, overlapped_by=spoken, also_entered_us=tuple(sorted(stays - {moment.entered_at_us}))
    )


def spoken_by(decision: Decision) -> str | None:
    """The store that spoke by this decision, or would have but for the holdout."""
    return decision.moment.store if decision.chosen is not None or decision.ghost is not None else None


def _at_this_look(moment: Moment, shopper: Shopper) -> str | None:
    stores = (c.store for c in shopper.contacts if abs(c.cause_us - moment.at_us) <= MALL_US)
    return next((store for store in stores if store != moment.store), None)


def _more_specific(
    moment: Moment, others: Iterable[Whereabouts], shopper: Shopper, fences: FenceSet, catalogue: Catalogue
) -> str | None:
    """Of the device's open visits to other stores, in more specific fences, one in which she had an offer."""
    if moment.trigger not in PLACE_TRIGGERS:
        return None
    visits = {(contact.store, contact.entered_at_us) for contact in shopper.contacts}
    rivals = [
        one
        for one in others
        if one.device_id == moment.device_id
        and one.presence.store != moment.store
        and (one.presence.store, one.presence.entered_at_us) in visits
    ]
    if not rivals:
        return None
    best, store = min((_of_visit(one, fences, catalogue), one.presence.store) for one in rivals)
    return store if best < _of_moment(moment, fences) else None


def _of_moment(moment: Moment, fences: FenceSet) -> Specificity:
    return _specificity(moment.geofence, moment.store, moment.distance_m, fences)


def _of_visit(one: Whereabouts, fences: FenceSet, catalogue: Catalogue) -> Specificity:
    store, seen = one.presence.store, one.seen
    distance_m = distance_to_store_m(catalogue, store, seen.lat_deg, seen.lon_deg)
    return _specificity(one.presence.geofence, store, distance_m, fences)


def _specificity(geofence: str, store: str, distance_m: float | None, fences: FenceSet) -> Specificity:
    return size_m2(geofence, fences), math.inf if distance_m is None else distance_m, store, geofence
