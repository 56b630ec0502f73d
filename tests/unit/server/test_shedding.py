"""What a ping is worth: nothing only where nothing can follow from it. And rates, and requests as bytes."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.distance import distance_m
from geo.fix import SECOND_US, Fix
from server.edge.framing import whole_request
from server.edge.limits import Buckets, Rate
from server.edge.room import Outlook, Worth
from server.edge.shedding import Shedding
from server.inputs import RecordFixes

NOW_US = 1_800_000_000_000_000
LAT, LON, AFTER_M, WITHIN_S = 60.17, 24.94, 400.0, 600.0
OUTLOOK = Outlook(version=7, interested=True, full=True)
TOLD = msgspec.json.encode(
    {
        "after_m": AFTER_M,
        "within_s": WITHIN_S,
        "watch": [
            {"geofence_id": "", "lat": LAT, "lon": LON, "radius_m": AFTER_M},
            {"geofence_id": "door", "lat": LAT + 0.01, "lon": LON, "radius_m": 100.0},
        ],
    }
)


def fix(north_m: float = 0.0, after_s: float = 0.0) -> Fix:
    return Fix(lat_deg=LAT + north_m / 111_400, lon_deg=LON, fixed_at_us=NOW_US + round(after_s * SECOND_US))


def ping(*fixes: Fix, now_s: float = 60.0) -> RecordFixes:
    received_at_us = NOW_US + round(now_s * SECOND_US)
    return RecordFixes(shopper_id="shp", device_id="dev", received_at_us=received_at_us, fixes=fixes)


def told(answer: bytes = TOLD) -> Shedding:
    shedding = Shedding()
    shedding.remember(ping(fix()), answer, 7)
    return shedding


@given(north_m=st.floats(-600, 600), after_s=st.floats(-100, 700))
def test_what_is_left_of_a_region_lies_within_it_in_space_and_time(north_m: float, after_s: float) -> None:
    here = fix(north_m, after_s)
    left = told().what_is_left(ping(here), OUTLOOK)
    away_m = distance_m(LAT, LON, here.lat_deg, here.lon_deg)
    if left is None:
        assert away_m >= 0.995 * AFTER_M or not 0 <= after_s < WITHIN_S
    else:
        region = msgspec.json.decode(left.next)
        assert away_m + region["after_m"] <= AFTER_M
        assert here.fixed_at_us + region["within_s"] * SECOND_US <= NOW_US + WITHIN_S * SECOND_US
        assert region["within_s"] == pytest.approx(left.within_s, abs=1.0)
        assert region["watch"] == msgspec.json.decode(TOLD)["watch"]


def test_a_ping_of_which_one_fix_lies_beyond_the_region_is_worth_looking_at() -> None:
    assert told().what_is_left(ping(fix(10, 5), fix(500, 50)), OUTLOOK) is None


def test_a_region_holds_no_longer_than_what_is_published() -> None:
    changed = msgspec.structs.replace(OUTLOOK, version=8)
    assert told().what_is_left(ping(fix(10, 5)), changed) is None


def test_a_region_is_forgotten_when_its_shopper_looks_at_something() -> None:
    shedding = told()
    shedding.forget("dev")
    assert shedding.what_is_left(ping(fix(10, 5)), OUTLOOK) is None


def test_where_every_fix_is_wanted_none_is_worthless() -> None:
    wanted = b'{"after_m":0.0,"within_s":30.0,"watch":[]}'
    assert told(wanted).what_is_left(ping(fix()), OUTLOOK) is None


def test_a_region_around_another_fix_than_the_last_one_sent_is_not_used() -> None:
    shedding = Shedding()
    shedding.remember(ping(fix(0, 10), fix(200, 5)), TOLD, 7)
    assert shedding.what_is_left(ping(fix(210, 20)), OUTLOOK) is None


def test_interest_makes_a_ping_worth_more_and_age_less() -> None:
    shedding = Shedding()
    nobody = msgspec.structs.replace(OUTLOOK, interested=False)
    assert shedding.worth(ping(fix()), OUTLOOK) is Worth.MUCH
    assert shedding.worth(ping(fix()), nobody) is Worth.SOME
    assert shedding.worth(ping(fix(), now_s=130), OUTLOOK) is Worth.LITTLE
    assert shedding.worth(ping(fix(), fix(0, 60), now_s=130), OUTLOOK) is Worth.MUCH


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    buckets = Buckets(Rate(per_s=0.2, burst=10))
    assert [buckets.take("dev", 0.0) for _ in range(10)] == [0.0] * 10
    assert buckets.take("dev", 0.0) == 5.0
    assert buckets.take("another", 0.0) == 0.0
    assert buckets.take("dev", 5.0) == 0.0
    assert buckets.take("dev", 5.0) == 5.0
    assert [buckets.take("dev", 1000.0) for _ in range(11)] == [0.0] * 10 + [5.0]


HEAD = b"POST /v1/pings HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer token\r\nContent-Length: 2\r\n"


def test_one_plain_request_is_read_from_its_bytes() -> None:
    assert whole_request(HEAD + b"\r\n{}") == ("token", b"{}", None, HEAD)
    proxied = HEAD + b"X-Forwarded-For: 192.0.2.1, 10.0.0.1\r\n"
    assert whole_request(proxied + b"\r\n{}") == ("token", b"{}", "192.0.2.1, 10.0.0.1", proxied)


def test_a_request_without_a_bearer_token_is_plain_and_has_no_credential() -> None:
    basic = HEAD.replace(b"Bearer", b"Basic")
    assert whole_request(basic + b"\r\n{}") == ("", b"{}", None, basic)


def test_whatever_is_unusual_about_a_request_is_left_to_the_parser() -> None:
    unusual = (
        HEAD + b"\r\n{",
        HEAD + b"\r\n{}POST ",
        HEAD + b"Content-Length: 2\r\n\r\n{}",
        HEAD + b"content-length : 2\r\n\r\n{}",
        HEAD + b"Authorization: Bearer other\r\n\r\n{}",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n{}",
        HEAD + b"Content-Encoding: gzip\r\n\r\n{}",
        HEAD + b"Expect: 100-continue\r\n\r\n{}",
        HEAD + b"Connection: close\r\n\r\n{}",
        HEAD + b"X: folded\r\n value\r\n\r\n{}",
        HEAD + b"X: bare\nY: line feed\r\n\r\n{}",
        HEAD + b"X: no text \x00\r\n\r\n{}",
        HEAD + b"X-Forwarded-For: a\r\nX-Forwarded-For: b\r\n\r\n{}",
        HEAD.replace(b": 2", b": +2") + b"\r\n{}",
        HEAD.replace(b"\r\n", b"\n") + b"\n{}",
        HEAD.replace(b"Bearer", b"Basic") + b"Authorization: Basic other\r\n\r\n{}",
    )
    assert [data for data in unusual if whole_request(data) is not None] == []
