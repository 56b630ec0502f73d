"""`server.doctor.examine`: findings, and proposals that the same traces bear out."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
import shapely

from geo.fence import Area, Circle, Fence
from geo.geojson import features_of, fence_from_feature
from server.doctor.examine import Report, examine
from server.doctor.findings import REMEDIES
from server.doctor.outline import Outline
from server.doctor.report import by_need, effects, line, proposed
from tests.support import REPOSITORY
from tests.unit.server.doctor_scene import (
    BESIDE,
    EXACT,
    MIDDLE,
    RULES,
    Leg,
    at,
    circle,
    codes,
    reports,
    trace_of,
    visitors,
    walk,
)


def examined(walks: Sequence[Sequence[Leg]], *fences: Fence, accuracy_m: float | None = 10.0) -> Report:
    """The report on the first of some fences, judged by bare geometry."""
    return reports(trace_of(walks, accuracy_m=accuracy_m), *fences, rules=EXACT)[0]


def test_a_fence_that_works_has_no_findings_and_no_proposal() -> None:
    report = examined(visitors(*MIDDLE), circle())

    assert (report.findings, report.proposal) == ((), None)
    assert report.case.measures.wrong == 0


def test_a_fence_that_nobody_came_to_is_said_to_be_unseen() -> None:
    report = examined(visitors((3_000, 3_000)), circle())

    assert codes(report) == {"too_little"}
    assert report.findings[0].sentence == "No device came within 100 m of it."


def test_a_fence_seen_by_two_devices_is_not_judged() -> None:
    report = examined(visitors(*BESIDE[:2]), circle())

    assert codes(report) == {"too_little"}
    assert report.findings[0].sentence == (
        "Seen by 2 devices in 0 visits and 2 missed visits: too little to judge."
    )
    assert report.proposal is None


def test_a_fence_beside_where_people_stop_may_be_in_the_wrong_place() -> None:
    report = examined(visitors(*((70 + x, y) for x, y in MIDDLE)), circle(radius_m=20))

    assert codes(report) == {"too_little"}
    assert report.findings[0].sentence == (
        "Seen by 6 devices in 0 visits: too little to judge. "
        "6 stops within 100 m of it lie in no geofence: is it in the right place?"
    )


def test_a_circle_smaller_than_its_fixes_are_accurate_is_too_small() -> None:
    report = examined(visitors(*MIDDLE), circle(radius_m=30), accuracy_m=35)

    assert "too_small" in codes(report)
    assert "accurate to 35 m, and its radius is 30 m" in report.findings[0].sentence


def test_stops_beside_a_circle_make_it_larger_and_are_visits_then() -> None:
    report = examined(visitors(*BESIDE), circle())

    assert codes(report) == {"missed_visits"}
    assert report.proposal is not None
    assert report.proposal.candidate.told == "radius 50 → 60 m"
    assert effects(report) == [
        ("visits", 0, 6),
        ("dwelled", 0, 6),
        ("missed visits", 6, 0),
        ("wrong in all", 6, 0),
    ]


def test_no_circle_grows_into_another_stores_fence() -> None:
    report = examined(visitors(*BESIDE), circle(), circle("next", at_m=(108, 0)))

    assert report.case.measures.missed_visits == 6
    assert report.proposal is None


def test_a_circle_may_grow_into_another_fence_of_its_store() -> None:
    report = examined(visitors(*BESIDE), circle(), circle("back", store="shop", at_m=(115, 0)))

    assert report.proposal is not None


def test_a_circle_that_a_road_touches_is_made_smaller() -> None:
    cars = [walk((0, -500, 30 + n), (80, 500, 30 + n), every_s=2) for n in range(8)]
    report = examined(visitors(*MIDDLE) + cars, circle())

    assert codes(report) == {"drive_bys"}
    assert report.proposal is not None
    assert isinstance(report.proposal.candidate.fence.shape, Circle)
    assert report.proposal.candidate.fence.shape.radius_m < 50
    assert ("drive-bys", 8, 0) in effects(report)


def test_a_fence_that_only_cars_see_is_not_made_away_with() -> None:
    cars = [walk((0, -500, 30 + n), (80, 500, 30 + n), every_s=2) for n in range(8)]
    report = examined(cars, circle())

    assert codes(report) == {"drive_bys"}
    assert report.proposal is None


def test_dwells_of_passers_by_make_the_dwell_longer() -> None:
    passers = [walk((0, -400, 5 * n), (530, 400, 5 * n)) for n in range(6)]
    report = examined(visitors(*MIDDLE) + passers, circle(radius_m=60))

    assert codes(report) == {"dwells_in_passing"}
    assert report.proposal is not None
    assert report.proposal.candidate.told == "dwell after 60 → 90 s"
    assert report.proposal.candidate.fence.dwell_s == 90
    assert ("dwells in passing", 6, 0) in effects(report)


def test_a_dwell_longer_than_people_stay_is_made_shorter() -> None:
    report = examined(visitors(*MIDDLE, stay_s=200), circle(dwell_s=900.0))

    assert codes(report) == {"dwell_too_long"}
    assert report.proposal is not None
    assert report.proposal.candidate.fence.dwell_s < 300
    assert ("cut short", 6, 0) in effects(report)


def test_visits_in_one_corner_of_a_large_circle_get_a_polygon() -> None:
    corner = [(100 + x, y) for x, y in MIDDLE]
    cars = [walk((0, -900, -20 - n), (120, 900, -60 - n), every_s=2) for n in range(12)]
    report = examined(visitors(*corner, away_m=900) + cars, circle(radius_m=150))

    assert report.proposal is not None
    assert report.proposal.candidate.change == "polygon"
    shape = report.proposal.candidate.fence.shape
    assert isinstance(shape, Area)
    assert all(report.proposal.candidate.fence.contains(*at(*place)) for place in corner)
    assert report.proposal.case.outline.area_m2 < report.case.outline.area_m2 / 3


def test_no_polygon_is_drawn_around_fewer_than_three_phones() -> None:
    twice = [walk(*((start + at, x, y) for start in range(0, 40_000, 4_000) for at, x, y in day)) for day in (
        [(0, 900, 0), (300, 100, 0), (900, 100, 0), (1_200, 900, 0)],
        [(0, 900, 0), (300, 105, 5), (900, 105, 5), (1_200, 900, 0)],
    )]  # fmt: skip
    cars = [walk((0, -900, -20 - n), (120, 900, -60 - n), every_s=2) for n in range(30)]
    report = examined(twice + cars, circle(radius_m=150))

    assert report.case.measures.dwelled == 20
    assert report.proposal is None or report.proposal.candidate.change != "polygon"


def test_a_polygon_is_moved_outward_where_stops_are_missed() -> None:
    square = _square(50)
    report = examined(visitors(*BESIDE), square)

    assert report.proposal is not None
    assert report.proposal.candidate.change == "outline"
    assert report.proposal.candidate.told == "outline moved 15 m outward"
    assert ("missed visits", 6, 0) in effects(report)


def _square(half_m: float) -> Fence:
    outline = Outline.of(circle().shape)
    return Fence(
        external_id="shop", store="shop", shape=outline.area_from(shapely.box(*[-half_m] * 2, *[half_m] * 2))
    )


def test_fixes_rarer_than_the_dwell_are_told_of() -> None:
    walks = [walk((0, -600, n), (960, 600, n), every_s=120) for n in range(6)]

    assert "sparse_fixes" in codes(examined(walks, circle(radius_m=80)))


def test_a_fence_that_half_lies_in_another_stores_is_told_of_even_unseen() -> None:
    report = examined(visitors((3_000, 0)), circle(), circle("next", at_m=(30, 0)))

    assert codes(report) == {"too_little", "overlaps"}
    assert "fence next of store next" in report.findings[-1].sentence


def test_a_shop_in_a_mall_is_no_finding() -> None:
    report = examined(visitors(*MIDDLE), circle(), circle("mall", radius_m=300))

    assert codes(report) == set()
    assert [one.how for one in report.overlaps] == ["nested"]


def test_only_the_fences_wanted_are_reported() -> None:
    fences = [circle(), circle("next", at_m=(30, 0))]
    found = examine(trace_of(visitors(*MIDDLE)), fences, RULES, wanted=fences[1:], progress=lambda *_: None)

    assert [report.case.fence.external_id for report in found] == ["next"]
    assert [one.fence for one in found[0].overlaps] == ["shop"]


def test_disabled_fences_overlap_nothing() -> None:
    off = circle("next", at_m=(30, 0), enabled=False)
    found = examine(
        trace_of(visitors(*MIDDLE)), [circle(), off], RULES, wanted=[circle()], progress=lambda *_: None
    )

    assert found[0].overlaps == ()


def test_a_report_is_the_same_every_time() -> None:
    trace = trace_of(visitors(*BESIDE), noise_m=8)

    assert line(reports(trace, circle())[0]) == line(reports(trace, circle())[0])


def test_findings_carry_their_codes_remedy() -> None:
    report = examined(visitors(*BESIDE), circle())

    assert [finding.remedy for finding in report.findings] == [REMEDIES["missed_visits"]]


def test_every_code_is_in_the_reference() -> None:
    reference = (REPOSITORY / "docs" / "reference.md").read_text("utf-8")

    assert [code for code in REMEDIES if f"`{code}`" not in reference] == []


def test_the_progress_says_how_far_each_step_is() -> None:
    told: list[tuple[str, int, int]] = []
    fences = [circle()]
    examine(
        trace_of(visitors(*BESIDE)), fences, RULES, wanted=fences, progress=lambda *step: told.append(step)
    )

    assert list(dict.fromkeys(what for what, _, _ in told)) == [
        "looking for stops",
        "judging",
        "examining",
        "trying changes",
        "comparing changes",
    ]
    assert all(0 <= done <= total for _, done, total in told)


def test_the_json_has_measures_proposal_and_effect_and_no_position_of_a_phone() -> None:
    trace = trace_of(visitors(*BESIDE))
    told = msgspec.json.decode(line(reports(trace, circle())[0]))

    assert list(told) == ["fence", "store", "measures", "overlaps", "findings", "proposal", "effect"]
    assert told["measures"]["missed_visits"] == 6
    assert told["effect"]["missed_visits"] == 0
    assert told["proposal"]["feature"]["properties"]["radius"] == 60
    assert told["proposal"]["feature"]["geometry"]["coordinates"] == [24.94, 60.17]


def test_what_is_proposed_keeps_everything_else_and_can_be_imported() -> None:
    shop = circle(store="kamppi", name="The shop", dwell_s=45.0)
    other, off = circle("far", at_m=(9_000, 0)), circle("off", at_m=(5_000, 0), enabled=False)
    found = reports(trace_of(visitors(*BESIDE)), shop, other)
    features = features_of(msgspec.json.decode(proposed([off, shop, other], found)))
    read = [fence_from_feature(feature) for feature in features]

    assert read[0] == off
    assert read[2] == other
    assert msgspec.structs.replace(read[1], shape=shop.shape) == shop
    assert read[1].shape == msgspec.structs.replace(shop.shape, radius_m=60.0)


def test_those_with_a_proposal_come_first_and_those_unseen_last() -> None:
    fences = [circle("unseen", at_m=(9_000, 0)), circle("fine", at_m=(2_000, 0)), circle("bad")]
    walks = visitors(*BESIDE) + visitors(*((2_000 + x, y) for x, y in MIDDLE), away_m=2_400)
    found = by_need(reports(trace_of(walks), *fences))

    assert [report.case.fence.external_id for report in found] == ["bad", "fine", "unseen"]


@pytest.mark.parametrize("accuracy_m", [10.0, 35.0, None])
def test_a_proposal_never_leaves_more_wrong_and_never_misses_more(accuracy_m: float | None) -> None:
    random = np.random.default_rng(7)
    for seed in range(3):
        goals = [(x, y) for x, y in random.normal(0, 45, (12, 2)).tolist()]
        passers = [walk((0, -400, 20 * n), (300 + 90 * n, 400, 20 * n)) for n in range(4)]
        trace = trace_of(visitors(*goals) + passers, accuracy_m=accuracy_m, noise_m=15, seed=seed)
        (report,) = reports(trace, circle())
        if report.proposal is not None:
            before, after = report.case.measures, report.proposal.case.measures
            assert after.wrong <= before.wrong - 3
            assert after.missed_visits <= before.missed_visits
            assert after.sound >= 0.9 * before.sound
