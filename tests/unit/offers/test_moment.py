from typing import Any

import pytest

from offers.event import Event
from offers.hours import SECOND_US
from offers.moment import Moment, Whereabouts, moment_from_transition, moments_from_event
from tests.unit.offers.scene import NOON_US, STORE, catalogue, changed, presence, sighting, transition

WHO: dict[str, Any] = {"retailer_id": "ret_1", "shopper_id": "shp_1"}


def of_transition(kind: str = "enter", **changes: Any) -> Moment | None:
    told = transition(kind, **changes)
    return moment_from_transition(told, catalogue(), **WHO, device_id="dev_1", received_at_us=NOON_US)


def of_event(*presences: tuple[str, Any], kind: Any = "view", at_us: int = NOON_US) -> tuple[Moment, ...]:
    event = Event(kind=kind, at_us=at_us, sku="trainers", category=("Shoes",))
    here = [
        Whereabouts(
            device_id=device_id, presence=present, seen=sighting(present.supported_at_us), speed_mps=0.5
        )
        for device_id, present in presences
    ]
    return moments_from_event(event, here, catalogue(), **WHO, received_at_us=NOON_US)


@pytest.mark.parametrize("kind", ["enter", "dwell"])
def test_an_enter_and_a_dwell_make_a_moment(kind: str) -> None:
    moment = of_transition(kind)
    assert moment is not None
    assert (moment.kind, moment.trigger, moment.store, moment.device_id) == ("go", kind, "mall", "dev_1")
    assert moment.evidence == ({"kind": kind, "geofence": "mall-fence", "at": "2026-11-20T09:59:59Z"},)


def test_an_exit_makes_none() -> None:
    assert of_transition("exit") is None


@pytest.mark.parametrize(("speed_mps", "left"), [(None, True), (1.5, True), (4.0, True), (4.1, False)])
def test_a_pass_by_is_of_one_who_is_not_there_or_drives(speed_mps: float | None, left: bool) -> None:
    moment = of_transition("pass_by", speed_mps=speed_mps)
    assert moment is not None
    assert (moment.trigger, moment.left) == ("pass_by", left)


def test_there_is_one_moment_of_passing_a_fence_in_an_hour() -> None:
    names = []
    for minutes in (1, 59, 61):
        at_us = NOON_US + minutes * 60 * SECOND_US
        moment = of_transition("pass_by", at_us=at_us, entered_at_us=at_us)
        assert moment is not None
        names.append(moment.moment_id)
    assert names[0] == names[1] != names[2]


def test_who_drove_through_in_a_visit_had_a_moment_at_the_enter() -> None:
    assert of_transition("pass_by", entered_at_us=NOON_US - 9 * SECOND_US) is None


def test_what_a_late_fix_corrected_makes_none() -> None:
    assert of_transition(late=True) is None


def test_a_stale_transition_still_makes_a_moment_that_a_receipt_can_tell_of() -> None:
    assert of_transition(at_us=NOON_US - 600 * SECOND_US) is not None


def test_a_moment_knows_the_distance_but_no_coordinates() -> None:
    moment = of_transition()
    assert moment is not None
    assert moment.distance_m == pytest.approx(44.57, abs=0.01)
    assert not {"lat_deg", "lon_deg"} & set(Moment.__struct_fields__)


def test_the_distance_to_an_unknown_store_is_not_known() -> None:
    moment = of_transition(store="elsewhere")
    assert moment is not None
    assert moment.distance_m is None


def test_the_same_cause_names_the_same_moment_and_another_another() -> None:
    ids = [
        of_transition(),
        of_transition(lat_deg=60.2),
        of_transition("dwell"),
        of_transition(entered_at_us=1),
    ]
    names = [moment.moment_id for moment in ids if moment is not None]
    assert names[0] == names[1]
    assert len(set(names)) == 3


def test_browsing_makes_a_moment_for_each_store_where_she_is() -> None:
    moments = of_event(("dev_1", presence("mall")), ("dev_1", presence("arcade")))
    assert [moment.store for moment in moments] == ["arcade", "mall"]
    assert moments[1].trigger == "view"
    evidence = {"kind": "view", "at": "2026-11-20T10:00:00Z", "sku": "trainers", "category": "Shoes"}
    assert moments[1].evidence == (evidence,)


def test_browsing_elsewhere_makes_none() -> None:
    assert of_event() == ()


def test_a_purchase_makes_none() -> None:
    assert of_event(("dev_1", presence()), kind="purchase") == ()


def test_of_two_devices_at_one_store_the_one_seen_last_counts() -> None:
    earlier, later = presence(seconds_ago=90), presence(seconds_ago=10)
    moments = of_event(("dev_2", later), ("dev_1", earlier))
    assert [moment.device_id for moment in moments] == ["dev_2"]
    assert moments[0].moment_id == of_event(("dev_1", earlier))[0].moment_id


def test_an_old_speed_says_nothing_about_now() -> None:
    assert of_event(("dev_1", presence(seconds_ago=100)))[0].speed_mps == 0.5
    assert of_event(("dev_1", presence(seconds_ago=121)))[0].speed_mps is None


def test_a_visit_of_a_phone_that_is_silent_for_half_an_hour_makes_no_moment_though_it_is_open() -> None:
    assert len(of_event(("dev_1", presence(seconds_ago=1_800)))) == 1
    assert of_event(("dev_1", presence(seconds_ago=1_801))) == ()


def test_a_made_up_or_sensitive_position_is_told() -> None:
    told = moment_from_transition(
        transition(), catalogue(), **WHO, device_id="d", received_at_us=NOON_US, mock=True, sensitive=True
    )
    assert told is not None
    assert (told.mock, told.sensitive) == (True, True)


def test_where_the_store_lies_comes_from_the_catalogue() -> None:
    moved = catalogue(stores=(changed(STORE, lat_deg=60.1704),))
    moment = moment_from_transition(transition(), moved, **WHO, device_id="d", received_at_us=NOON_US)
    assert moment is not None
    assert moment.distance_m == pytest.approx(0, abs=1e-6)
