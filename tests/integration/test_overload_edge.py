"""The door: who is slow, or sends too much, or what can be read in two ways, is told so and harms nobody."""

import asyncio
import base64
import gzip
import json
import re
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
import pytest

from server.app import Running, running
from server.cli.retailer import create_retailer
from server.clock import SystemClock, from_us
from server.config import Config
from server.edge.connection import Deadlines
from server.edge.room import Worth
from tests.support import shared_data

SOON = Deadlines(header_s=0.3, body_s=0.5, idle_s=30.0, look_s=0.05)
CONSENTS = {"nearby_offers": {"granted": True}}


class Opened:
    """A server with a retailer and a phone."""

    def __init__(
        self, vicino: Running, keys: dict[str, str], token: str, session: aiohttp.ClientSession
    ) -> None:
        self.vicino, self.keys, self.token, self.session = vicino, keys, token, session

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        address = urlsplit(self.vicino.url)
        return await asyncio.open_connection(address.hostname, address.port)

    async def raw(self, data: bytes, *, within_s: float = 5.0) -> bytes:
        """All that is answered until the server hangs up, or nothing more comes for a second."""
        reader, writer = await self.connect()
        writer.write(data)
        answered = b""
        try:
            async with asyncio.timeout(within_s):
                while chunk := await asyncio.wait_for(reader.read(65536), 1.0):
                    answered += chunk
        except (TimeoutError, ConnectionError):
            pass  # what came is what is asked for
        writer.close()
        return answered

    async def ping(self, body: bytes, **headers: str) -> tuple[int, Any, Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["Authorization"] = f"Bearer {self.token}"
        async with self.session.post(self.vicino.url + "/v1/pings", data=body, headers=named) as answer:
            return answer.status, json.loads(await answer.text()), answer.headers

    async def refused(self) -> dict[str, float]:
        async with self.session.get(self.vicino.url + "/metrics") as answer:
            found = re.findall(r'vicino_refused_total\{reason="(\w+)"\} (\S+)', await answer.text())
        return {reason: float(count) for reason, count in found}


def fixes(count: int = 1) -> bytes:
    now_us = SystemClock().now_us()
    made = [
        {
            "lat": 60.0 + number / 1e5,
            "lon": 25.0,
            "fixed_at": from_us(now_us - number * 1_000_000).isoformat(),
        }
        for number in range(count)
    ]
    return json.dumps({"fixes": made}).encode()


async def opened(url: str, deadlines: Deadlines = SOON, **settings: Any) -> AsyncIterator[Opened]:
    config = Config(database_url=url, port=0, proxies="none", **settings)
    async with aiohttp.ClientSession() as session, running(config, deadlines=deadlines) as vicino:
        keys = await create_retailer(vicino.database, "Bold", {"quiet_hours": None})
        body, headers = (
            {"platform": "ios", "consents": CONSENTS},
            {"Authorization": f"Bearer {keys['app_key']}"},
        )
        async with session.post(vicino.url + "/v1/devices", json=body, headers=headers) as answer:
            token = (await answer.json())["access_token"]
        yield Opened(vicino, keys, token, session)


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[Opened]:
    async for one in opened(database_url):
        yield one


def head(server: Opened, length: int, path: str = "/v1/pings") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {server.token}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


async def heard(reader: asyncio.StreamReader) -> bytes:
    """All that is said, until the end or until what was sent in vain breaks the line."""
    said = b""
    with suppress(ConnectionResetError):
        while part := await reader.read(65536):
            said += part
    return said


class TestDeadlines:
    async def test_a_connection_that_never_says_anything_is_ended(self, server: Opened) -> None:
        reader, writer = await server.connect()
        async with asyncio.timeout(5):
            answered = await reader.read()
        writer.close()
        assert answered.startswith(b"HTTP/1.1 408 ")

    async def test_headers_that_drip_in_are_cut_off_however_lively_they_are(self, server: Opened) -> None:
        reader, writer = await server.connect()
        ended = asyncio.create_task(heard(reader))
        async with asyncio.timeout(5):
            for byte in b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Long: " + b"x" * 1000:
                if ended.done():
                    break
                writer.write(bytes([byte]))
                await asyncio.sleep(0.02)
            assert (await ended).startswith(b"HTTP/1.1 408 ")
        writer.close()

    async def test_a_body_that_drips_in_is_cut_off_and_told_why(self, server: Opened) -> None:
        reader, writer = await server.connect()
        writer.write(head(server, 1000))
        ended = asyncio.create_task(heard(reader))
        async with asyncio.timeout(5):
            for _ in range(1000):
                if ended.done():
                    break
                writer.write(b" ")
                await asyncio.sleep(0.02)
            answered = await ended
        writer.close()
        assert answered.startswith(b"HTTP/1.1 408 ")
        assert b'"code":"too_slow"' in answered

    async def test_four_hundred_stalled_connections_are_gone_in_time_and_others_are_served(
        self, server: Opened
    ) -> None:
        stalled = [await server.connect() for _ in range(400)]
        for number, (_, writer) in enumerate(stalled):
            writer.write(b"GET /hea" if number % 2 else head(server, 100))
        async with server.session.get(server.vicino.url + "/healthz") as answer:
            assert answer.status == 200
        async with asyncio.timeout(10):
            await asyncio.gather(*(reader.read() for reader, _ in stalled))
        for _, writer in stalled:
            writer.close()

    async def test_a_connection_that_is_kept_alive_may_be_idle_for_longer_than_headers_may_take(
        self, server: Opened
    ) -> None:
        reader, writer = await server.connect()
        for _ in range(2):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            async with asyncio.timeout(5):
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
                await reader.readexactly(len(b'{"status":"ok"}'))
            await asyncio.sleep(2 * SOON.header_s)
        writer.close()


class TestCaps:
    async def test_more_connections_than_allowed_from_one_address_are_told_so(
        self, database_url: str
    ) -> None:
        async for server in opened(database_url, Deadlines(), connections_per_address=5):
            held = [await server.connect() for _ in range(3)]  # the session has one or two
            told = [await server.raw(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n") for _ in range(1)]
            more = [await server.connect() for _ in range(4)]
            async with asyncio.timeout(3):
                answered = await more[-1][0].read()
            assert told[0].startswith(b"HTTP/1.1 200 ")
            assert answered.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nRetry-After: " in answered
            for _, writer in held + more:
                writer.close()


class TestFraming:
    @pytest.mark.parametrize(
        ("raw", "code"),
        [
            (b"GET http://evil.example/healthz HTTP/1.1\r\nHost: a\r\n\r\n", b"bad_target"),
            (b"POST /v1/pings HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"bad_framing"),
        ],
    )
    async def test_what_two_programs_could_read_differently_is_refused_and_the_line_hung_up(
        self, server: Opened, raw: bytes, code: bytes
    ) -> None:
        answered = await server.raw(raw)
        assert answered.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
        assert code in answered
        assert len(re.findall(rb"HTTP/1\.[01] \d{3} ", answered)) == 1

    async def test_an_absolute_address_of_the_named_host_is_taken(self, server: Opened) -> None:
        answered = await server.raw(b"GET http://a/healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answered.startswith(b"HTTP/1.1 200 ")

    async def test_no_raw_request_of_the_corpus_gets_a_5xx_or_a_second_answer(self, server: Opened) -> None:
        lines = shared_data("badinput", "own", "http1_raw.jsonl").read_text().splitlines()
        wrong = []
        for case in map(json.loads, lines):
            answered = await server.raw(base64.b64decode(case["raw_b64"]), within_s=2.0)
            statuses = re.findall(rb"HTTP/1\.[01] (\d{3}) ", answered)
            if len(statuses) > 1 or any(status >= b"500" for status in statuses):
                wrong.append((case["name"], statuses))
        assert not wrong


class TestCompressed:
    async def test_a_compressed_ping_counts_as_the_plain_one_does(self, server: Opened) -> None:
        plain = fixes(40)
        raw = zlib.compressobj(wbits=-15)
        for body, encoding in (
            (gzip.compress(plain), "gzip"),
            (zlib.compress(plain), "deflate"),
            (raw.compress(plain) + raw.flush(), "deflate"),
            (gzip.compress(fixes(2000)), "gzip"),
        ):
            status, answer, _ = await server.ping(body, Content_Encoding=encoding)
            assert (status, answer["rejected"]) == (200, [])

    async def test_a_bomb_is_refused_and_the_loop_goes_on_meanwhile(self, server: Opened) -> None:
        bomb = gzip.compress(b" " * (32 << 20), 9)
        assert len(bomb) < 1 << 20
        status, problem, _ = await server.ping(bomb, Content_Encoding="gzip")
        assert (status, problem["code"]) == (413, "too_large")

    async def test_a_bomb_from_somebody_unknown_is_not_even_looked_at(self, server: Opened) -> None:
        server.token = "nobody"
        status, _, _ = await server.ping(gzip.compress(b" " * (64 << 20), 9), Content_Encoding="gzip")
        assert status == 401

    @pytest.mark.parametrize(
        ("body", "encoding", "status", "code"),
        [
            (b"\x1f\x8b\x08\x00", "gzip", 400, "bad_encoding"),
            (b"not compressed at all", "gzip", 400, "bad_encoding"),
            (gzip.compress(b"{}") + b"more", "gzip", 400, "bad_encoding"),
            (gzip.compress(b"{}")[:-4], "gzip", 400, "bad_encoding"),
            (b"{}", "br", 415, "content_encoding"),
            (b"{}", "gzip, gzip", 415, "content_encoding"),
        ],
        ids=["header alone", "not compressed", "more behind it", "cut off", "unknown", "twice"],
    )
    async def test_what_is_not_what_it_says_is_told_so(
        self, server: Opened, body: bytes, encoding: str, status: int, code: str
    ) -> None:
        told, problem, _ = await server.ping(body, Content_Encoding=encoding)
        assert (told, problem["code"]) == (status, code)


class TestLimits:
    async def test_a_device_may_send_a_backlog_while_there_is_room(self, server: Opened) -> None:
        answers = [await server.ping(fixes()) for _ in range(15)]
        assert {status for status, *_ in answers} == {200}

    async def test_where_limits_always_hold_a_device_beyond_its_rate_is_told_to_come_back(
        self, database_url: str
    ) -> None:
        async for server in opened(database_url, limits="always", limit_device="0.2,10"):
            answers = [await server.ping(fixes()) for _ in range(11)]
            assert [status for status, *_ in answers] == [200] * 10 + [429]
            _, problem, headers = answers[-1]
            assert problem["code"] == "rate_device"
            assert 5 <= int(headers["Retry-After"]) <= 10
            assert (await server.refused())["rate_device"] == 1

    async def test_who_guesses_credentials_is_stopped_before_they_are_looked_up(self, server: Opened) -> None:
        server.token = "sk_" + "x" * 43
        statuses = [(await server.ping(b"{}"))[0] for _ in range(70)]
        assert statuses[:60] == [401] * 60
        assert statuses[-1] == 429


class TestShedding:
    async def close_the_valve(self, server: Opened) -> Any:
        """Lets the lane look as it does at the limit, for what is worth little and (given) for all."""
        [lane] = [one.result() for one in server.vicino.engine._lanes.values()]
        return lane.valve

    async def test_a_ping_within_its_safe_region_is_refused_first_with_what_is_left_of_the_region(
        self, server: Opened, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, first, _ = await server.ping(fixes())
        valve = await self.close_the_valve(server)
        monkeypatch.setattr(valve, "full", lambda worth=Worth.MUCH: worth is Worth.LITTLE)
        monkeypatch.setattr(valve._room, "closed", 1)

        status, problem, headers = await server.ping(fixes())

        assert (status, problem["code"]) == (429, "shed")
        assert 0 < problem["next"]["after_m"] <= first["next"]["after_m"]
        assert problem["next"]["within_s"] <= first["next"]["within_s"]
        assert int(headers["Retry-After"]) > 0

    async def test_a_ping_from_beyond_it_is_taken(
        self, server: Opened, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await server.ping(fixes())
        valve = await self.close_the_valve(server)
        monkeypatch.setattr(valve, "full", lambda worth=Worth.MUCH: worth is Worth.LITTLE)
        monkeypatch.setattr(valve._room, "closed", 1)
        far = json.loads(fixes())
        far["fixes"][0]["lat"] += 0.2

        status, answer, _ = await server.ping(json.dumps(far).encode())

        assert (status, answer["accepted"]) == (200, 1)

    async def test_while_a_valve_is_closed_refusals_are_the_same_without_a_request_being_made(
        self, server: Opened, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await server.ping(fixes())
        valve = await self.close_the_valve(server)
        monkeypatch.setattr(valve, "full", lambda worth=Worth.MUCH: worth is Worth.LITTLE)
        monkeypatch.setattr(valve._room, "closed", 1)
        body = fixes()

        answered = await server.raw(
            head(server, len(body)).replace(b"Content-L", b"X: y\r\nContent-L") + body
        )

        said, _, told = answered.partition(b"\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 429 ")
        assert msgspec.json.decode(told)["code"] == "shed"
        assert b"Server:" not in said  # aiohttp would have said it

    async def test_when_nothing_more_can_be_taken_everybody_is_told_so_before_their_body_is_read(
        self, server: Opened, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await server.ping(fixes())
        valve = await self.close_the_valve(server)
        monkeypatch.setattr(valve, "full", lambda *_: True)

        answered = await server.raw(head(server, 100_000), within_s=1.5)

        assert answered.startswith(b"HTTP/1.1 429 ")
        assert b'"code":"busy"' in answered


class TestPlainPings:
    """Pings that come in one piece are answered without a request being made of them."""

    async def test_what_comes_before_the_answer_is_read_after_it(self, server: Opened) -> None:
        await server.ping(fixes())  # now the token is known
        one, half = head(server, len(fixes())) + fixes(), len(fixes()) // 2
        reader, writer = await server.connect()
        writer.write(one)
        await asyncio.sleep(0)
        writer.write(one[:half])
        await asyncio.sleep(0)
        writer.write(one[half:] + one + b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        answered = b""
        async with asyncio.timeout(5):
            while not answered.endswith(b'{"status":"ok"}'):
                answered += await reader.read(65536)
        writer.close()
        assert re.findall(rb"HTTP/1\.1 (\d+) ", answered) == [b"200"] * 4
        assert [int(count) for count in re.findall(rb'"accepted":(\d+)', answered)] == [1, 1, 1]

    async def test_the_answer_is_that_of_the_usual_way(self, server: Opened) -> None:
        await server.ping(fixes())
        body = fixes()
        plain = await server.raw(head(server, len(body)) + body)
        close = head(server, len(body)).replace(b"Host", b"Connection: close\r\nHost")
        usual = await server.raw(close + body)
        assert b"\r\nServer:" in usual
        assert b"\r\nServer:" not in plain
        (first, _, one), (second, _, other) = plain.partition(b"\r\n\r\n"), usual.partition(b"\r\n\r\n")
        assert first.split(b"\r\n")[0] == second.split(b"\r\n")[0] == b"HTTP/1.1 200 OK"
        assert json.loads(one).keys() == json.loads(other).keys() == {"accepted", "rejected", "next"}

    async def test_what_is_wrong_with_a_ping_is_told_as_ever(self, server: Opened) -> None:
        await server.ping(fixes())
        for body, status, code in (
            (b"{", 400, "bad_json"),
            (b'{"fixes": 1}', 422, "bad_field"),
            (b'{"fixes": [], "device_id": "another"}', 403, "other_device"),
        ):
            answered = await server.raw(head(server, len(body)) + body)
            assert answered.startswith(b"HTTP/1.1 %d " % status)
            assert json.loads(answered.partition(b"\r\n\r\n")[2])["code"] == code

    async def test_a_limit_counts_both_ways_of_a_device_together(self, database_url: str) -> None:
        async for server in opened(database_url, limits="always", limit_device="0.2,10"):
            for _ in range(5):
                assert (await server.ping(fixes()))[0] == 200
            body = fixes()
            answers = [await server.raw(head(server, len(body)) + body, within_s=0.5) for _ in range(6)]
            assert [answer[9:12] for answer in answers] == [b"200"] * 5 + [b"429"]

    async def test_a_peer_who_is_gone_before_the_answer_harms_nobody(self, server: Opened) -> None:
        await server.ping(fixes())
        body = fixes()
        _, writer = await server.connect()
        writer.write(head(server, len(body)) + body)
        writer.transport.abort()
        assert (await server.ping(fixes()))[0] == 200
