"""Signing in to the console and out, and the own second factor."""

import asyncio
from typing import Annotated, Any

import msgspec
import segno
from aiohttp import web

from server import sealing_keys
from server.accounts import audit, passwords, totp
from server.accounts.sessions import User, csrf_token
from server.api import cookie
from server.api.route import SERVICES, json_answer
from server.assets import map_assets
from server.auth import Caller, secret_hash
from server.clock import from_us
from server.problems import Problem
from server.sql import queries
from server.wire import Text, decode

SQL = queries("accounts")


class SignIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person signs in with."""

    email: Text
    password: Text
    code: Annotated[str, msgspec.Meta(max_length=20)] | None = None  #: of an authenticator app


class Code(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A code of an authenticator app."""

    code: Text


class NewPassword(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The old password and the new one."""

    password: Text
    new_password: Text


async def show(request: web.Request, _: Caller) -> web.Response:
    """Who is signed in; `user` is null where nobody is."""
    found = await cookie.signed_in(request)
    return json_answer(_session(request, *found) if found else {"user": None})


async def sign_in(request: web.Request, _: Caller) -> web.Response:
    """Starts a session. Few tries are let through, by address of the account and of the sender."""
    cookie.require_private(request)
    cookie.require_own_origin(request)
    services = request.app[SERVICES]
    wanted = decode(await request.read(), SignIn)
    address = services.door.address(request.remote, request.headers.get("X-Forwarded-For"))
    services.door.admit_sign_in(address, wanted.email)
    try:
        token = await services.sessions.sign_in(wanted.email.strip(), wanted.password, wanted.code)
    except Problem as problem:
        if problem.body["code"] != "code_required":
            services.door.wrong_sign_in(address, wanted.email)
        raise
    user = await services.sessions.user(token)
    assert user is not None, "it has just begun"
    response = json_answer(_session(request, token, user))
    cookie.keep(request, response, token)
    return response


async def sign_out(request: web.Request, _: Caller) -> web.Response:
    """Ends the session."""
    found = await cookie.signed_in(request)
    if found is not None:
        await request.app[SERVICES].sessions.sign_out(*found)
    response = web.Response(status=204)
    cookie.forget(request, response)
    return response


async def change_password(request: web.Request, caller: Caller) -> web.Response:
    """Changes the own password, and ends the own sessions elsewhere."""
    services, wanted = request.app[SERVICES], decode(await request.read(), NewPassword)
    assert caller.user_id is not None
    async with services.database.transaction(caller.retailer_id) as connection:
        known = await connection.fetchrow(SQL["user_secrets"], caller.retailer_id, caller.user_id)
    assert known is not None, "the guard knows the caller"
    if not await passwords.is_right(known["password_hash"], wanted.password):
        raise Problem(422, "wrong_password", "this is not the present password", field="password")
    passwords.require_good(wanted.new_password)
    hashed = await passwords.hashed(wanted.new_password)
    async with services.database.transaction(caller.retailer_id) as connection:
        await connection.execute(SQL["set_password"], caller.retailer_id, caller.user_id, hashed)
        keeping = secret_hash(cookie.token_in(request) or "")
        await connection.execute(SQL["end_sessions"], caller.retailer_id, caller.user_id, keeping)
        await _note(request, connection, caller, "password_changed")
    return web.Response(status=204)


async def begin_totp(request: web.Request, caller: Caller) -> web.Response:
    """A new secret for the own second factor, which counts once a code of it was entered."""
    services, secret = request.app[SERVICES], totp.new_secret()
    async with services.database.transaction(caller.retailer_id) as connection:
        known = await connection.fetchrow(SQL["user_secrets"], caller.retailer_id, caller.user_id)
        assert known is not None, "the guard knows the caller"
        if known["totp_confirmed"]:
            raise Problem(409, "has_totp", "there is a second factor already: an admin can take it away")
        assert caller.user_id is not None
        key = await sealing_keys.newest(connection, caller.retailer_id)
        kept = totp.sealed(secret, key.secret, caller.user_id)
        await connection.execute(SQL["set_totp"], caller.retailer_id, caller.user_id, kept, key.number)
    uri = totp.uri(secret, caller.name)
    picture = await asyncio.to_thread(lambda: segno.make(uri).svg_data_uri(scale=4, border=2))
    return json_answer({"secret": totp.base32(secret), "uri": uri, "picture": picture})


async def confirm_totp(request: web.Request, caller: Caller) -> web.Response:
    """Turns the second factor on, by its first code."""
    services, wanted = request.app[SERVICES], decode(await request.read(), Code)
    async with services.database.transaction(caller.retailer_id) as connection:
        known = await connection.fetchrow(SQL["user_secrets"], caller.retailer_id, caller.user_id)
        kept = known["totp_secret"] if known else None
        step = None
        if known and kept and caller.user_id:
            secret = totp.opened(kept, known["sealing_key"], caller.user_id)
            step = totp.step_of(secret, wanted.code.replace(" ", ""), services.clock.now_us())
        who = (caller.retailer_id, caller.user_id)
        if step is None or not await connection.fetchval(SQL["confirm_totp"], *who, kept):
            raise Problem(422, "wrong_code", "this code is wrong: is the phone's clock right?", field="code")
        await connection.fetchval(SQL["use_totp_step"], *who, step)
        await _note(request, connection, caller, "totp_turned_on")
    return web.Response(status=204)


async def _note(request: web.Request, connection: Any, caller: Caller, action: str) -> None:
    now = from_us(request.app[SERVICES].clock.now_us())
    await audit.note(connection, caller.retailer_id, now, actor=caller.name, action=action)


def _session(request: web.Request, token: str, user: User) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "user_id": user.user_id,
        "email": user.email,
        "name": user.name,
        "role": user.role,
    }
    shown |= {"stores": list(user.stores) if user.role == "manager" else None, "totp": user.totp}
    tiles = request.app[SERVICES].tiles
    return {"user": shown, "csrf": csrf_token(token), "map": sorted(map_assets()), "tiles": tiles}
