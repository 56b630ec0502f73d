"""The translators: every client's units, its odd values, and what each of them needs to hear."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.clients import INGEST, RADAR
from server.clients.heard import Asked, Heard, Unusable, shape_of
from server.clients.regions import NOTHING, RIM_NAME, Change, Circle
from server.clients.traccar import NoDevice
from tests.support import shared_data

NOW_US = 1_767_636_100_000_000  #: 2026-01-05T18:01:40Z
STORE = Circle(name="store-42", number=7, lat_deg=45.5, lon_deg=-122.6, radius_m=80.0)
GONE = Circle(name="store-1", number=8, lat_deg=45.6, lon_deg=-122.7, radius_m=80.0)
CHANGE = Change(put=(STORE,), gone=(GONE,), all=(STORE,))
JSON = {"content-type": "application/json"}
HERE = {"latitude": 1, "longitude": 2}


def hear(client: str, body: Any = b"", **asked: Any) -> Heard:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = JSON | asked.pop("headers", {})
    translator = RADAR if client == "radar" else INGEST[client]
    return translator.hear(Asked(body=raw, headers=headers, **{"received_at_us": NOW_US, **asked}))


def answer(client: str, heard: Heard, change: Change = NOTHING) -> Any:
    body = INGEST[client].answer(heard, change).body
    return json.loads(body) if body else None


def sample(*parts: str) -> bytes:
    return shared_data("client_samples", *parts).read_bytes()


def owntracks(**fields: Any) -> dict[str, Any]:
    return {
        "_type": "location",
        "lat": 45.5,
        "lon": -122.6,
        "tst": 1767636001,
        "topic": "owntracks/ann/phone",
    } | fields


# OwnTracks


def test_owntracks_speaks_in_km_per_hour_and_whole_seconds() -> None:
    heard = hear("owntracks", sample("owntracks-android", "location_timer_trigger.json"))

    [fix] = heard.fixes
    assert (fix.lat_deg, fix.lon_deg, fix.accuracy_m, fix.altitude_m) == (-25.762245, 126.074502, 5, 84)
    assert fix.speed_mps == pytest.approx(79 / 3.6)
    assert fix.course_deg == 277
    assert fix.fixed_at_us == 1721896446 * 1_000_000


def test_owntracks_fields_of_the_wrong_kind_are_dropped_and_the_point_is_kept() -> None:
    lines = sample("owntracks-ios", "incoming_json_variants.ndjson.txt").splitlines()

    heard = [hear("owntracks", line) for line in lines]

    assert [len(one.fixes) for one in heard] == [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0]
    reasons = [[refused.reason for refused in one.refused] for one in heard[10:]]
    assert reasons == [["no_position"], ["no_position"], ["bad_time"], []]
    assert heard[9].fixes[0].speed_mps is None


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"lat": None}, "no_position"),
        ({"tst": 0}, "bad_time"),
        ({"tst": None}, "bad_time"),
        ({"lat": "x"}, "no_position"),
    ],
)
def test_an_unusable_owntracks_record_is_told_by_its_reason(message: dict[str, Any], reason: str) -> None:
    heard = hear("owntracks", owntracks(**message))

    assert heard.fixes == []
    assert [one.reason for one in heard.refused] == [reason]
    assert answer("owntracks", heard) == []


def test_owntracks_numbers_may_be_text_and_times_milliseconds() -> None:
    [fix] = hear("owntracks", owntracks(lat="45.25", vel="36", tst=1767636001000, acc="0")).fixes

    assert (fix.lat_deg, fix.speed_mps, fix.accuracy_m) == (45.25, pytest.approx(10.0), None)
    assert fix.fixed_at_us == 1767636001 * 1_000_000


@pytest.mark.parametrize("wifi", [{"ssid": "home", "bssid": "aa:bb"}, {"SSID": "home", "BSSID": "aa:bb"}])
def test_the_name_of_her_wifi_is_read_over_however_it_is_written(wifi: dict[str, Any]) -> None:
    heard = hear("owntracks", owntracks(**wifi))

    assert (len(heard.fixes), heard.refused) == (1, [])
    assert "home" not in repr(heard)


def test_who_signed_in_is_the_user_whatever_the_message_calls_itself() -> None:
    headers = {"authorization": "Basic YW5uOnNlY3JldA==", "x-limit-u": "eve", "x-limit-d": "pixel"}

    assert hear("owntracks", owntracks(topic=None), headers=headers).device == "ann:pixel"
    assert hear("owntracks", owntracks(topic="owntracks/eve/pixel"), headers=headers).device == "ann:pixel"
    assert hear("owntracks", owntracks(topic="owntracks/eve/pixel/event")).device == "eve:pixel"
    assert hear("owntracks", owntracks(topic=None), query="u=bob&d=nexus").device == "bob:nexus"
    assert hear("owntracks", owntracks(topic=None)).device is None


@pytest.mark.parametrize("name", ["unsupported_type", "lwt", "waypoints_exported"])
def test_other_types_of_owntracks_messages_say_nothing_and_are_answered(name: str) -> None:
    heard = hear("owntracks", sample("home-assistant", f"{name}.json"))

    assert (heard.fixes, heard.refused, answer("owntracks", heard)) == ([], [], [])


def test_an_empty_body_and_an_encrypted_one_are_answered() -> None:
    encrypted = hear("owntracks", sample("owntracks-android", "encrypted_message.json"))

    assert [one.reason for one in encrypted.refused] == ["encrypted"]
    assert answer("owntracks", encrypted) == []
    assert answer("owntracks", hear("owntracks", b"")) == []


def test_android_leaves_out_a_coordinate_that_is_zero() -> None:
    message = owntracks()
    del message["lat"]

    assert (
        hear("owntracks", message, headers={"user-agent": "Owntracks-Android/gms/420"}).fixes[0].lat_deg == 0
    )
    assert hear("owntracks", message).fixes == []


def test_a_transition_of_owntracks_is_a_report_and_a_fix() -> None:
    message = owntracks(_type="transition", event="enter", rid="store-42", wtst=7, acc=12)

    heard = hear("owntracks", message)
    by_number = hear("owntracks", sample("owntracks-android", "transition_message.json"))

    assert [(one.geofence, one.kind) for one in heard.reports] == [("store-42", "enter")]
    assert len(heard.fixes) == 1
    assert [(number, kind) for number, kind, _ in by_number.waypoints] == [(1558351273, "exit")]


def test_a_beacons_position_is_no_fix() -> None:
    heard = hear("owntracks", sample("home-assistant", "transition_beacon_enter.json"))

    assert (heard.fixes, len(heard.waypoints)) == ([], 1)


def test_owntracks_is_told_regions_by_number_and_ios_what_is_gone() -> None:
    android = hear("owntracks", owntracks(), headers={"user-agent": "Owntracks-Android/gms/420"})
    [command] = answer("owntracks", android, CHANGE)
    [to_ios] = answer("owntracks", hear("owntracks", owntracks()), CHANGE)

    [waypoint] = command["waypoints"]["waypoints"]
    assert command["action"] == "setWaypoints"
    assert waypoint == {
        "_type": "waypoint", "tst": 7, "rid": "store-42", "desc": "store-42",
        "lat": 45.5, "lon": -122.6, "rad": 150,
    }  # fmt: skip
    assert [one["lat"] for one in to_ios["waypoints"]["waypoints"]] == [-1_000_000, 45.5]


def test_overlands_imitation_of_owntracks_counts_from_2001_and_needs_its_own_answer() -> None:
    body = sample("constructed", "overland_owntracks_mode_bad_epoch.json")
    headers = {"user-agent": "GPSLogger/1.4 CFNetwork", "authorization": "Basic mytoken:"}

    heard = hear("owntracks", body, headers=headers)

    [fix] = heard.fixes
    assert fix.fixed_at_us == (789328801 + 978307200) * 1_000_000
    assert heard.device == "mytoken:phone1"
    assert answer("owntracks", heard) == {"result": "ok"}


# Overland


def test_overland_writes_lon_before_lat_and_less_than_zero_for_unknown() -> None:
    heard = hear("overland", sample("overland", "readme_batch.json"))

    [fix] = heard.fixes
    assert (fix.lat_deg, fix.lon_deg, fix.accuracy_m, fix.speed_mps) == (37.3318, -122.030581, 30, 4)
    assert fix.fixed_at_us == 1443711600 * 1_000_000  # 08:00 at -0700
    assert heard.device is None


def test_overlands_visits_trips_and_actions_are_no_fixes() -> None:
    heard = hear("overland", sample("constructed", "overland_visit_trip_batch.json"))

    assert [fix.lat_deg for fix in heard.fixes] == [45.5231, 45.51]  # the location, and `current`
    assert (heard.fixes[0].speed_mps, heard.fixes[0].course_deg) == (None, None)
    assert (heard.device, heard.refused) == ("phone1", [])
    assert answer("overland", heard) == {"result": "ok"}


def test_a_broken_feature_of_overland_costs_itself() -> None:
    batch = json.loads(sample("constructed", "overland_visit_trip_batch.json"))
    batch["locations"].insert(0, {"type": "Feature", "properties": {"timestamp": "2026-01-05T18:00:01Z"}})
    batch["locations"].insert(0, "nonsense")

    heard = hear("overland", batch)

    assert len(heard.fixes) == 2
    assert [one.reason for one in heard.refused] == ["no_position", "no_position"]


# Traccar


@pytest.mark.parametrize(
    ("number", "lat_deg", "speed_mps", "at_s"),
    [
        (2, 42.06288, 0.0, 1453920947),
        (3, 42.06288, 0.0, 1442068686.579),
        (4, 49.60688, 0.0, 1401873011),
        (5, 60.0, 0.0, 1377177267),
        (6, 60.0, None, 1377177267),
        (9, 60.0, None, 1377177267),
        (10, 40.7232948571, 40 * 1852 / 3600, 1504763810),
    ],
)
def test_traccars_query_is_in_knots_and_all_kinds_of_time(
    number: int, lat_deg: float, speed_mps: float | None, at_s: float
) -> None:
    query = sample("traccar-tests", "osmand_queries.txt").decode().splitlines()[number].partition("?")[2]

    [fix] = hear("traccar", query=query, headers={"content-type": ""}).fixes

    assert (fix.lat_deg, fix.fixed_at_us) == (lat_deg, round(at_s * 1e6))
    assert fix.speed_mps == (None if speed_mps is None else pytest.approx(speed_mps))


def test_a_traccar_request_without_a_device_is_refused() -> None:
    query = sample("traccar-tests", "osmand_queries.txt").decode().splitlines()[1].partition("?")[2]

    with pytest.raises(NoDevice):
        hear("traccar", query=query, headers={"content-type": ""})


def test_traccars_form_may_be_a_position_a_heartbeat_or_a_push_token() -> None:
    lines = sample("constructed", "traccar_client_v10_form.txt").splitlines()
    form = {"content-type": "application/x-www-form-urlencoded"}

    position, heartbeat, token = (hear("traccar", line, headers=form) for line in lines)

    assert position.fixes[0].speed_mps == pytest.approx(2.33 * 1852 / 3600)
    assert (position.fixes[0].accuracy_m, position.fixes[0].course_deg) == (12.5, 88.0)
    assert (heartbeat.device, heartbeat.fixes, heartbeat.refused) == ("48241179", [], [])
    assert (token.device, token.address) == ("48241179", ("fcm_token", "fcm-token-value"))


def test_traccars_json_of_version_9_is_in_metres_a_second_with_minus_one_for_unknown() -> None:
    ios = hear("traccar", sample("traccar-tests", "osmand_json_03.json"))
    android = hear("traccar", sample("traccar-tests", "osmand_json_04.json"))

    assert (ios.device, ios.fixes[0].speed_mps, ios.fixes[0].mock) == ("658765", None, True)
    assert (android.device, android.fixes[0].speed_mps, android.fixes[0].course_deg) == (
        "8737767034",
        18.67,
        63,
    )


def test_traccars_json_list_is_flat_and_in_knots() -> None:
    record = {"id": "7", "lat": 45.5, "lon": -122.6, "timestamp": 1767636001, "speed": 10}

    heard = hear("traccar", [record, record | {"id": "8"}, record | {"lat": None, "timestamp": 1767636002}])

    assert (heard.device, len(heard.fixes)) == ("7", 1)
    assert heard.fixes[0].speed_mps == pytest.approx(10 * 1852 / 3600)
    assert [one.reason for one in heard.refused] == ["other_device", "no_position"]


# Transistorsoft


@pytest.mark.parametrize(
    "body",
    [
        {"location": {"coords": HERE, "timestamp": "2026-01-05T18:00:01.123Z"}, "device_id": "d"},
        {"data": [{"coords": HERE, "timestamp": 1767636001123}], "device_id": "d"},
        {"mine": {"coords": HERE, "timestamp": 1767636001123}, "device_id": "d"},
        {"coords": HERE, "timestamp": "1767636001123", "device_id": "d"},
        [{"coords": HERE, "timestamp": 1767636001123, "extras": {"device_id": "d"}}],
    ],
)
def test_transistorsofts_bodies_of_every_configuration_say_the_same(body: Any) -> None:
    heard = hear("transistorsoft", body)

    [fix] = heard.fixes
    assert (fix.lat_deg, fix.lon_deg, fix.fixed_at_us, heard.device) == (1, 2, 1767636001123000, "d")


def test_a_transistorsoft_batch_mixes_iso_and_epoch_times_and_unknown_values() -> None:
    heard = hear("transistorsoft", sample("constructed", "transistorsoft_batch.json"))

    assert [fix.fixed_at_us for fix in heard.fixes] == [1767636001123000, 1767636061123000]
    assert [fix.speed_mps for fix in heard.fixes] == [None, None]
    assert (heard.refused, answer("transistorsoft", heard)) == ([], {})


def test_a_transistorsoft_geofence_event_is_a_report_with_its_own_time() -> None:
    heard = hear("transistorsoft", sample("constructed", "transistorsoft_geofence_event.json"))

    [report], [fix] = heard.reports, heard.fixes
    assert (report.geofence, report.kind, report.at_us) == ("store-42", "enter", 1767636001500000)
    assert (heard.device, fix.fixed_at_us) == ("abc123", 1767636001123000)


def test_transistorsoft_is_told_geofences_as_the_sample_has_them() -> None:
    told = answer("transistorsoft", Heard(), CHANGE)["background_geolocation"]
    wanted = json.loads(sample("constructed", "transistorsoft_rpc_reply_addGeofences.json"))[
        "background_geolocation"
    ]

    assert told[0] == ["removeGeofences", ["store-1"]]
    assert told[1][0] == wanted[0][0]
    assert set(told[1][1][0]) == set(wanted[0][1][0]) - {"extras"}
    assert told[1][1][0]["radius"] == 200


def test_the_rim_of_a_safe_region_keeps_its_radius_and_tells_exits_only() -> None:
    rim = Circle(name=RIM_NAME, number=1, lat_deg=1.0, lon_deg=2.0, radius_m=180.0)

    [[_, [geofence]]] = answer("transistorsoft", Heard(), Change(put=(rim,)))["background_geolocation"]

    assert (geofence["radius"], geofence["notifyOnEntry"], geofence["notifyOnExit"]) == (180, False, True)


# Radar


def test_radars_track_is_as_old_as_it_says_and_brings_a_push_token() -> None:
    heard = hear("radar", sample("constructed", "radar_track_request_android.json"))

    [fix] = heard.fixes
    assert (fix.fixed_at_us, fix.speed_mps, fix.accuracy_m) == (NOW_US - 1_500_000, 1.2, 12.5)
    assert (heard.device, heard.address) == ("d1", ("fcm_token", "fcm-token-value"))


def test_a_replayed_track_is_placed_by_the_phones_counter() -> None:
    newest = json.loads(sample("constructed", "radar_replay_request.json"))["replays"][0]
    older = {k: v for k, v in newest.items() if k != "updatedAtMs"} | {
        "locationMs": 1767635000000,
        "updatedAtMsDiff": 5,
    }

    heard = hear("radar", {"replays": [older, newest]})

    assert [fix.fixed_at_us for fix in heard.fixes] == [1767635001000000, 1767636001000000]


def test_radar_is_answered_with_a_user_events_and_what_is_near() -> None:
    heard = hear("radar", sample("constructed", "radar_track_request_android.json"))

    body = json.loads(RADAR.answer(heard, CHANGE).body)

    assert (body["meta"]["code"], body["user"]["deviceId"], body["events"]) == (200, "d1", [])
    assert body["user"]["location"] == {"type": "Point", "coordinates": [-122.6765, 45.5231]}
    [near] = body["nearbyGeofences"]
    assert (near["externalId"], near["geometryCenter"]["coordinates"]) == ("store-42", [-122.6, 45.5])


def test_an_anonymous_track_is_answered_and_not_kept() -> None:
    heard = hear("radar", {"anonymous": True, "deviceId": "anonymous", "latitude": 1, "longitude": 2})

    assert (heard.device, heard.fixes) == (None, [])


# All of them


@pytest.mark.parametrize("client", [*INGEST, "radar"])
def test_what_is_no_json_is_unusable(client: str) -> None:
    with pytest.raises(Unusable) as told:
        hear(client, sample("home-assistant", "not_json.txt"))

    assert told.value.reason == "bad_json"


def test_what_is_put_aside_holds_names_and_kinds_and_no_value() -> None:
    shape = shape_of({"lat": 45.5, "tst": None, "tags": ["home", "x"], "deep": {"a": {"b": {"c": 1}}}})

    assert shape == "{lat: float, tst: null, tags: [str, … 2], deep: {a: {b: {…}}}}"


# fmt: off
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["_type", "lat", "lon", "tst", "acc", "vel", "event", "topic", "wtst", "rid", "location", "data",
             "coords", "latitude", "longitude", "timestamp", "geofence", "identifier", "action", "locations",
             "geometry", "coordinates", "current", "id", "device_id", "replays", "deviceId", "locationMs",
             "updatedAtMs", "updatedAtMsDiff", "notificationToken", "extras", "_", "properties"]
        ) | st.text(max_size=3),
        inner,
        max_size=5,
    ),
    max_leaves=12,
)
# fmt: on


@pytest.mark.parametrize("client", [*INGEST, "radar"])
@given(body=JSON_VALUES)
def test_no_json_at_all_brings_a_translator_out_of_step(client: str, body: Any) -> None:
    try:
        heard = hear(client, body)
    except (Unusable, NoDevice):
        return
    assert all(math.isfinite(fix.lat_deg) and math.isfinite(fix.lon_deg) for fix in heard.fixes)
    assert all(0 < fix.fixed_at_us < 2**62 for fix in heard.fixes)
    assert heard.device is None or 0 < len(heard.device) <= 200
    assert all("\0" not in one.shape + one.detail for one in heard.refused)


@given(
    lat=st.floats(-90, 90), lon=st.floats(-180, 180), at_s=st.integers(1_262_304_000, 2**31 - 2),
    speed_mps=st.floats(0, 100), accuracy_m=st.floats(0.1, 5000),
)  # fmt: skip
def test_every_client_says_the_same_position(
    lat: float, lon: float, at_s: int, speed_mps: float, accuracy_m: float
) -> None:
    coords = {"latitude": lat, "longitude": lon, "accuracy": accuracy_m, "speed": speed_mps}
    knots = speed_mps * 3600 / 1852
    flat = {"id": "d", "lat": lat, "lon": lon, "timestamp": at_s, "speed": knots, "accuracy": accuracy_m}
    said = [
        hear("owntracks", owntracks(lat=lat, lon=lon, tst=at_s, vel=speed_mps * 3.6, acc=accuracy_m)),
        hear("traccar", [flat]),
        hear("transistorsoft", {"location": {"coords": coords, "timestamp": at_s * 1000}}),
        hear("radar", {"deviceId": "d", "updatedAtMs": at_s * 1000, **coords}),
        hear("overland", {"locations": [{"geometry": {"coordinates": [lon, lat]}, "properties": {
            "timestamp": at_s, "speed": speed_mps, "horizontal_accuracy": accuracy_m}}]}),
    ]  # fmt: skip

    fixes = [fix for one in said for fix in one.fixes]

    assert {(fix.lat_deg, fix.lon_deg, fix.fixed_at_us, fix.accuracy_m) for fix in fixes} == {
        (lat, lon, at_s * 1_000_000, accuracy_m)
    }
    assert [fix.speed_mps for fix in fixes] == [pytest.approx(speed_mps)] * 5
