"""Signing in: passwords, second factor, limits, cookies, and the audit log's chain."""

from base64 import b32decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from server.accounts import audit
from server.accounts.totp import STEP_S, code_at
from server.accounts.users import NewUser, add_user
from server.api.table import ROUTES
from server.db import Database
from tests.acceptance.mall import Mall, mall
from tests.acceptance.test_roles import path_of

PASSWORD = "correct-horse-battery"
EMAIL = "ada@example.org"


class Door:
    """The mall's sign-in, as a browser meets it."""

    def __init__(self, opened: Mall, session: aiohttp.ClientSession) -> None:
        self.mall, self.session, self.csrf = opened, session, ""

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        url = self.mall.vicino.url
        sent = {"Origin": url, "Vicino-CSRF": self.csrf} | headers
        async with self.session.request(method, url + path, json=body, headers=sent) as response:
            return response.status, await response.json() if response.status != 204 else None

    async def sign_in(self, password: str = PASSWORD, email: str = EMAIL, **more: Any) -> tuple[int, Any]:
        status, answer = await self.call("POST", "/v1/session", {"email": email, "password": password} | more)
        self.csrf = answer.get("csrf", "")
        return status, answer

    async def is_in(self, **headers: str) -> bool:
        return (await self.call("GET", "/v1/session", **headers))[1]["user"] is not None


@asynccontextmanager
async def a_door(database_url: str, folder: Path) -> AsyncIterator[Door]:
    """The mall with an admin, who is not signed in."""
    async with (
        mall(database_url, folder) as opened,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):
        retailer_id = opened.keys["retailer_id"]
        async with opened.vicino.database.transaction(retailer_id) as connection:
            wanted = NewUser(email=EMAIL, role="admin", password=PASSWORD)
            await add_user(connection, retailer_id, wanted, actor="test", now_us=opened.clock.now_us())
        yield Door(opened, session)


@pytest.fixture
async def door(database_url: str, tmp_path: Path) -> AsyncIterator[Door]:
    async with a_door(database_url, tmp_path) as opened:
        yield opened


async def test_the_right_password_signs_in_and_signing_out_ends_it(door: Door) -> None:
    assert not await door.is_in()
    status, answer = await door.sign_in()
    assert (status, answer["user"]["role"]) == (200, "admin")
    assert await door.is_in()

    assert (await door.call("DELETE", "/v1/session"))[0] == 204
    assert not await door.is_in()


async def test_a_cookie_that_was_signed_out_is_good_for_nothing(door: Door) -> None:
    await door.sign_in()
    kept = {cookie.key: cookie.value for cookie in door.session.cookie_jar}
    await door.call("DELETE", "/v1/session")

    door.session.cookie_jar.update_cookies(kept)
    assert (await door.call("GET", "/v1/users"))[0] == 401


async def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(door: Door) -> None:
    await door.sign_in()
    (cookie,) = door.session.cookie_jar
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert cookie["path"] == "/"


async def test_behind_https_the_cookie_has_the_prefix_that_browsers_guard(door: Door) -> None:
    url = door.mall.vicino.url
    headers = {"X-Forwarded-Proto": "https", "Origin": url.replace("http:", "https:")}
    body = {"email": EMAIL, "password": PASSWORD}
    async with door.session.post(f"{url}/v1/session", json=body, headers=headers) as response:
        assert response.status == 200
        said = response.headers["Set-Cookie"]
    assert said.startswith("__Host-vicino=")
    assert "Secure" in said
    assert "Domain" not in said


async def test_answers_are_not_guessed_at_kept_or_fetched_in_the_clear(door: Door) -> None:
    url = door.mall.vicino.url
    asked = [(route.method, path_of(route)) for route in ROUTES] + [
        ("GET", "/openapi.json"),
        ("GET", "/nothing"),
    ]
    for method, path in asked:
        headers = {"X-Forwarded-Proto": "https"}
        async with door.session.request(
            method, url + path, headers=headers, allow_redirects=False
        ) as response:
            said = response.headers
        assert said["X-Content-Type-Options"] == "nosniff", path
        assert said["Cache-Control"] == "no-store" or path.startswith(("/console/", "/docs")), path
        assert said["Referrer-Policy"] == "no-referrer", path
        assert "frame-ancestors 'none'" in said["Content-Security-Policy"], path
        assert said["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains", path
        assert "Access-Control-Allow-Credentials" not in said, path
        assert ("Access-Control-Allow-Origin" in said) <= path.startswith("/v1/track"), path
    async with door.session.get(f"{url}/v1/session") as response:
        assert "Strict-Transport-Security" not in response.headers  # by plain HTTP it means nothing


async def test_what_is_logged_of_a_request_has_its_id_and_so_has_the_answer(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("nobody foresaw it")

    url = f"{door.mall.vicino.url}/v1/stores"
    key = {"Authorization": f"Bearer {door.mall.keys['server_key']}"}
    monkeypatch.setattr(Database, "transaction", broken)
    for told, kept in (("4bf92f3577b34da6", True), ("shp_of_somebody", False)):
        with capture_logs(processors=[merge_contextvars]) as logged:
            async with door.session.get(url, headers=key | {"X-Request-Id": told}) as response:
                assert response.status == 500
                name = response.headers["X-Request-Id"]
        assert [one["request_id"] for one in logged if one["event"] == "unforeseen"] == [name]
        assert (name == told) == kept


async def test_nobody_signs_in_over_a_network_in_the_clear(door: Door) -> None:
    for host in ("shop.example", "192.0.2.7", "127.0.0.1.evil.example"):
        headers = {"Host": host, "Origin": f"http://{host}"}
        status, problem = await door.call(
            "POST", "/v1/session", {"email": EMAIL, "password": PASSWORD}, **headers
        )
        assert (status, problem["code"]) == (403, "needs_https")


async def test_an_unknown_address_and_a_wrong_password_look_the_same(door: Door) -> None:
    wrong, unknown = await door.sign_in("not the password"), await door.sign_in(email="eve@example.org")
    assert wrong == unknown
    assert (wrong[0], wrong[1]["code"], wrong[1]["field"]) == (401, "wrong_sign_in", "password")


async def test_guessing_is_stopped_after_five_tries(door: Door) -> None:
    for _ in range(5):
        assert (await door.sign_in("a guess"))[0] == 401
    status, problem = await door.sign_in()
    assert (status, problem["code"]) == (429, "too_many_sign_ins")


async def test_a_session_ends_after_half_an_hour_without_its_person(door: Door) -> None:
    await door.sign_in()
    for _ in range(3):
        door.mall.clock.advance(20 * 60)
        assert await door.is_in()  # she does something
    for _ in range(2):
        door.mall.clock.advance(20 * 60)
        still = await door.is_in(**{"Vicino-Unattended": "1"})  # the page asks by itself
    assert not still


async def test_a_session_ends_after_twelve_hours_whatever_is_done(door: Door) -> None:
    await door.sign_in()
    for _ in range(12 * 3 - 1):
        door.mall.clock.advance(20 * 60)
        assert await door.is_in()
    door.mall.clock.advance(20 * 60)
    assert not await door.is_in()


async def test_a_second_factor_is_asked_for_and_each_code_is_good_once(door: Door) -> None:
    await door.sign_in()
    begun = (await door.call("POST", "/v1/session/totp"))[1]
    async with door.mall.vicino.database.transaction(door.mall.keys["retailer_id"]) as connection:
        kept = await connection.fetchval("SELECT totp_secret FROM users")
    secret = b32decode(begun["secret"])
    assert secret not in kept, "it is kept sealed"
    assert begun["uri"].startswith("otpauth://totp/Vicino:ada%40example.org?secret=")

    def code(steps: int = 0) -> str:
        return code_at(secret, door.mall.clock.now_us() // 1_000_000 // STEP_S + steps).decode()

    assert (await door.call("PUT", "/v1/session/totp", {"code": code(9)}))[1]["code"] == "wrong_code"
    assert (await door.call("PUT", "/v1/session/totp", {"code": code()}))[0] == 204
    assert (await door.sign_in())[1]["code"] == "code_required"
    assert (await door.sign_in(code=code()))[1]["code"] == "wrong_code"  # it turned the factor on
    assert (await door.sign_in(code=code(5)))[1]["code"] == "wrong_code"
    door.mall.clock.advance(60)
    assert (await door.sign_in(code=code()))[0] == 200


async def test_a_changed_entry_of_the_audit_log_shows(door: Door, database_url: str) -> None:
    await door.sign_in()
    await door.call("POST", "/v1/users", {"email": "kim@example.org", "role": "analyst"})
    await door.call("DELETE", "/v1/session")
    await door.sign_in()
    assert (await door.call("GET", "/v1/audit/verified"))[1] == {"whole": True, "broken_at": None}

    owner = await asyncpg.connect(database_url)
    await owner.execute("UPDATE audit SET actor = 'somebody else' WHERE seq = 3")
    await owner.close()

    assert (await door.call("GET", "/v1/audit/verified"))[1] == {"whole": False, "broken_at": 3}


async def test_the_server_itself_cannot_change_or_remove_an_entry(door: Door) -> None:
    await door.sign_in()
    retailer_id = door.mall.keys["retailer_id"]
    for change in ("DELETE FROM audit", "UPDATE audit SET actor = 'nobody'"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with door.mall.vicino.database.transaction(retailer_id) as connection:
                await connection.execute(change)
    assert await audit.broken_at(door.mall.vicino.database, retailer_id) is None


async def test_the_last_admin_stays(door: Door) -> None:
    _, answer = await door.sign_in()
    path = f"/v1/users/{answer['user']['user_id']}"
    for change in ({"role": "analyst"}, {"disabled": True}):
        status, problem = await door.call("PATCH", path, change)
        assert status == 422
        assert "last admin" in problem["detail"]
