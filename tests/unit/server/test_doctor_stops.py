"""`server.doctor.stops`: where phones stood."""

import numpy as np

from server.doctor.stops import Stops, stops_of
from tests.unit.server.doctor_scene import LAT, LON, Leg, at, trace_of, walk


def stops(*steps: Leg, accuracy_m: float = 10.0) -> Stops:
    trace = trace_of([steps], accuracy_m=accuracy_m)
    return stops_of(trace, trace.accuracy_m)


def spans_s(found: Stops) -> list[tuple[int, int]]:
    return [
        (int(begin) // 10**6, int(end) // 10**6)
        for begin, end in zip(found.begin_us, found.end_us, strict=True)
    ]


def test_standing_for_a_minute_is_a_stop() -> None:
    found = stops(*walk((0, 0, 0), (60, 0, 0)))

    assert spans_s(found) == [(0, 60)]
    assert np.allclose([found.lat_deg[0], found.lon_deg[0]], [LAT, LON])


def test_standing_for_less_is_none() -> None:
    assert len(stops(*walk((0, 0, 0), (59, 0, 0)))) == 0


def test_a_walk_is_none() -> None:
    assert len(stops(*walk((0, 0, 0), (600, 800, 0)))) == 0


def test_a_walk_with_a_stop_in_it_has_one_stop() -> None:
    found = stops(*walk((0, -400, 0), (300, 0, 0), (600, 0, 0), (900, 400, 0)))

    assert len(found) == 1
    begin, end = spans_s(found)[0]
    assert 280 <= begin <= 300
    assert 600 <= end <= 620


def test_noise_within_the_accuracy_does_not_end_a_stop() -> None:
    found = stops((0, 0, 0), (30, 60, 0), (60, 0, 0), (90, -40, 0), (120, 0, 0), accuracy_m=65)

    assert spans_s(found) == [(0, 120)]


def test_one_fix_astray_does_not_end_a_stop() -> None:
    found = stops(*walk((0, 0, 0), (100, 0, 0)), (110, 300, 0), *walk((120, 0, 0), (300, 0, 0)))

    assert spans_s(found) == [(0, 300)]


def test_coarse_fixes_say_nothing_about_standing() -> None:
    assert len(stops(*walk((0, 0, 0), (600, 0, 0)), accuracy_m=150)) == 0


def test_a_phone_may_be_silent_while_it_stands_but_not_for_long() -> None:
    assert spans_s(stops((0, 0, 0), (1800, 0, 0))) == [(0, 1800)]
    assert len(stops((0, 0, 0), (1801, 0, 0))) == 0


def test_each_phone_has_its_own_stops() -> None:
    trace = trace_of([walk((0, 0, 0), (40, 0, 0)), walk((30, 0, 0), (100, 0, 0))])
    found = stops_of(trace, trace.accuracy_m)

    assert found.device.tolist() == [1]


def test_a_stop_on_the_antimeridian_is_one_stop() -> None:
    trace = trace_of([walk((0, 0, 0), (120, 0, 0))])
    trace.lon_deg[:] = np.where(np.arange(len(trace)) % 2, 179.99999, -179.99999)
    found = stops_of(trace, trace.accuracy_m)

    assert spans_s(found) == [(0, 120)]
    assert abs(abs(float(found.lon_deg[0])) - 180) < 0.0001


def test_a_more_exact_fix_weighs_more() -> None:
    trace = trace_of([[(0, 0, 0), (60, 20, 0)]])
    trace.accuracy_m[:] = [10, 20]
    found = stops_of(trace, trace.accuracy_m)

    assert np.isclose(found.lon_deg[0], at(4, 0)[1])
    assert found.accuracy_m.tolist() == [15]
