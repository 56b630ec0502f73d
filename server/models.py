"""Fitted models: made from the lessons, listed, put into use and taken back. Which is in use is a setting."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import datetime
from multiprocessing import get_context

import msgspec

from offers.learn.blr import Head
from offers.learn.lesson import Outcome
from offers.learn.refit import FITTED, Figures, fit_head, refitted, rows_of
from offers.learn.stored import stored
from server.db import Connection, Database
from server.errors import BadUse, VicinoError
from server.ids import new_id
from server.learners import NEVER, learned, unpack_lesson
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
    if model is not None and await connection.fetchrow(SQL["model"], retailer_id, model) is None:
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
    database: Database, retailer_id: str, *, on_head: Callable[[int, int], None] = lambda _, __: None
) -> Model:
    """Fits a model to all lessons until now, each head in a process of its own, and keeps it.

    Raises UnknownRetailer, NothingLearned, BadUse (the journal is in Kafka).
    """
    async with database.transaction(retailer_id, snapshot=True) as connection:
        await current_version(connection, retailer_id)
        if await number_of_parts(connection):
            raise BadUse("models are fitted only where the journal is in PostgreSQL: see docs/why.md")
        learner, _, _ = await learned(connection, (retailer_id, WHOLE.number), NEVER)
        rows = await connection.fetch(SQL["outcomes"], retailer_id)
    if learner is None:
        raise NothingLearned(
            'nothing was learned yet: set "policy": "learn", and let decisions be made and answered'
        )
    read = [(row["shopper_id"], unpack_lesson(row["lesson"])) for row in rows]
    lessons = [(who, one) for who, one in read if isinstance(one, Outcome)]
    heads: dict[str, Head | None] = {}
    figures: dict[str, Figures] = {}
    for done, (name, (head, told)) in enumerate(_each_head(stored(learner), lessons), start=1):
        heads[name], figures[name] = head, told
        on_head(done, len(FITTED))
    model_id, as_of = new_id("mdl"), max((row["seq"] for row in rows), default=0)
    packed, told_figures = stored(refitted(learner, heads)), msgspec.to_builtins(figures)
    async with database.transaction(retailer_id) as connection:
        await connection.execute(SQL["add_model"], retailer_id, model_id, as_of, packed, told_figures)
        return next(one for one in await models(connection, retailer_id) if one.model == model_id)


def _each_head(
    learner: bytes, lessons: Sequence[tuple[str, Outcome]]
) -> Iterator[tuple[str, tuple[Head | None, Figures]]]:
    """The fits as they end, by head."""
    with ProcessPoolExecutor(max_workers=len(FITTED), mp_context=get_context("spawn")) as pool:
        fits = {pool.submit(fit_head, name, rows_of(name, lessons), learner): name for name in FITTED}
        for fit in as_completed(fits):
            yield fits[fit], fit.result()
