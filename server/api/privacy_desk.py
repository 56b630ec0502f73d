"""The privacy desk: finding a shopper who asks for her rights, a copy, erasure. Each look needs a reason, and
is in the audit log before anything is told, by the keyed hash of who she is.
"""

from typing import Annotated, Literal

import msgspec
from aiohttp import web

from offers.consent import consents_body
from server.accounts import audit
from server.api.rights import copy_of
from server.api.route import SERVICES, json_answer
from server.auth import Caller
from server.clock import from_us, to_us
from server.people import record_of, secret_of, user_hash
from server.privacy.consents import history
from server.privacy.erase import subject_hash
from server.privacy.erasing import ask
from server.problems import Problem
from server.sql import queries
from server.wire import Text, decode, rfc3339

SQL = queries("console")

Reason = Annotated[str, msgspec.Meta(min_length=10, max_length=500, pattern=r"^[^\x00]+$")]


class Look(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to find, and why."""

    by: Literal["user_id", "device_id", "shopper_id"]
    value: Text
    reason: Reason


async def look_up(request: web.Request, caller: Caller) -> web.Response:
    """What is kept of a shopper, in counts, and what she permitted: never where she was."""
    services, shopper_id = request.app[SERVICES], await _found(request, caller, "looked_up")
    record = await record_of(services.database, caller.retailer_id, shopper_id)
    async with services.database.transaction(caller.retailer_id) as connection:
        row = await connection.fetchrow(SQL["kept_of"], caller.retailer_id, shopper_id)
    assert row is not None, "counts are always there"
    kept = {name: rfc3339(to_us(value)) if hasattr(value, "tzinfo") else value for name, value in row.items()}
    return json_answer(
        {
            "shopper_id": shopper_id,
            "kept": kept,
            "consents": consents_body(record.shopper.consents, services.clock.now_us()),
            "consent_history": await history(services.database, caller.retailer_id, shopper_id),
        }
    )


async def copy(request: web.Request, caller: Caller) -> web.Response:
    """A copy of everything that is kept of her, as a ZIP."""
    services, shopper_id = request.app[SERVICES], await _found(request, caller, "copied")
    return await copy_of(services, caller.retailer_id, shopper_id)


async def erase(request: web.Request, caller: Caller) -> web.Response:
    """Erases her, for good; answers the receipt."""
    services, shopper_id = request.app[SERVICES], await _found(request, caller, "erased")
    erasure_id = await ask(services.database, services.clock, caller.retailer_id, shopper_id, "operator")
    told = await services.engine.erase(caller.retailer_id, erasure_id)
    services.auth.forget_shopper(caller.retailer_id, shopper_id)
    return json_answer(told)


async def _found(request: web.Request, caller: Caller, action: str) -> str:
    """The shopper that the body names. The look is noted, also where nobody is found. Raises Problem 404."""
    services, wanted = request.app[SERVICES], decode(await request.read(), Look)
    hashed = None
    if wanted.by == "user_id":
        hashed = await user_hash(services.database, caller.retailer_id, wanted.value)
    secret = await secret_of(services.database, caller.retailer_id)
    async with services.database.transaction(caller.retailer_id) as connection:
        shopper_id: str | None = await connection.fetchval(
            SQL[f"shopper_by_{wanted.by}"], caller.retailer_id, hashed or wanted.value
        )
        await audit.note(
            connection,
            caller.retailer_id,
            from_us(services.clock.now_us()),
            actor=caller.name,
            action=action,
            subject=f"shopper {subject_hash(secret, shopper_id).hex()[:16]}" if shopper_id else "nobody",
            by=wanted.by,
            reason=wanted.reason,
        )
    if shopper_id is None:
        raise Problem(404, "unknown_shopper", "nobody is known by that", field="value")
    return shopper_id
