"""Real clients, end to end: every sample is answered as its client needs it, and kept once."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import pytest

from geo.fix import Fix
from server.clients import fields
from server.clock import to_us
from server.inputs import RecordFixes
from server.journal import listed
from tests.acceptance.mall import ALL_CONSENTS, M_PER_DEGREE, SHOP, Mall, mall
from tests.support import shared_data

FORM = "application/x-www-form-urlencoded"
ANDROID = {"User_Agent": "Owntracks-Android/gms/420005000"}


@pytest.fixture
async def at_noon(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path) as opened:
        yield opened


class Phone:
    """A phone with a client that knows nothing but an address."""

    def __init__(self, mall: Mall, client: str, device_id: str, **headers: str) -> None:
        self.mall, self.client, self.device_id = mall, client, device_id
        self.headers = {"Content-Type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }

    async def send(
        self, body: Any = b"", query: str = "", *, method: str = "POST", **headers: str
    ) -> tuple[int, Any]:
        """Status and answer, parsed where there is one."""
        url = f"{self.mall.vicino.url}/v1/ingest/{self.client}/{self.mall.keys['app_key']}"
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.mall.session.request(method, f"{url}?{query}", data=data, headers=sent) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None

    async def consents(self, consents: dict[str, Any] | None = None) -> None:
        await self.mall.server.put(f"/v1/devices/{self.device_id}/consents", consents or ALL_CONSENTS)

    async def seen(self) -> list[str]:
        """What the fence engine made of it."""
        history = await self.mall.server.get(f"/v1/devices/{self.device_id}/history")
        return [one["kind"] for one in history["transitions"]]


async def journal_seq(mall: Mall) -> int:
    async with mall.vicino.database.transaction(mall.keys["retailer_id"]) as connection:
        seq: int = await connection.fetchval("SELECT journal_seq FROM heads")
    return seq


async def kept_since(mall: Mall, seq: int) -> list[Fix]:
    """The fixes that the journal has got after an entry."""
    async with mall.vicino.database.transaction(mall.keys["retailer_id"]) as connection:
        rows = await connection.fetch("SELECT inputs FROM journal WHERE seq > $1 ORDER BY seq", seq)
    inputs = [item for row in rows for item in listed(row["inputs"])]
    return [fix for item in inputs if isinstance(item, RecordFixes) for fix in item.fixes]


async def put_aside(mall: Mall) -> list[str]:
    async with mall.vicino.database.transaction(mall.keys["retailer_id"]) as connection:
        rows = await connection.fetch("SELECT reason FROM quarantine ORDER BY quarantine_id")
    return [row["reason"] for row in rows]


def samples(*folders: str) -> list[tuple[str, bytes]]:
    paths = [path for folder in folders for path in sorted(shared_data("client_samples", folder).iterdir())]
    return [(path.name, path.read_bytes()) for path in paths]


def shop(north_m: float = 0.0) -> tuple[float, float]:
    return SHOP[0] + north_m / M_PER_DEGREE, SHOP[1]


def owntracks(mall: Mall, north_m: float = 40.0, *, ago_s: float = 0.0, **more: Any) -> dict[str, Any]:
    lat, lon = shop(north_m)
    tst = mall.clock.now_us() // 1_000_000 - round(ago_s)
    return {"_type": "location", "lat": lat, "lon": lon, "tst": tst, "acc": 5, "tid": "ph", **more}


@pytest.fixture
async def ann(at_noon: Mall) -> Phone:
    """A shopper with OwnTracks, whose retailer has recorded what she permits."""
    phone = Phone(at_noon, "owntracks", "ann:pixel", X_Limit_U="ann", X_Limit_D="pixel", **ANDROID)
    await phone.send(owntracks(at_noon, 5_000))
    await phone.consents()
    return phone


async def test_every_owntracks_sample_is_answered_with_an_array_and_kept_once(
    at_noon: Mall, ann: Phone
) -> None:
    await at_noon.server.put("/v1/settings", {"safe_region": False})  # so there is nothing to tell
    bodies = [
        (name, body)
        for name, body in samples("owntracks-android", "home-assistant", "traccar-tests")
        if not name.startswith("osmand") and name.endswith(".json")
    ]
    lines = shared_data("client_samples", "owntracks-ios", "incoming_json_variants.ndjson.txt").read_bytes()
    bodies += [(f"ios line {number}", line) for number, line in enumerate(lines.splitlines())]
    bodies += [("not json", shared_data("client_samples", "home-assistant", "not_json.txt").read_bytes())]
    found: dict[str, list[Fix]] = {}
    for name, body in bodies:
        set_clock_to(at_noon, body)
        before = await journal_seq(at_noon)
        assert (name, *await ann.send(body)) == (name, 200, [])
        after = await journal_seq(at_noon)
        found[name] = await kept_since(at_noon, before)
        assert (name, *await ann.send(body)) == (name, 200, [])
        assert (name, await journal_seq(at_noon)) == (name, after)
    assert len(bodies) > 45
    [second] = found["location_multiple_messages.json"]  # the first is another sample's, too
    assert second.lat_deg == 12.3153748
    assert found["location_beacon_trigger.json"][0].speed_mps == pytest.approx(79 / 3.6)
    assert {"no_position", "bad_time", "encrypted", "bad_json"} <= set(await put_aside(at_noon))


def set_clock_to(mall: Mall, body: bytes) -> None:
    """The server's time becomes that of the record."""
    times = re.findall(rb'"tst":\s*(\d+)', body)
    seconds = [int(at) for at in times if int(at) < 2**31]  # one is in milliseconds
    mall.clock.set(max([1_000, *seconds]) * 1_000_000)


class Case(NamedTuple):
    """A sample of another client, what it is sent with, and the normal form of its first fix."""

    client: str
    sample: str
    at: str  #: the server's time
    device_id: str
    lat_deg: float | None = None
    speed_mps: float | None = None
    answer: Any = None
    query: str = ""
    headers: Mapping[str, str] = MappingProxyType({})
    line: int | None = None
    fixes: int = 1


OK = {"result": "ok"}
V10 = "constructed/traccar_client_v10_form.txt"
AS_FORM = {"Content_Type": FORM}
IN_2001 = {"User_Agent": "GPSLogger/1", "Authorization": "Basic mytoken:"}
P1, P2, P3 = ("device_id=p1", "device_id=p2", "device_id=p3")
# fmt: off
CASES = [
    Case("overland", "overland/readme_batch.json", "2015-10-01T15:00:01Z", "p1", 37.3318, 4.0, OK, P1),
    Case("overland", "constructed/overland_visit_trip_batch.json", "2026-01-05T19:01:00Z", "phone1",
         45.5231, None, OK, fixes=2),
    Case("owntracks", "constructed/overland_owntracks_mode_bad_epoch.json", "2026-01-05T18:00:02Z",
         "mytoken:phone1", 45.5231, None, OK, headers=IN_2001),
    Case("traccar", V10, "2026-01-05T18:00:02Z", "48241179",
         45.5231, 2.33 * 1852 / 3600, headers=AS_FORM, line=0),
    Case("traccar", V10, "2026-01-05T18:15:02Z", "48241179", headers=AS_FORM, line=1, fixes=0),
    Case("traccar", "traccar-tests/osmand_json_01.json", "2025-06-15T13:45:13Z", "48241179", 37.4219983, 0.0),
    Case("traccar", "traccar-tests/osmand_json_02.json", "2025-06-15T13:45:13Z", "48241179", 37.4219983, 0.0),
    Case("traccar", "traccar-tests/osmand_json_03.json", "2025-05-09T04:11:31Z", "658765", 37.785834),
    Case("traccar", "traccar-tests/osmand_json_04.json", "2021-07-21T08:06:35Z", "8737767034",
         -6.1148096, 18.67),
    Case("transistorsoft", "transistorsoft/console_location.json", "2019-11-17T19:14:26Z", "p2",
         45.519264, answer={}, query=P2),
    Case("transistorsoft", "transistorsoft/console_location2.json", "2020-03-12T19:26:13Z", "p2",
         45.5192402, answer={}, query=P2),
    Case("transistorsoft", "constructed/transistorsoft_batch.json", "2026-01-05T18:02:00Z", "p2",
         45.52, answer={}, query=P2, fixes=2),
    Case("transistorsoft", "constructed/transistorsoft_geofence_event.json", "2026-01-05T18:02:00Z", "abc123",
         45.5231, 1.2, {}),
    Case("transistorsoft", "constructed/transistorsoft_root_dot_single.json", "2026-01-05T18:02:00Z", "p3",
         45.52, answer={}, query=P3),
]
# fmt: on


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.sample} {case.line}")
async def test_every_sample_of_the_other_clients_is_answered_and_kept_once(at_noon: Mall, case: Case) -> None:
    phone = Phone(at_noon, case.client, case.device_id, **case.headers)
    body = shared_data("client_samples", *case.sample.split("/")).read_bytes()
    body = body if case.line is None else body.splitlines()[case.line]
    await at_noon.server.put("/v1/settings", {"safe_region": False})  # so there is nothing to tell
    at_noon.clock.set(to_us(datetime.fromisoformat(case.at)))
    assert await phone.send(body, case.query) == (200, case.answer)  # it appears, and is asked for consent
    assert await kept_since(at_noon, 0) == []
    await phone.consents()

    before = await journal_seq(at_noon)
    assert await phone.send(body, case.query) == (200, case.answer)
    fixes = await kept_since(at_noon, before)
    after = await journal_seq(at_noon)
    assert await phone.send(body, case.query) == (200, case.answer)

    assert await journal_seq(at_noon) == after
    assert len(fixes) == case.fixes
    if fixes:
        assert (fixes[0].lat_deg, fixes[0].speed_mps) == (case.lat_deg, pytest.approx(case.speed_mps))


async def test_every_query_of_osmand_and_the_old_apps_is_taken_but_the_one_without_a_device(
    at_noon: Mall,
) -> None:
    queries = [
        line.partition("?")[2]
        for sample in ("traccar-tests/osmand_queries.txt", "traccar-client-android/request_urls.txt")
        for line in shared_data("client_samples", *sample.split("/")).read_text().splitlines()
    ]
    assert len(queries) == 14
    heartbeat, said_before = {0}, {6, 9, 12, 13}
    for number, query in enumerate(queries):
        named = re.search(r"(?:^|&)(?:device)?id=(\d+)", query)
        at_noon.clock.set(clock_of(query))
        phone = Phone(at_noon, "traccar", named[1] if named else "", Content_Type="")
        before = await journal_seq(at_noon)
        answers = [await phone.send(query=query, method=method) for method in ("POST", "GET")]
        if named is None:
            assert [status for status, _ in answers] == [400, 400]
            assert answers[0][1]["code"] == "no_device"
            continue
        assert answers == [(200, None), (200, None)]
        await phone.consents()
        await phone.send(query=query)
        after = await journal_seq(at_noon)
        await phone.send(query=query)
        assert await journal_seq(at_noon) == after
        fixes = await kept_since(at_noon, before)
        assert len(fixes) == (0 if number in heartbeat | said_before else 1), query


def clock_of(query: str) -> int:
    at = dict(parse_qsl(query)).get("timestamp", "1500000000")
    return fields.at_us(at, "timestamp") + 1_000_000


async def test_radars_track_needs_the_bare_key_and_gets_a_user_and_events(at_noon: Mall) -> None:
    track = json.loads(
        shared_data("client_samples", "constructed", "radar_track_request_android.json").read_bytes()
    )
    lat, lon = shop(20)
    track |= {"latitude": lat, "longitude": lon}
    phone = at_noon.client("")
    key = {"Authorization": at_noon.keys["app_key"]}
    await phone.post("/v1/track", track, **key)
    await at_noon.server.put("/v1/devices/d1/consents", ALL_CONSENTS)

    first = await phone.post("/v1/track", track, **key)
    at_noon.clock.advance(1)
    again = await phone.post("/v1/track", track, **key)

    assert [event["type"] for event in first["events"]] == ["user.entered_geofence"]
    assert first["events"][0]["geofence"]["externalId"] == "door"
    assert [one["externalId"] for one in first["user"]["geofences"]] == ["door"]
    assert [one["externalId"] for one in first["nearbyGeofences"]] == ["door"]
    assert again["events"] == []
    async with at_noon.vicino.database.transaction(at_noon.keys["retailer_id"]) as connection:
        assert await connection.fetchval("SELECT value FROM push_addresses") == "fcm-token-value"


async def test_a_replay_of_radar_is_placed_where_it_was(at_noon: Mall) -> None:
    at_noon.clock.set(to_us(datetime.fromisoformat("2026-01-05T18:10:00Z")))
    body = shared_data("client_samples", "constructed", "radar_replay_request.json").read_bytes()
    phone = at_noon.client(at_noon.keys["app_key"])
    await phone.post("/v1/track/replay", body)
    await at_noon.server.put("/v1/devices/d1/consents", ALL_CONSENTS)
    before = await journal_seq(at_noon)

    await phone.post("/v1/track/replay", body)

    assert [fix.fixed_at_us for fix in await kept_since(at_noon, before)] == [1767636001000000]


async def test_a_batch_with_one_broken_record_keeps_the_others(at_noon: Mall) -> None:
    phone = Phone(at_noon, "overland", "phone1")
    batch = json.loads(
        shared_data("client_samples", "constructed", "overland_visit_trip_batch.json").read_bytes()
    )
    at_noon.clock.set(to_us(datetime.fromisoformat("2026-01-05T19:01:00Z")))
    await phone.send(batch)
    await phone.consents()
    batch["locations"].insert(0, {"type": "Feature", "geometry": None, "properties": {"device_id": "phone1"}})
    before = await journal_seq(at_noon)

    answers = [await phone.send(batch) for _ in range(2)]

    assert answers == [(200, OK), (200, OK)]
    assert len(await kept_since(at_noon, before)) == 2
    assert await put_aside(at_noon) == ["no_position"]


async def test_overlands_newest_point_comes_again_in_a_later_batch_and_is_kept_once(at_noon: Mall) -> None:
    phone = Phone(at_noon, "overland", "phone1")
    first, second, newest = (overland(at_noon, ago_s=ago_s) for ago_s in (120, 60, 0))
    assert await phone.send({"locations": [first]}) == (200, {"result": "ok"})
    await phone.consents()
    before = await journal_seq(at_noon)

    for body in ({"locations": [second], "current": newest}, {"locations": [newest]}):
        assert await phone.send(body) == (200, {"result": "ok"})

    assert len(await kept_since(at_noon, before)) == 2


async def test_a_visit_of_overland_that_has_not_ended_is_answered_and_is_no_fix(at_noon: Mall) -> None:
    phone = Phone(at_noon, "overland", "phone1")
    visit = overland(at_noon, ago_s=60, action="visit", arrival_date=at_noon.time(-600), departure_date=None)
    await phone.send({"locations": [overland(at_noon, ago_s=120)]})
    await phone.consents()
    before = await journal_seq(at_noon)

    assert await phone.send({"locations": [visit]}) == (200, {"result": "ok"})

    assert await journal_seq(at_noon) == before
    assert await put_aside(at_noon) == []


def overland(mall: Mall, *, ago_s: float, **properties: Any) -> dict[str, Any]:
    lat, lon = shop(500)
    told = {"timestamp": mall.time(-ago_s), "horizontal_accuracy": 5, "device_id": "phone1", **properties}
    point = {"type": "Point", "coordinates": [lon, lat + ago_s * 1e-6]}
    return {"type": "Feature", "geometry": point, "properties": told}


async def test_nothing_of_a_shopper_without_consent_is_kept_and_her_phone_is_answered(at_noon: Mall) -> None:
    phone = Phone(at_noon, "owntracks", "eve:nexus", X_Limit_U="eve", X_Limit_D="nexus", **ANDROID)

    assert await phone.send(owntracks(at_noon)) == (200, [])

    assert await kept_since(at_noon, 0) == []
    await phone.consents()
    await phone.send(owntracks(at_noon))
    assert await phone.seen() == ["enter"]


async def test_a_backlog_of_three_days_is_history_and_makes_no_offer(at_noon: Mall) -> None:
    phone = Phone(at_noon, "transistorsoft", "abc")
    await phone.send(tracker(at_noon, [(5_000, 0)]))
    await phone.consents()
    day_s = 86_400
    backlog = [
        (north_m, days * day_s + 900 - at)
        for days in (3, 2, 1)
        for at, north_m in ((0, 500), (60, 10), (400, 500))
    ]

    status, _ = await phone.send(tracker(at_noon, backlog))

    assert status == 200
    assert (await phone.seen()).count("enter") == 3
    receipts = (await at_noon.server.get("/v1/decisions?device=abc"))["items"]
    assert {one["reasons"][0] for one in receipts} == {"stale"}
    assert [phone for phone in at_noon.fcm.phones if phone.appeared] == []


def tracker(mall: Mall, points: list[tuple[float, float]]) -> dict[str, Any]:
    """A batch of Transistorsoft's SDK: metres north of the door, and seconds ago."""
    return {
        "device_id": "abc",
        "location": [
            {
                "uuid": f"u-{north_m}-{ago_s}",
                "timestamp": mall.time(-ago_s),
                "coords": {"latitude": shop(north_m)[0], "longitude": shop()[1], "accuracy": 5, "speed": 1.0},
            }
            for north_m, ago_s in points
        ],
    }


async def test_a_traccar_phone_registers_its_push_token_and_gets_the_push(at_noon: Mall) -> None:
    phone = Phone(at_noon, "traccar", "48241179", Content_Type=FORM)
    address = "fcm-token:APA91b" + "x" * 100
    await phone.send(urlencode({"id": "48241179", "notificationToken": address}).encode())
    await phone.consents()
    await look_at(at_noon, "48241179", "T-1")
    lat, lon = shop(20)

    await phone.send(
        urlencode(
            {
                "id": "48241179",
                "lat": lat,
                "lon": lon,
                "timestamp": at_noon.clock.now_us() // 1_000_000,
                "accuracy": 5,
            }
        ).encode()
    )

    assert await at_noon.fcm.wait_for_push(address, 10)


async def look_at(mall: Mall, device_id: str, sku: str) -> None:
    event = {"kind": "view", "sku": sku, "at": mall.time()}
    await mall.server.post("/v1/events", {"device_id": device_id, "events": [event]})


async def test_who_has_registered_speaks_with_her_token_alone(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    phone = Phone(at_noon, "transistorsoft", shopper.device_id)
    body = tracker(at_noon, [(20, 0)]) | {"device_id": shopper.device_id}

    status, problem = await phone.send(body)
    assert (status, problem["code"]) == (403, "other_device")
    bearer = {"Authorization": f"Bearer {shopper._credential}"}
    assert (await phone.send(tracker(at_noon, [(20, 0)]), **bearer))[0] == 200

    assert await phone.seen() == ["enter"]


async def test_a_transistorsoft_phone_refreshes_its_token_with_a_form_and_tries_again(at_noon: Mall) -> None:
    shopper = await at_noon.shopper()
    phone = Phone(at_noon, "transistorsoft", shopper.device_id)
    at_noon.clock.advance(16 * 60)
    body = tracker(at_noon, [(20, 0)])
    expired = {"Authorization": f"Bearer {shopper._credential}"}

    status, problem = await phone.send(body, **expired)
    assert (status, problem["code"]) == (401, "token_expired")
    form = urlencode({"refresh_token": shopper.refresh_token}).encode()
    tokens = await at_noon.client("").post("/v1/devices/token", form, Content_Type=FORM, **expired)
    status, _ = await phone.send(body, Authorization=f"Bearer {tokens['access_token']}")

    assert status == 200
    assert await phone.seen() == ["enter"]


@pytest.mark.parametrize(("key", "status"), [("pk_nobodys", 401), ("till_key", 403)])
async def test_a_wrong_key_in_the_address_is_told(at_noon: Mall, key: str, status: int) -> None:
    url = f"{at_noon.vicino.url}/v1/ingest/owntracks/{at_noon.keys.get(key, key)}"

    async with at_noon.session.post(url, json=owntracks(at_noon)) as answer:
        assert answer.status == status


async def test_overland_may_look_whose_account_it_is(at_noon: Mall) -> None:
    assert await Phone(at_noon, "overland", "p").send(method="GET") == (200, {"name": "Vicino"})


async def test_a_hundred_first_messages_at_once_make_one_device(at_noon: Mall) -> None:
    phone = Phone(at_noon, "owntracks", "ann:pixel", X_Limit_U="ann", X_Limit_D="pixel")

    answers = await asyncio.gather(*(phone.send(owntracks(at_noon, n)) for n in range(100)))

    assert answers == [(200, [])] * 100
    async with at_noon.vicino.database.transaction(at_noon.keys["retailer_id"]) as connection:
        assert await connection.fetchval("SELECT count(*) FROM devices") == 1


async def test_owntracks_is_told_the_fences_once_and_again_when_they_change(
    at_noon: Mall, ann: Phone
) -> None:
    first = await ann.send(owntracks(at_noon, 1_000))
    lost = await ann.send(owntracks(at_noon, 1_000))
    at_noon.clock.advance(60)
    further = await ann.send(owntracks(at_noon, 900))
    await at_noon.server.post("/v1/geofences", at_noon.fence(radius=200))
    at_noon.clock.advance(60)
    moved = await ann.send(owntracks(at_noon, 800))

    [command] = first[1]
    told = {one["rid"]: one for one in command["waypoints"]["waypoints"]}
    assert set(told) == {"door", "vicino-rim"}
    assert told["door"]["rad"] == 150
    assert lost == first  # the same message again: its answer did not arrive
    assert further == (200, [])
    [[again]] = [one["waypoints"]["waypoints"] for one in moved[1]]
    assert (again["rid"], again["rad"], again["tst"]) == ("door", 200, told["door"]["tst"])


async def test_what_a_phones_own_region_monitoring_says_is_evidence_and_the_fix_decides(
    at_noon: Mall, ann: Phone
) -> None:
    [command] = (await ann.send(owntracks(at_noon, 1_000)))[1]
    number = next(one["tst"] for one in command["waypoints"]["waypoints"] if one["rid"] == "door")
    transition = {"_type": "transition", "event": "enter", "wtst": number, "t": "c", "desc": "door"}

    at_noon.clock.advance(300)
    await ann.send(owntracks(at_noon, 140) | transition)  # the phone watches a larger circle
    assert await ann.seen() == []
    at_noon.clock.advance(60)
    await ann.send(owntracks(at_noon, 30) | transition)

    assert await ann.seen() == ["enter"]
    [receipt] = (await at_noon.server.get("/v1/decisions?device=ann:pixel"))["items"]
    told = [one for one in receipt["moment"]["evidence"] if one["kind"] == "phone"]
    assert [(one["event"], one["geofence"]) for one in told] == [("enter", "door")] * 2


async def test_transistorsoft_is_told_geofences_and_to_remove_what_is_gone(at_noon: Mall) -> None:
    phone = Phone(at_noon, "transistorsoft", "abc")
    await phone.send(tracker(at_noon, [(5_000, 0)]))
    await phone.consents()
    _, first = await phone.send(tracker(at_noon, [(1_000, 0)]))
    await at_noon.server.call("DELETE", "/v1/geofences/door")
    at_noon.clock.advance(60)
    _, then = await phone.send(tracker(at_noon, [(990, 0)]))

    [[command, geofences]] = first["background_geolocation"]
    assert command == "addGeofences"
    assert {one["identifier"] for one in geofences} == {"vicino-rim", "door"}
    assert ["removeGeofences", ["door"]] in then["background_geolocation"]
