"""Coming nearer: as evidence of a moment, and as a moment before the store's fence is entered."""

import math
from typing import Any

from geo.approach import Approach
from geo.distance import distance_m
from geo.fence import Circle, Fence
from geo.transition import Sighting
from offers.catalogue import Catalogue
from offers.hours import HOUR_US, rfc3339
from offers.ids import derived_id
from offers.moment import Moment, distance_to_store_m
from offers.situation import rounded_m


def approach_evidence(approach: Approach, at_us: int, *, geofence: str | None = None) -> dict[str, Any]:
    """How she comes nearer to a geofence, or to the store, as a receipt tells it: what is known of it."""
    told = {
        "kind": "approach",
        "geofence": geofence,
        "at": rfc3339(at_us),
        "closing_mps": round(approach.closing_mps, 1),
        "heading_off_deg": None if approach.heading_off_deg is None else round(approach.heading_off_deg),
        "eta_s": None if approach.eta_s is None else round(approach.eta_s),
        "distance_m": rounded_m(approach.distance_m),
    }
    return {name: value for name, value in told.items() if value is not None}


def will_enter(approach: Approach, seen: Sighting, fence: Fence, *, within_s: float) -> bool:
    """Whether she reaches the fence within so many seconds, and going straight on leads her into it.

    `seen` is her newest sighting. An area counts as the circle around it.
    """
    if approach.eta_s is None or approach.eta_s > within_s or approach.heading_off_deg is None:
        return False
    circle = fence.shape if isinstance(fence.shape, Circle) else fence.shape.bounding_circle
    away_m = distance_m(seen.lat_deg, seen.lon_deg, circle.lat_deg, circle.lon_deg)
    off = math.radians(approach.heading_off_deg)
    return off < math.pi / 2 and away_m * math.sin(off) <= circle.radius_m


def moment_ahead(
    approach: Approach,
    seen: Sighting,
    fence: Fence,
    catalogue: Catalogue,
    *,
    retailer_id: str,
    shopper_id: str,
    device_id: str,
    received_at_us: int,
    speed_mps: float | None,
    mock: bool,
) -> Moment:
    """The moment before she enters a store's fence. There is one an hour, device and store."""
    cause = ("approach", seen.at_us // HOUR_US)
    return Moment(
        moment_id=derived_id("mom", retailer_id, shopper_id, device_id, fence.store, *cause),
        shopper_id=shopper_id,
        device_id=device_id,
        store=fence.store,
        geofence=fence.external_id,
        trigger="approach",
        at_us=seen.at_us,
        received_at_us=received_at_us,
        entered_at_us=seen.at_us,
        distance_m=distance_to_store_m(catalogue, fence.store, seen.lat_deg, seen.lon_deg),
        speed_mps=speed_mps,
        accuracy_m=seen.accuracy_m,
        mock=mock,
        evidence=(approach_evidence(approach, seen.at_us, geofence=fence.external_id),),
    )
