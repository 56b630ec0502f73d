"""How a retailer's work stands: what waits, what was put aside, how fresh the model is, what Kafka holds."""

from aiohttp import web

from server.api.route import SERVICES, json_answer
from server.api.shapes import Aside, Backlog, Freshness, Standing
from server.auth import Caller
from server.models import models
from server.publish import current_settings
from server.sql import queries

SQL = queries("console")
_ASIDE_SHOWN = 20


async def now(request: web.Request, caller: Caller) -> web.Response:
    """As it is at this moment, all processes of the installation together."""
    services, retailer_id = request.app[SERVICES], caller.retailer_id
    async with services.database.transaction(retailer_id, snapshot=True) as connection:
        counted = await connection.fetchrow(SQL["standing"], retailer_id)
        aside = await connection.fetch(SQL["newest_aside"], retailer_id, _ASIDE_SHOWN)
        settings = await current_settings(connection, retailer_id)
        fitted = {one.model: one.created_at for one in await models(connection, retailer_id)}
    assert counted is not None
    model: str | None = settings.get("model")
    answer = Standing(
        pushes=Backlog(waiting=counted["pushes"], oldest_due_at=counted["oldest_push"]),
        webhooks=Backlog(waiting=counted["webhooks"], oldest_due_at=counted["oldest_webhook"]),
        put_aside=counted["put_aside"],
        newest_put_aside=[Aside(**row) for row in aside],
        model=Freshness(
            policy=settings.get("policy", "rules"),
            model=model,
            fitted_at=None if model is None else fitted.get(model),
            learned_at=counted["learned_at"],
        ),
        partitions=None if services.partitions is None else await services.partitions(),
    )
    return json_answer(answer)
