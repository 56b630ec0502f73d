"""What every provider promises; `tests/contract/test_providers.py` holds each of them to it."""

from typing import Protocol

from notifications.push import Outcome, Push


class Provider(Protocol):
    """Carries pushes to phones."""

    async def send(self, push: Push) -> Outcome:
        """One attempt to send `push`; what came of it.

        Never raises for anything the network or the provider does, and ends within the provider's attempt
        timeout. Never logs the address, the code or any text of the offer. Safe to call concurrently.
        Cancelling it leaves open whether the push was sent.
        """
        ...

    async def aclose(self) -> None:
        """Gives back connections. Attempts still under way end as Ambiguous. May be called twice."""
        ...
