"""Coming nearer: what a receipt tells of it, who will be there, and that it brings one offer."""

from typing import Any

import pytest

from geo.approach import Approach
from geo.fence import Circle, Fence
from geo.transition import Sighting
from offers.ahead import approach_evidence, moment_ahead, will_enter
from offers.decision import Decision
from offers.hours import HOUR_US, MINUTE_US, SECOND_US
from offers.moment import Moment
from offers.remember import remembered
from tests.unit.offers.scene import MOMENT, NOON_US, STORE, catalogue, changed, decided, shopper

FENCE = Fence(
    external_id="mall-fence",
    store="mall",
    shape=Circle(lat_deg=STORE.lat_deg, lon_deg=STORE.lon_deg, radius_m=50.0),
)
#: 100 m north of the middle of the fence.
SEEN = Sighting(
    at_us=NOON_US - SECOND_US, lat_deg=STORE.lat_deg + 100 / 111_412, lon_deg=STORE.lon_deg, accuracy_m=8.0
)


def coming(**changes: Any) -> Approach:
    known = Approach(closing_mps=1.25, heading_off_deg=10.4, eta_s=40.0, distance_m=48.0, since_us=0)
    return changed(known, **changes)


def ahead(*, later_us: int = 0) -> Moment:
    return moment_ahead(
        coming(),
        changed(SEEN, at_us=SEEN.at_us + later_us),
        FENCE,
        catalogue(),
        retailer_id="ret_1",
        shopper_id="shp_1",
        device_id="dev_1",
        received_at_us=NOON_US + later_us,
        speed_mps=1.3,
        mock=False,
    )


def after_it(**changes: Any) -> Decision:
    """What is decided of a later moment, when an offer was made as she came near."""
    first = decided(ahead())
    assert first.outcome == "offer"
    moment = changed(MOMENT, **{"moment_id": "mom_2", **changes})
    return decided(moment, remembered(shopper(), first))


def entered(*, after_us: int, trigger: str = "enter") -> dict[str, Any]:
    return {"trigger": trigger, "entered_at_us": SEEN.at_us + after_us}


def test_a_receipt_tells_it_in_round_figures() -> None:
    assert approach_evidence(coming(), SEEN.at_us, geofence="mall-fence") == {
        "kind": "approach",
        "geofence": "mall-fence",
        "at": "2026-11-20T09:59:59Z",
        "closing_mps": 1.2,
        "heading_off_deg": 10,
        "eta_s": 40,
        "distance_m": 50,
    }


def test_what_is_not_known_is_left_out() -> None:
    told = approach_evidence(coming(heading_off_deg=None, eta_s=None), SEEN.at_us)
    assert set(told) == {"kind", "at", "closing_mps", "distance_m"}


@pytest.mark.parametrize(
    ("changes", "enters"),
    [
        ({}, True),
        ({"eta_s": 60.0}, True),
        ({"eta_s": 61.0}, False),
        ({"eta_s": None}, False),
        ({"heading_off_deg": None}, False),
        ({"heading_off_deg": 29.0}, True),  # passes 48 m from the middle
        ({"heading_off_deg": 31.0}, False),  # passes 52 m from it
        ({"heading_off_deg": 175.0}, False),  # walks away
    ],
)
def test_who_will_be_there_in_time_and_on_a_course_into_the_fence_will_enter(
    changes: dict[str, Any], enters: bool
) -> None:
    assert will_enter(coming(**changes), SEEN, FENCE, within_s=60.0) is enters


def test_the_moment_is_of_the_store_and_names_the_hour() -> None:
    moment = ahead()
    assert (moment.trigger, moment.store, moment.geofence) == ("approach", "mall", "mall-fence")
    assert moment.distance_m == pytest.approx(100, abs=0.1)
    names = [ahead(later_us=later_us).moment_id for later_us in (-10 * MINUTE_US, 0, 2 * SECOND_US)]
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize("trigger", ["enter", "dwell"])
def test_the_visit_that_follows_brings_no_second_offer(trigger: str) -> None:
    assert after_it(**entered(after_us=MINUTE_US, trigger=trigger)).reasons == ("already_offered",)


def test_nor_does_a_look_in_that_visit_bring_the_same_offer_again() -> None:
    assert after_it(**entered(after_us=MINUTE_US, trigger="view")).reasons == ("already_offered",)


def test_nor_another_approach_within_the_hour() -> None:
    assert after_it(**entered(after_us=HOUR_US, trigger="approach")).reasons == ("already_offered",)


def test_a_visit_more_than_an_hour_later_is_another() -> None:
    assert after_it(**entered(after_us=HOUR_US + 1)).outcome == "offer"


def test_a_visit_that_had_begun_before_is_another() -> None:
    assert after_it(**entered(after_us=-1)).outcome == "offer"


def test_an_offer_at_the_enter_is_of_that_visit_alone() -> None:
    first = decided(MOMENT)
    moment = changed(MOMENT, moment_id="mom_2", entered_at_us=MOMENT.entered_at_us + 60 * SECOND_US)
    assert decided(moment, remembered(shopper(), first)).outcome == "offer"
