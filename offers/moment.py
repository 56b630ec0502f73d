"""Moments: a shopper, a store and a reason to decide now whether to speak.

A transition makes a moment when she enters a store's fence or dwells in it, and one that is silent when she
passes a fence by. A browse event makes one for each store at which she is present; coming nearer may make one
before that (`offers.ahead`). All are evidence for "I want to go"; whether to speak is the decision's matter.
"""

import math
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from geo.distance import distance_m
from geo.plausibility import Plausibility
from geo.transition import Presence, Sighting, Transition
from offers.catalogue import Catalogue
from offers.category import text_from_path
from offers.event import Event
from offers.hours import HOUR_US, SECOND_US, rfc3339
from offers.ids import derived_id

#: A fix or an event older than this on arrival does not speak.
STALE_AFTER_US = 120 * SECOND_US
#: A phone at a store reports every ten minutes; where one that was silent for so long is, nobody knows.
SILENT_AFTER_US = 1_800 * SECOND_US

MomentKind = Literal["know", "go", "do", "buy"]

#: Triggers by where she is; the others are looks of hers.
PLACE_TRIGGERS = ("enter", "dwell", "approach")
#: Triggers of moments that are silent whatever she is interested in: there is only something to explain.
SILENT_TRIGGERS = ("fix", "pass_by")


class Moment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A reason to decide. Holds no coordinates."""

    moment_id: str  #: follows from what caused it
    kind: MomentKind = "go"
    shopper_id: str
    device_id: str
    store: str
    geofence: str
    trigger: str  #: `enter`, `dwell`, `approach`, `pass_by`, `fix`, or the kind of the browse event
    at_us: int  #: when the cause happened
    received_at_us: int  #: when we learned of it
    entered_at_us: int  #: names the visit; `at_us` where there is none
    distance_m: float | None = None  #: to the store; None where the store is not in the catalogue
    speed_mps: float | None = None
    accuracy_m: float | None = None
    mock: bool = False  #: the position was made up, the phone says
    plausibility: Plausibility = Plausibility()  #: of where the device was lately
    sensitive: bool = False  #: the position lies in a sensitive place
    left: bool = False  #: she has left the store again, as a later fix in hand says
    also_entered_us: tuple[
        int, ...
    ] = ()  #: names her other open visits to the store, by others of its fences
    overlapped_by: str | None = None  #: the store that has spoken instead, where fences overlap
    evidence: tuple[dict[str, Any], ...] = ()  #: what caused it, as the receipt tells it


def moment_from_transition(
    transition: Transition,
    catalogue: Catalogue,
    *,
    retailer_id: str,
    shopper_id: str,
    device_id: str,
    received_at_us: int,
    mock: bool = False,
    sensitive: bool = False,
    left: bool = False,
    more_evidence: tuple[dict[str, Any], ...] = (),
) -> Moment | None:
    """The moment of an enter, a dwell, or a pass-by without a visit; None for anything else.

    None, too, for what a late fix corrected. Who has driven through a fence in a visit had a moment at the
    enter. A pass-by is told at most once an hour and fence: as a drive-by if it was fast, else as one who has
    left again, for she is not there.
    """
    passed = transition.kind == "pass_by" and transition.entered_at_us == transition.at_us
    if not (passed or transition.kind in ("enter", "dwell")) or transition.late:
        return None
    named_us = transition.at_us // HOUR_US if passed else transition.entered_at_us
    cause = (transition.kind, transition.geofence, named_us)
    if passed:
        left = (transition.speed_mps or 0.0) <= catalogue.settings.drive_by_mps
    evidence = {"kind": transition.kind, "geofence": transition.geofence, "at": rfc3339(transition.at_us)}
    return Moment(
        moment_id=derived_id("mom", retailer_id, shopper_id, device_id, transition.store, *cause),
        shopper_id=shopper_id,
        device_id=device_id,
        store=transition.store,
        geofence=transition.geofence,
        trigger=transition.kind,
        at_us=transition.at_us,
        received_at_us=received_at_us,
        entered_at_us=transition.entered_at_us,
        distance_m=distance_to_store_m(catalogue, transition.store, transition.lat_deg, transition.lon_deg),
        speed_mps=transition.speed_mps,
        accuracy_m=transition.accuracy_m,
        mock=mock,
        sensitive=sensitive,
        left=left,
        evidence=(evidence, *more_evidence),
    )


class Whereabouts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One visit that is open now: which device, where, and what its newest fix says of the device."""

    device_id: str
    presence: Presence
    seen: Sighting  #: the device's newest
    speed_mps: float | None = None  #: by then
    mock: bool = False  #: that fix was made up, the phone says


def moments_from_event(
    event: Event,
    here: Iterable[Whereabouts],
    catalogue: Catalogue,
    *,
    retailer_id: str,
    shopper_id: str,
    received_at_us: int,
) -> tuple[Moment, ...]:
    """A moment for each store at which she is present, by store; none for a purchase.

    `here` is of all her devices. Of several visits at one store the one seen last counts. A speed from more
    than 2 minutes before the event says nothing any more; the presence does, since a phone need not report
    while nothing can change. A phone that is silent for half an hour makes no moment, though its visit may be
    open still.
    """
    if event.kind == "purchase":
        return ()
    latest: dict[str, Whereabouts] = {}
    heard = [one for one in here if event.at_us - one.seen.at_us <= SILENT_AFTER_US]
    for one in sorted(heard, key=lambda w: (w.seen.at_us, w.device_id, w.presence.geofence)):
        latest[one.presence.store] = one
    return tuple(
        _moment_at(
            event,
            one,
            catalogue,
            moment_id=derived_id("mom", retailer_id, shopper_id, store, event.content),
            shopper_id=shopper_id,
            received_at_us=received_at_us,
        )
        for store, one in sorted(latest.items())
    )


def _moment_at(
    event: Event,
    one: Whereabouts,
    catalogue: Catalogue,
    *,
    moment_id: str,
    shopper_id: str,
    received_at_us: int,
) -> Moment:
    presence, seen = one.presence, one.seen
    recent = event.at_us - seen.at_us <= STALE_AFTER_US
    about = {
        "sku": event.sku,
        "category": text_from_path(event.category) if event.category else None,
        "query": event.query,
        "store": event.store,
    }
    evidence = {"kind": event.kind, "at": rfc3339(event.at_us)}
    evidence |= {name: value for name, value in about.items() if value is not None}
    return Moment(
        moment_id=moment_id,
        shopper_id=shopper_id,
        device_id=one.device_id,
        store=presence.store,
        geofence=presence.geofence,
        trigger=event.kind,
        at_us=event.at_us,
        received_at_us=received_at_us,
        entered_at_us=presence.entered_at_us,
        distance_m=distance_to_store_m(catalogue, presence.store, seen.lat_deg, seen.lon_deg),
        speed_mps=one.speed_mps if recent else None,
        accuracy_m=seen.accuracy_m,
        mock=one.mock,
        evidence=(evidence,),
    )


def distance_to_store_m(catalogue: Catalogue, store: str, lat_deg: float, lon_deg: float) -> float | None:
    """Metres from a place to the store; None where either is not known (NaN)."""
    shop = catalogue.stores.get(store)
    return (
        None
        if shop is None or math.isnan(lat_deg)
        else distance_m(lat_deg, lon_deg, shop.lat_deg, shop.lon_deg)
    )
