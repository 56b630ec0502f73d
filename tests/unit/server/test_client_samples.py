"""Every file of ../shared/data/client_samples is read by a test, this one or the one named beside it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from geo.fence import Circle as Round
from geo.geojson import fence_from_feature
from geo.problem import FenceRejected
from notifications.providers.fcm_errors import outcome_of, read_reply
from notifications.push import AddressGone, PushInvalid
from server.clients import INGEST, RADAR
from server.clients.heard import Asked
from server.clients.radar import Happened, answer_to
from server.clients.regions import Change, Circle
from tests.support import SHARED_DATA, shared_data

#: Sent, answered, kept once and compared in their units by tests/acceptance/test_clients.py.
SENT = {
    *(f"owntracks-android/{name}" for name in ("*",)),
    *("home-assistant/*.json", "home-assistant/not_json.txt"),
    "owntracks-ios/incoming_json_variants.ndjson.txt",
    *("traccar-tests/*", "traccar-client-android/request_urls.txt"),
    *("overland/readme_batch.json", "transistorsoft/console_location.json"),
    "transistorsoft/console_location2.json",
    *(
        f"constructed/{name}"
        for name in (
            *("overland_visit_trip_batch.json", "overland_owntracks_mode_bad_epoch.json"),
            *("traccar_client_v10_form.txt", "transistorsoft_batch.json"),
            *("transistorsoft_geofence_event.json", "transistorsoft_root_dot_single.json"),
            *("radar_track_request_android.json", "radar_replay_request.json"),
        )
    ),
}
#: Read by other tests: tests/unit/server/test_clients.py, test_traces_gpx.py, test_import_alltheplaces.py.
ELSEWHERE = {
    *("constructed/transistorsoft_rpc_reply_addGeofences.json", "constructed/minimal.gpx", "gpx/*"),
    "alltheplaces/dixy_ru_first2.ndgeojson",
}
#: Read here.
HERE = {
    *("home-assistant/request_headers.txt", "constructed/overland_owntracks_mode_header.txt"),
    *("constructed/fcm_error_*.json", "constructed/geofences.geojson", "radar/*.json"),
}
#: The folder's own description.
NO_SAMPLE = {"SOURCES.md"}


def test_every_sample_is_read_by_a_test() -> None:
    folder = shared_data("client_samples")
    named = [
        path for one in (*SENT, *ELSEWHERE, *HERE, *NO_SAMPLE) for path in folder.glob(one) if path.is_file()
    ]

    assert len(named) > 65
    assert sorted(set(named)) == sorted(path for path in folder.rglob("*") if path.is_file())


def locations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every message of type `location` that OwnTracks' samples hold, and the file it is in."""
    folder = SHARED_DATA / "client_samples"
    for path in sorted(folder.glob("*/*.json*")):
        if path.parent.name.startswith("owntracks") or path.name.startswith(("owntracks", "location")):
            for text in path.read_text().splitlines() if ".ndjson" in path.name else [path.read_text()]:
                try:
                    told = json.loads(text)
                except ValueError:
                    continue
                for one in told if isinstance(told, list) else [told]:
                    if isinstance(one, dict) and one.get("_type") == "location":
                        yield path.name, one


@pytest.mark.parametrize(("name", "message"), list(locations()), ids=lambda one: str(one)[:30])
def test_every_location_of_owntracks_has_the_units_of_the_normal_form(
    name: str, message: dict[str, Any]
) -> None:
    heard = INGEST["owntracks"].hear(Asked(body=json.dumps(message).encode(), received_at_us=1))

    usable = all(_is_number(message.get(field)) for field in ("lat", "lon", "tst")) and message["tst"] != 0
    assert bool(heard.fixes) == usable, (name, message)
    for fix in heard.fixes:
        assert (fix.lat_deg, fix.lon_deg) == (float(message["lat"]), float(message["lon"]))
        assert fix.fixed_at_us == float(message["tst"]) * (1e6 if float(message["tst"]) < 2**31 else 1e3)
        assert fix.accuracy_m == (_positive(message.get("acc")) or None)
        speed_kmh = _positive(message.get("vel"))
        assert fix.speed_mps == (None if speed_kmh is None else pytest.approx(speed_kmh / 3.6))
        assert fix.altitude_m == (float(message["alt"]) if _is_number(message.get("alt")) else None)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _positive(value: Any) -> float | None:
    return float(value) if _is_number(value) and float(value) >= 0 else None


@pytest.mark.parametrize(
    ("sample", "client", "device"),
    [
        ("home-assistant/request_headers.txt", "owntracks", "Paulus:Pixel"),
        ("constructed/overland_owntracks_mode_header.txt", "owntracks", "mytoken"),
    ],
)
def test_the_headers_of_a_sample_name_the_device(sample: str, client: str, device: str) -> None:
    lines = shared_data("client_samples", *sample.split("/")).read_text().splitlines()
    pairs = [line.split(": ", 1) for line in lines if ": " in line and not line.startswith("#")]
    headers = {name.lower(): value for name, value in pairs}
    body = b'{"_type":"location","lat":1,"lon":2,"tst":1767636001}'

    assert INGEST[client].hear(Asked(body=body, headers=headers)).device == device


@pytest.mark.parametrize(
    ("sample", "outcome"),
    [
        ("bad_field", PushInvalid(reason="invalid_argument:message.data[0].value")),
        ("invalid_token", AddressGone(reason="invalid_address")),
        ("unregistered", AddressGone(reason="unregistered")),
    ],
)
def test_an_error_of_fcm_costs_the_address_only_where_that_is_dead(sample: str, outcome: Any) -> None:
    body = shared_data("client_samples", "constructed", f"fcm_error_{sample}.json").read_bytes()
    status = json.loads(body)["error"]["code"]

    assert outcome_of(read_reply(status, None, body, now_us=0)) == outcome


def test_geofences_are_read_whichever_way_their_rings_run() -> None:
    path = shared_data("client_samples", "constructed", "geofences.geojson")
    told: dict[str, Any] = {}
    for feature in json.loads(path.read_bytes())["features"]:
        feature["properties"] |= {"external_id": feature["id"], "store": "s"}
        try:
            told[feature["id"]] = fence_from_feature(feature).shape
        except FenceRejected as refused:
            told[feature["id"]] = [problem.code for problem in refused.problems]

    assert isinstance(told["store-42"], Round)
    assert told["store-42"].radius_m == 150
    assert told["no-geom"] == ["no_geometry"]
    # As large as a country: that is refused, and neither the winding, the hole nor the cut at 180 degrees is.
    assert [told[name] for name in ("cw-polygon", "hole", "am-split")] == [["area_too_large"]] * 3


def test_radar_is_answered_in_the_types_of_its_own_answers() -> None:
    folder = shared_data("client_samples", "radar")
    theirs = json.loads((folder / "track_response_geofence_events.json").read_bytes())
    [searched] = json.loads((folder / "search_geofences.json").read_bytes())["geofences"]
    config = json.loads((folder / "get_config_response.json").read_bytes())
    request = json.dumps(
        {"deviceId": "A", "userId": "1", "latitude": 1.5, "longitude": 2.5, "accuracy": 5}
        | {"nearbyGeofences": True}
    )
    heard = RADAR.hear(Asked(body=request.encode(), received_at_us=1))
    door = Circle(name="door", number=1, lat_deg=1.5, lon_deg=2.5, radius_m=50.0)
    entered = Happened(id="tra_1", kind="enter", geofence="door", at="2026-01-05T18:00:01Z", confidence=0.99)

    ours = json.loads(
        answer_to(heard, Change(all=(door,)), at=entered.at, visiting=["door"], events=[entered]).body
    )

    assert (
        kinds(ours["meta"])
        == kinds({"code": theirs["meta"]["code"]})
        == kinds({"code": config["meta"]["code"]})
    )
    assert differing(ours["user"], theirs["user"]) == []
    assert differing(ours["events"][0], theirs["events"][0]) == []
    assert differing(ours["nearbyGeofences"][0], searched | {"type": "circle"}) == []


def kinds(value: Any) -> Any:
    """A value's shape: the names and types of what is in it."""
    if isinstance(value, dict):
        return {name: kinds(part) for name, part in value.items()}
    if isinstance(value, list):
        return [kinds(part) for part in value[:1]]
    return (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )


def differing(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """The members of ours that theirs do not have, or have in another shape, down to the last."""
    found = []
    for name, value in ours.items():
        if name not in theirs:
            found.append(name)
        elif isinstance(value, dict):
            found += [f"{name}.{one}" for one in differing(value, theirs[name])]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            found += [f"{name}[].{one}" for one in differing(value[0], theirs[name][0])]
        elif kinds(value) != kinds(theirs[name]):
            found.append(name)
    return found
