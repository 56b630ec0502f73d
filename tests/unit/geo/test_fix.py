import pytest

from geo.fix import FUTURE_US, MAX_AGE_US, Fix, refuse_fix

NOW_US = 1_800_000_000_000_000
GOOD = {"lat_deg": 60.17, "lon_deg": 24.94, "fixed_at_us": NOW_US}
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"lat_deg": 90.0, "lon_deg": -180.0}, None),
        ({"lat_deg": 90.1}, "bad_latitude"),
        ({"lat_deg": NAN}, "bad_latitude"),
        ({"lon_deg": -180.5}, "bad_longitude"),
        ({"lon_deg": INF}, "bad_longitude"),
        ({"accuracy_m": 5.0, "speed_mps": 0.0, "course_deg": 360.0, "altitude_m": -20.0}, None),
        ({"accuracy_m": 0.0}, "bad_accuracy"),
        ({"accuracy_m": -1.0}, "bad_accuracy"),
        ({"accuracy_m": NAN}, "bad_accuracy"),
        ({"speed_mps": -1.0}, "bad_speed"),
        ({"course_deg": 361.0}, "bad_course"),
        ({"altitude_m": INF}, "bad_altitude"),
        ({"fixed_at_us": -1}, "bad_time"),
        ({"fixed_at_us": NOW_US + FUTURE_US}, None),
        ({"fixed_at_us": NOW_US + FUTURE_US + 1}, "in_future"),
        ({"fixed_at_us": NOW_US - MAX_AGE_US}, None),
        ({"fixed_at_us": NOW_US - MAX_AGE_US - 1}, "too_old"),
    ],
)
def test_a_fix_is_refused_with_its_reason(change: dict[str, float], reason: str | None) -> None:
    assert refuse_fix(Fix(**{**GOOD, **change}), now_us=NOW_US) == reason  # type: ignore[arg-type]
