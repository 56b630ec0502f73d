"""`vicino replay`: traces from files through the engine, or to a server."""

import asyncio
import gzip
import os
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

import server.cli
from server.clock import from_us, to_us
from server.replay_client import Client, CredentialRefused, SendingFailed
from server.replay_sender import BATCH_FIXES, Received, Sent, send
from server.traces import TraceFix
from server.traces.columns import Trace, TraceBuilder
from tests.support import REPOSITORY, shared_data

HEADER = "device,fixed_at,lat,lon,accuracy_m,speed_mps"
#: A thousandth of a degree of latitude is 111 m here.
HOME = {"type": "Point", "coordinates": [25.0, 60.0]}


def circle(name: str | None = "home", *, radius: float = 100, **more: Any) -> dict[str, Any]:
    properties = {"radius": radius} | ({} if name is None else {"external_id": name})
    return {"type": "Feature", "geometry": HOME, "properties": properties} | more


def fences(folder: Path, *features: dict[str, Any]) -> Path:
    path = folder / "fences.geojson"
    path.write_bytes(msgspec.json.encode({"type": "FeatureCollection", "features": features or (circle(),)}))
    return path


def trace(folder: Path, *rows: tuple[str, float, float], name: str = "trace.csv") -> Path:
    """A CSV file of (device, seconds, metres north of the fence's centre)."""
    path = folder / name
    lines = [f"{device},{seconds},{60 + metres / 111_412},25.0,5," for device, seconds, metres in rows]
    path.write_text("\n".join([HEADER, *lines, ""]), "utf-8")
    return path


class Run:
    """Runs the command in this process; what it printed is in `lines` and `errors`."""

    def __init__(self, capture: pytest.CaptureFixture[bytes]) -> None:
        self._capture = capture
        self.lines: list[dict[str, Any]] = []
        self.errors: list[str] = []

    def __call__(self, *arguments: object) -> int:
        status = server.cli.main(["replay", *map(str, arguments)])
        output, errors = self._capture.readouterr()
        self.lines = [msgspec.json.decode(line) for line in output.splitlines()]
        self.errors = errors.decode().splitlines()
        return status

    @property
    def told(self) -> list[tuple[str, str, str]]:
        return [(line["device"], line["event"], line["at"]) for line in self.lines]


async def vicino(
    *arguments: str, environment: dict[str, str] | None = None, stderr: int = asyncio.subprocess.PIPE
) -> tuple[int | None, bytes, bytes]:
    """Runs the program in a process of its own: its status, output and errors."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "server", *arguments),
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "TERM": "xterm"} | (environment or {}),
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
    )
    output, errors = await asyncio.wait_for(process.communicate(), timeout=60)
    return process.returncode, output, errors or b""


@pytest.fixture
def run(capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    return Run(capsysbinary)


def test_a_visit_is_an_enter_a_dwell_and_an_exit_one_json_object_a_line(run: Run, tmp_path: Path) -> None:
    path = trace(tmp_path, ("a", 0, 500), ("a", 30.5, 10), ("a", 200, 500))
    assert run(path, "--geofences", fences(tmp_path), "--mode", "exact") == 0
    assert run.lines[0] == {
        "event": "enter",
        "device": "a",
        "geofence": "home",
        "at": "1970-01-01T00:00:30.500000Z",
        "lat": 60 + 10 / 111_412,
        "lon": 25.0,
        "confidence": 1.0,
    }
    assert list(run.lines[0]) == ["event", "device", "geofence", "at", "lat", "lon", "confidence"]
    assert run.told[1:] == [
        ("a", "dwell", "1970-01-01T00:01:30.500000Z"),
        ("a", "exit", "1970-01-01T00:03:20Z"),
    ]


def test_fixes_are_sorted_by_time_and_the_first_of_equal_times_wins(run: Run, tmp_path: Path) -> None:
    path = trace(tmp_path, ("a", 20, 500), ("a", 10, 0), ("a", 10, 500), ("a", 20, 0), ("a", 0, 500))
    assert run(path, "--geofences", fences(tmp_path), "--mode", "exact") == 0
    assert run.told == [("a", "enter", "1970-01-01T00:00:10Z"), ("a", "exit", "1970-01-01T00:00:20Z")]


def test_a_trace_that_ends_inside_has_no_exit_but_the_dwell_it_reached(run: Run, tmp_path: Path) -> None:
    path = trace(tmp_path, ("short", 0, 0), ("short", 59, 0), ("long", 0, 0), ("long", 60, 0), ("one", 9, 0))
    assert run(path, "--geofences", fences(tmp_path), "--mode", "exact") == 0
    assert run.told == [
        ("short", "enter", "1970-01-01T00:00:00Z"),
        ("long", "enter", "1970-01-01T00:00:00Z"),
        ("long", "dwell", "1970-01-01T00:01:00Z"),
        ("one", "enter", "1970-01-01T00:00:09Z"),
    ]


def test_a_dwell_comes_before_the_exit_at_its_very_time(run: Run, tmp_path: Path) -> None:
    path = trace(tmp_path, ("a", 0, 0), ("a", 60, 500))
    assert run(path, "--geofences", fences(tmp_path), "--mode", "exact") == 0
    assert [event for _, event, _ in run.told] == ["enter", "dwell", "exit"]


def test_a_visit_of_many_silent_hours_is_one_visit_in_exact_mode(run: Run, tmp_path: Path) -> None:
    path = trace(tmp_path, ("a", 0, 0), ("a", 80_000, 0), ("a", 80_001, 500))
    assert run(path, "--geofences", fences(tmp_path), "--mode", "exact") == 0
    assert [event for _, event, _ in run.told] == ["enter", "dwell", "exit"]


def test_exact_mode_ignores_accuracy_and_the_default_does_not(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "coarse.csv"
    path.write_text(f"{HEADER}\na,0,60.0,25.0,3000,\n", "utf-8")
    assert run(path, "--geofences", fences(tmp_path), "--mode", "exact") == 0
    assert [event for _, event, _ in run.told] == ["enter"]
    assert run(path, "--geofences", fences(tmp_path)) == 0
    assert run.told == []


def test_devices_come_in_order_of_first_appearance_over_all_files(run: Run, tmp_path: Path) -> None:
    first = trace(tmp_path, ("b", 5, 0), ("a", 1, 0), name="1.csv")
    second = trace(tmp_path, ("c", 0, 0), ("b", 2, 500), ("b", 9, 500), name="2.csv")
    assert run(first, second, "--geofences", fences(tmp_path), "--mode", "exact") == 0
    assert [(device, event) for device, event, _ in run.told] == [
        ("b", "enter"),
        ("b", "exit"),
        ("a", "enter"),
        ("c", "enter"),
    ]


def test_a_device_cut_by_a_chunk_goes_on_with_its_visit(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [(device, at * 30, 0 if at % 5 else 500) for device in "abc" for at in range(23)]
    path = trace(tmp_path, *steps)
    assert run(path, "--geofences", fences(tmp_path), "--mode", "exact") == 0
    whole = run.lines
    assert len(whole) > 30
    for chunk in (1, 2, 7, 23):
        monkeypatch.setattr("server.replay_traces.CHUNK_FIXES", chunk)
        assert run(path, "--geofences", fences(tmp_path), "--mode", "exact") == 0
        assert run.lines == whole


def test_gpx_geojson_plt_and_csv_tell_the_same(run: Run, tmp_path: Path) -> None:
    times = ["2026-01-05T12:00:00Z", "2026-01-05T12:00:30Z", "2026-01-05T12:03:00Z"]
    lats = [60.01, 60.0, 60.01]
    both = list(zip(times, lats, strict=True))
    points = "".join(f'<trkpt lat="{lat}" lon="25"><time>{time}</time></trkpt>' for time, lat in both)
    positions = [[25, lat] for lat in lats]
    line = {"type": "Feature", "geometry": {"type": "LineString", "coordinates": positions}}
    files = {
        "walk.gpx": f"<gpx><trk><trkseg>{points}</trkseg></trk></gpx>".encode(),
        "walk.geojson": msgspec.json.encode(line | {"properties": {"coordTimes": times}}),
        "walk.plt": (
            "x\n" * 6 + "".join(f"{lat},25,0,0,0,{t[:10]},{t[11:19]}\n" for t, lat in both)
        ).encode(),
        "walk.csv.gz": gzip.compress(
            ("device,fixed_at,lat,lon\n" + "".join(f"walk,{t},{lat},25\n" for t, lat in both)).encode()
        ),
    }
    answers = []
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        assert run(tmp_path / name, "--geofences", fences(tmp_path), "--mode", "exact") == 0
        answers.append(run.told)
    assert answers == [answers[0]] * 4
    assert [event for _, event, _ in answers[0]] == ["enter", "dwell", "exit"]


def test_bad_records_are_told_on_stderr_and_the_rest_is_replayed(run: Run, tmp_path: Path) -> None:
    path = trace(tmp_path, ("a", 0, 0))
    path.write_text(path.read_text("utf-8") + "a,soon,60,25,,\n", "utf-8")
    assert run(path, "--geofences", fences(tmp_path), "--mode", "exact") == 0
    assert len(run.told) == 1
    (error,) = run.errors
    assert "trace.csv: line 3: fixed_at: 'soon' is not a time; write RFC 3339" in error


def test_a_file_without_a_usable_record_fails(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_text(f"{HEADER}\n", "utf-8")
    assert run(path, "--geofences", fences(tmp_path)) == 1
    assert run.errors == [f"vicino: {path}: no usable record (0 bad, 0 without a time)"]


def test_a_gpx_file_without_times_fails(run: Run, tmp_path: Path) -> None:
    path = shared_data("trajectories", "misc", "andorra_for_map_matching.gpx")
    assert run(path, "--geofences", fences(tmp_path)) == 1
    assert run.errors[0].endswith("21 points without a time skipped")


@pytest.mark.parametrize(
    "arguments",
    [
        ["{odd}", "--geofences", "{fences}"],
        ["{missing}", "--geofences", "{fences}"],
        ["{trace}", "--geofences", "{missing}"],
        ["{trace}"],
        ["{trace}", "--geofences", "{fences}", "--mode", "vague"],
        ["{trace}", "--geofences", "{fences}", "--app-key", "k"],
        ["{trace}", "--geofences", "{fences}", "--keep-times"],
        ["{trace}", "--geofences", "{fences}", "--retailer", "r"],
        ["{trace}", "--url", "http://127.0.0.1:1"],
        ["{trace}", "--url", "127.0.0.1:1", "--app-key", "k"],
        ["{trace}", "--url", "http://127.0.0.1:1", "--app-key", "k", "--geofences", "{fences}"],
        ["{trace}", "--url", "http://127.0.0.1:1", "--app-key", "k", "--mode", "exact"],
        ["--geofences", "{fences}"],
        ["--retailer", "r"],
        ["--retailer", "r", "--day", "yesterday"],
        [],
    ],
)
def test_bad_use_is_one_line_and_status_2(run: Run, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "odd.bin").write_bytes(b"\0\1\2")
    paths = {
        "odd": tmp_path / "odd.bin",
        "missing": tmp_path / "missing.csv",
        "trace": trace(tmp_path, ("a", 0, 0)),
        "fences": fences(tmp_path),
    }
    assert run(*(argument.format(**paths) for argument in arguments)) == 2
    assert len(run.errors) == 1
    assert run.lines == []


def test_a_fence_needs_no_store_and_may_be_named_by_its_features_id(run: Run, tmp_path: Path) -> None:
    path = fences(tmp_path, circle(None, id=7), circle("b"))
    assert run(trace(tmp_path, ("a", 0, 0)), "--geofences", path, "--mode", "exact") == 0
    assert [line["geofence"] for line in run.lines] == ["7", "b"]


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ([circle(None)], "feature 1: properties.external_id"),
        ([circle("a"), circle("a")], "feature 2: properties.external_id"),
        ([circle("a", radius=1)], "feature 1: properties.radius"),
        ([circle("a") | {"properties": [1]}], "feature 1: properties"),
    ],
)
def test_a_bad_fence_is_named_and_nothing_is_replayed(
    run: Run, tmp_path: Path, features: list[dict[str, Any]], said: str
) -> None:
    assert run(trace(tmp_path, ("a", 0, 0)), "--geofences", fences(tmp_path, *features)) == 2
    assert said in run.errors[0]
    assert run.errors[-1].startswith("vicino: ")
    assert run.lines == []


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"type":"FeatureCollection","features":[]}'])
def test_a_file_without_fences_is_bad_use(run: Run, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fences.geojson"
    path.write_bytes(content)
    assert run(trace(tmp_path, ("a", 0, 0)), "--geofences", path) == 2


async def test_a_stored_day_on_which_nothing_happened_comes_out_the_same(database_url: str) -> None:
    environment = {"VICINO_DATABASE_URL": database_url}
    status, output, _ = await vicino("retailer", "create", "Shoes", "--json", environment=environment)
    assert status == 0
    retailer = msgspec.json.decode(output)["retailer_id"]
    day = ("--retailer", retailer, "--day", "2026-01-05")
    status, output, errors = await vicino("replay", *day, environment=environment)
    assert (status, errors) == (0, b"")
    replayed = msgspec.json.decode(output)
    assert (replayed["day"], replayed["decisions"], replayed["different"]) == ("2026-01-05", 0, [])


async def test_a_stored_day_of_nobody_is_one_line_and_a_failure(database_url: str) -> None:
    status, output, errors = await vicino(
        *("replay", "--retailer", "rtl_nobody", "--day", "2026-01-05"),
        environment={"VICINO_DATABASE_URL": database_url},
    )
    assert (status, output, len(errors.splitlines())) == (1, b"", 1)


# Against a server


class Loopback:
    """A server that speaks the app's part of the public contract."""

    def __init__(self) -> None:
        self.registered: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.pings: list[list[dict[str, Any]]] = []
        self.refreshed = 0
        self.busy: list[tuple[int, str | None]] = []  #: status and Retry-After of the next pings
        self.pings_a_token = 1000
        self._pings_left: dict[str, int] = {}
        self._tokens = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/v1/devices", self._register)
        app.router.add_post("/v1/devices/token", self._refresh)
        app.router.add_post("/v1/pings", self._ping)
        app.router.add_get("/v1/inbox", self._inbox)
        return app

    def _new_tokens(self) -> dict[str, str]:
        self._tokens += 1
        self._pings_left[f"access-{self._tokens}"] = self.pings_a_token
        return {
            "access_token": f"access-{self._tokens}",
            "refresh_token": f"refresh-{self._tokens}",
            "expires_at": "2026-01-05T12:00:00Z",
        }

    def _refusal(self, request: web.Request) -> web.Response | None:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        if self._pings_left.get(token, 0) > 0:
            self._pings_left[token] -= 1
            return None
        return web.json_response({"title": "Not authenticated", "detail": "token expired"}, status=401)

    async def _register(self, request: web.Request) -> web.Response:
        if request.headers["Authorization"] != "Bearer pk_good":
            return web.json_response({"detail": "no such key"}, status=401)
        self.registered.append(await request.json())
        self.keys.append(request.headers.get("Idempotency-Key"))
        number = len(self.registered)
        ids = {"device_id": f"dev_{number}", "shopper_id": f"shp_{number}"}
        return web.json_response(ids | self._new_tokens(), status=201)

    async def _refresh(self, request: web.Request) -> web.Response:
        if (await request.json())["refresh_token"] != f"refresh-{self._tokens}":
            return web.json_response({"detail": "used before"}, status=401)
        self.refreshed += 1
        return web.json_response(self._new_tokens())

    async def _ping(self, request: web.Request) -> web.Response:
        if self.busy:
            status, retry_after = self.busy.pop(0)
            headers = {} if retry_after is None else {"Retry-After": retry_after}
            return web.json_response({"title": "Later"}, status=status, headers=headers)
        if (refusal := self._refusal(request)) is not None:
            return refusal
        fixes = (await request.json())["fixes"]
        self.pings.append(fixes)
        rejected = [{"index": 0, "reason": "too_old"}] if len(self.pings) == 1 else []
        answer = {"accepted": len(fixes) - len(rejected), "rejected": rejected, "next": {"after_m": 9}}
        return web.json_response(answer)

    async def _inbox(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        if "cursor" in request.query:
            return web.json_response({"items": [{"id": request.query["cursor"]}], "next_cursor": None})
        return web.json_response({"items": [{"id": "first"}], "next_cursor": "se/co=nd"})


@pytest.fixture
async def loopback() -> AsyncIterator[tuple[Loopback, str]]:
    behind = Loopback()
    async with TestServer(behind.app()) as listening:
        yield behind, str(listening.make_url("/"))


def columns(*rows: tuple[str, int]) -> Trace:
    builder = TraceBuilder()
    for device, seconds in rows:
        builder.add(TraceFix(device=device, fixed_at_us=seconds * 1_000_000, lat_deg=60, lon_deg=25))
    return builder.build()


async def sent(
    trace: Trace, url: str, *, key: str = "pk_good", said: Callable[[str], None] = print
) -> tuple[list[Sent | Received], list[float]]:
    """What sending told, and how long it slept instead of really sleeping."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with Client(url, key, say=said, sleep=sleep) as client:
        return [told async for told in send(trace, client, shift_us=0)], slept


async def test_each_device_is_registered_and_its_shopper_consents_to_everything(
    loopback: tuple[Loopback, str],
) -> None:
    behind, url = loopback
    await sent(columns(("a", 1), ("b", 1)), url)
    assert len(behind.registered) == 2
    assert len({*behind.keys, None}) == 3
    consents = behind.registered[0]["consents"]
    assert consents.keys() == {"nearby_offers", "background_location", "push", "personalisation", "insight"}
    assert all(consent == {"granted": True} for consent in consents.values())


async def test_fixes_go_in_batches_by_time_and_the_answers_are_added_up(
    loopback: tuple[Loopback, str],
) -> None:
    behind, url = loopback
    told, _ = await sent(columns(*(("a", second) for second in range(BATCH_FIXES * 2 + 3))), url)
    assert [len(fixes) for fixes in behind.pings] == [BATCH_FIXES, BATCH_FIXES, 3]
    assert told[0] == Sent(
        device="a", device_id="dev_1", accepted=BATCH_FIXES * 2 + 2, rejected={"too_old": 1}
    )
    times = [fix["fixed_at"] for fixes in behind.pings for fix in fixes]
    assert times == sorted(times)
    assert behind.pings[0][1] == {"lat": 60, "lon": 25, "fixed_at": "1970-01-01T00:00:01Z"}


async def test_the_inbox_is_told_page_by_page_at_the_end(loopback: tuple[Loopback, str]) -> None:
    _, url = loopback
    told, _ = await sent(columns(("a", 1)), url)
    assert told[1:] == [
        Received(device="a", item={"id": "first"}),
        Received(device="a", item={"id": "se/co=nd"}),
    ]


async def test_a_server_that_asks_to_wait_is_given_the_time_it_asks_for(
    loopback: tuple[Loopback, str],
) -> None:
    behind, url = loopback
    soon = format_datetime(datetime.now(UTC), usegmt=True)
    behind.busy = [(429, "7"), (503, None), (429, soon)]
    said: list[str] = []
    told, slept = await sent(columns(("a", 1)), url, said=said.append)
    assert slept == [7, 1, 0]
    assert said[0].endswith("asks to wait 7 s")
    assert isinstance(told[0], Sent)
    assert len(behind.pings) == 1


async def test_a_server_that_asks_to_wait_for_ever_is_given_up(loopback: tuple[Loopback, str]) -> None:
    behind, url = loopback
    behind.busy = [(429, "1")] * 1000
    with pytest.raises(SendingFailed, match="try again later"):
        await sent(columns(("a", 1)), url)


async def test_an_expired_access_token_is_refreshed_and_nothing_is_lost(
    loopback: tuple[Loopback, str],
) -> None:
    behind, url = loopback
    behind.pings_a_token = 1
    told, _ = await sent(columns(*(("a", second) for second in range(BATCH_FIXES * 3))), url)
    assert sum(len(fixes) for fixes in behind.pings) == BATCH_FIXES * 3
    assert behind.refreshed == 4
    assert len(told) == 3


async def test_a_wrong_app_key_is_a_failure_with_the_servers_reason(loopback: tuple[Loopback, str]) -> None:
    _, url = loopback
    with pytest.raises(CredentialRefused, match="no such key"):
        await sent(columns(("a", 1)), url, key="pk_bad")


async def test_another_server_is_a_failure_that_says_so() -> None:
    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_post("/v1/devices", hello)
    async with TestServer(app) as other:
        with pytest.raises(SendingFailed, match="is it Vicino"):
            await sent(columns(("a", 1)), str(other.make_url("/")))


async def test_no_server_is_a_failure() -> None:
    with pytest.raises(SendingFailed, match="no answer from"):
        await sent(columns(("a", 1)), "http://127.0.0.1:1")


@pytest.mark.parametrize("keep", [True, False])
async def test_the_command_moves_the_last_fix_to_now_unless_told_otherwise(
    loopback: tuple[Loopback, str], tmp_path: Path, keep: bool
) -> None:
    behind, url = loopback
    path = trace(tmp_path, ("a", 0, 0), ("a", 100.25, 500))
    before_us = to_us(datetime.now(UTC))
    flags = ["--keep-times"] if keep else []
    status, output, errors = await vicino("replay", str(path), "--url", url, "--app-key", "pk_good", *flags)
    assert (status, errors) == (0, b"")
    assert [msgspec.json.decode(line)["event"] for line in output.splitlines()] == ["sent", "inbox", "inbox"]
    first_us, last_us = (to_us(datetime.fromisoformat(fix["fixed_at"])) for fix in behind.pings[0])
    assert last_us - first_us == 100_250_000
    if keep:
        assert from_us(first_us).isoformat() == "1970-01-01T00:00:00+00:00"
    else:
        assert before_us <= last_us <= to_us(datetime.now(UTC))


# On a terminal


async def test_a_terminal_sees_a_progress_bar_and_the_output_stays_json(tmp_path: Path) -> None:
    path = trace(tmp_path, ("a", 0, 0), ("a", 1, 500))
    terminal, stderr = os.openpty()
    status, output, _ = await vicino("replay", str(path), "--geofences", str(fences(tmp_path)), stderr=stderr)
    os.close(stderr)
    shown = os.read(terminal, 1 << 16)
    os.close(terminal)
    assert status == 0
    assert [msgspec.json.decode(line)["event"] for line in output.splitlines()] == ["enter", "exit"]
    assert b"reading" in shown
    assert b"judging" in shown
