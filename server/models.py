"""Fitted models: made from the lessons, listed, put into use and taken back. Which is in use is a setting."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from multiprocessing import active_children, get_context

import msgspec

from offers.learn.blr import Head
from offers.learn.lesson import Outcome
from offers.learn.refit import FITTED, Figures, fit_head, refitted, rows_of
from offers.learn.stored import stored
from server.db import Connection, Database
from server.errors import BadUse, VicinoError
from server.ids import new_id
from server.learners import again, unpack_lesson
from server.parts import WHOLE, number_of_parts
from server.publish import current_settings, current_version, publish_settings
from server.sql import queries

SQL = queries("learning")


class NothingLearned(VicinoError):  # noqa: N818 - it names what was found
    """There is nothing that a model could be fitted to."""


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A fitted model."""

    model: str
    created_at: datetime
    as_of: int  #: the journal entry up to which it has read lessons
    active: bool
    heads: dict[str, Figures]  #: what the fit was worth


async def models(connection: Connection, retailer_id: str) -> list[Model]:
    """The newest first. Raises UnknownRetailer."""
    active = await active_model(connection, retailer_id)
    return [
        Model(
            model=row["model_id"],
            created_at=row["created_at"],
            as_of=row["as_of"],
            active=row["model_id"] == active,
            heads=msgspec.convert(row["figures"], dict[str, Figures]),
        )
        for row in await connection.fetch(SQL["models"], retailer_id)
    ]


async def active_model(connection: Connection, retailer_id: str) -> str | None:
    """The model that is to be used; None: the priors. Raises UnknownRetailer."""
    await current_version(connection, retailer_id)
    model: str | None = (await current_settings(connection, retailer_id)).get("model")
    return model


async def activate(connection: Connection, retailer_id: str, model: str | None) -> None:
    """Publishes that the model (None: the priors) is to be used. Raises BadUse, UnknownRetailer."""
    if model is not None and await connection.fetchval(SQL["has_model"], retailer_id, model) is False:
        raise BadUse(
            f"there is no model {model}: ./vicino model list --retailer {retailer_id} tells which are"
        )
    await publish_settings(connection, retailer_id, {"model": model})


async def roll_back(connection: Connection, retailer_id: str) -> str | None:
    """Puts the model into use that was so before the present one; which that is (None: the priors)."""
    active = await active_model(connection, retailer_id)
    row = await connection.fetchrow(SQL["model_before"], retailer_id, active)
    if row is None:
        raise BadUse("no other model was in use before: there is nothing to go back to")
    await activate(connection, retailer_id, row["model"])
    former: str | None = row["model"]
    return former


async def fit_model(
    database: Database,
    retailer_id: str,
    now: datetime,
    *,
    on_head: Callable[[int, int], None] = lambda _, __: None,
) -> Model:
    """Fits a model to all lessons that are left, each head in a process of its own, and keeps it.

    Raises UnknownRetailer, NothingLearned, BadUse (the journal is in Kafka).
    """
    async with database.transaction(retailer_id, snapshot=True) as connection:
        await current_version(connection, retailer_id)
        if await number_of_parts(connection):
            raise BadUse("models are fitted only where the journal is in PostgreSQL: see docs/why.md")
        learner = await again(connection, (retailer_id, WHOLE.number))
        rows = await connection.fetch(SQL["outcomes"], retailer_id)
    if learner is None:
        raise NothingLearned(
            'nothing was learned yet: set "policy": "learn", and let decisions be made and answered'
        )
    read = [(row["shopper_id"], unpack_lesson(row["lesson"])) for row in rows]
    lessons = [(who, one) for who, one in read if isinstance(one, Outcome)]
    fits = await _fits(stored(learner), lessons, on_head)
    heads = {name: head for name, (head, _) in fits.items()}
    figures = {name: told for name, (_, told) in fits.items()}
    as_of = max((row["seq"] for row in rows), default=0)
    return await _keep(
        database, retailer_id, now, {WHOLE.number: (as_of, stored(refitted(learner, heads)))}, figures
    )


async def make_again(database: Database, retailer_id: str, now: datetime) -> str | None:
    """Makes the model in use again from the lessons that are left, and puts it into use; its id, None where
    nothing was ever learned. A fitted one is fitted again; else what was learned since the priors is.
    """
    async with database.transaction(retailer_id, snapshot=True) as connection:
        active = await active_model(connection, retailer_id)
        former = await connection.fetchrow(SQL["model"], retailer_id, active, WHOLE.number)
        made: dict[int, tuple[int, bytes]] = {}
        if former is None or not former["figures"]:
            for row in await connection.fetch(SQL["learning_parts"], retailer_id):
                if (learner := await again(connection, (retailer_id, row["part"]))) is not None:
                    made[row["part"]] = row["as_of"], stored(learner)
            if not made:
                return None
    model = (
        await _keep(database, retailer_id, now, made, {})
        if made
        else await fit_model(database, retailer_id, now)
    )
    async with database.transaction(retailer_id) as connection:
        await activate(connection, retailer_id, model.model)
    return model.model


async def _keep(
    database: Database,
    retailer_id: str,
    now: datetime,
    made: Mapping[int, tuple[int, bytes]],
    figures: Mapping[str, Figures],
) -> Model:
    """Keeps a model: by part, the entry as of which, and the learner."""
    model_id, told = new_id("mdl"), msgspec.to_builtins(figures)
    async with database.transaction(retailer_id) as connection:
        for part, (as_of, learner) in made.items():
            arguments = (retailer_id, model_id, part, now, as_of, learner, told)
            await connection.execute(SQL["add_model"], *arguments)
        return next(one for one in await models(connection, retailer_id) if one.model == model_id)


async def _fits(
    learner: bytes, lessons: Sequence[tuple[str, Outcome]], on_head: Callable[[int, int], None]
) -> dict[str, tuple[Head | None, Figures]]:
    """What each head's fit comes to, each in a process of its own; these end with whoever waits for them."""
    pool = ProcessPoolExecutor(max_workers=len(FITTED), mp_context=get_context("spawn"))
    fits: dict[str, tuple[Head | None, Figures]] = {}

    async def fitted(name: str) -> None:
        submitted = pool.submit(fit_head, name, rows_of(name, lessons), learner)
        fits[name] = await asyncio.wrap_future(submitted)
        on_head(len(fits), len(FITTED))

    try:
        async with asyncio.TaskGroup() as fitting:
            for name in FITTED:
                fitting.create_task(fitted(name))
    except BaseException:
        for child in active_children():
            child.kill()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return fits
