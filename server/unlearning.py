"""Unlearning: after an erasure what a policy has learned is made again from the lessons that are left.

    erased -> her lessons are gone -> within a day: the model in use, made again without them, takes its place

A learner follows from its lessons alone, so this is exact: it is as if hers had never been taught. What has
followed from it in turn (what others were shown meanwhile, and what was learned of that) stays.
"""

from datetime import date, timedelta

import structlog

from server.clock import Clock, from_us
from server.db import Database
from server.models import active_model, make_again
from server.privacy.erasing import UNLEARNED_WITHIN
from server.sql import queries

SQL = queries("learning")
log = structlog.get_logger("vicino.learners")

#: So long after an erasure it is begun: those of half a day are unlearned together.
AFTER = UNLEARNED_WITHIN / 2


class Unlearning:
    """Of all retailers, one at a time."""

    def __init__(self, database: Database, clock: Clock, *, journal_days: int) -> None:
        self._database = database
        self._clock = clock
        self._journal_days = journal_days
        self.busy = False

    async def sweep(self, retailer_id: str) -> None:
        """Unlearns what is due, and forgets what was learned before, but for the replay of stored days."""
        now = from_us(self._clock.now_us())
        async with self._database.transaction(retailer_id) as connection:
            active = await active_model(connection, retailer_id)
            due = await connection.fetchval(SQL["to_unlearn"], retailer_id, active, now - AFTER)
            await connection.execute(SQL["forget_former"], retailer_id, self._kept_since(now.date()))
            await connection.execute(
                SQL["forget_models"], retailer_id, active, now - timedelta(days=self._journal_days + 1)
            )
        if due and not self.busy:
            self.busy = True
            try:
                made = await make_again(self._database, retailer_id, now)
            finally:
                self.busy = False
            log.info("unlearned", retailer_id=retailer_id, model=made)

    def _kept_since(self, today: date) -> date:
        """The first day that can still be replayed."""
        return today - timedelta(days=self._journal_days)
