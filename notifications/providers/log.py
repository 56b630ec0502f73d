"""The provider without push credentials: offers stay in the in-app inbox, and the log says so."""

import structlog

from notifications.push import InboxOnly, Outcome, Push

_LOG = structlog.get_logger("vicino.push")


class LogProvider:
    """Sends nothing."""

    async def send(self, push: Push) -> Outcome:
        _LOG.info("push_kept_for_inbox", push_id=push.push_id, platform=push.address.platform)
        return InboxOnly(reason="no_provider")

    async def aclose(self) -> None:
        """Holds nothing."""
