"""What a push is, and what can become of one attempt to send it.

An outcome is a value named for the next move; `notifications/outbox.py` holds the table of those moves.
"""

from typing import Literal

from msgspec import Struct

#: `fcm_web`: the registration token of a web app, which FCM reaches by web push.
AddressKind = Literal["fcm_token", "fcm_fid", "fcm_web"]
#: `recall` takes a push back that was sent: it shows nothing.
PushKind = Literal["offer", "recall"]


class PushAddress(Struct, frozen=True, kw_only=True, gc=False):
    """Where a device's pushes go. It identifies a person's phone, so it never shows in a log."""

    kind: AddressKind
    value: str
    #: As the app named it at registration: "ios", "android", …
    platform: str

    def __repr__(self) -> str:
        return f"PushAddress(kind={self.kind!r}, platform={self.platform!r})"


class Push(Struct, frozen=True, kw_only=True):
    """One push to one device. Sent again it keeps its id, so that a phone shows it once."""

    push_id: str
    #: The inbox item: id, decision_id, offer, title, body, code, expires_at, store, deep_link.
    item: dict[str, str]
    address: PushAddress
    #: From this instant on it must not arrive any more.
    expires_at_us: int
    #: Pushes with the same value replace one another, in the provider's queue and on the screen.
    collapse: str
    kind: PushKind = "offer"

    def __repr__(self) -> str:
        return f"Push(push_id={self.push_id!r}, address={self.address!r})"


class Accepted(Struct, frozen=True, kw_only=True, gc=False):
    """The provider took it over. That is not delivery."""

    #: The provider's name for the message.
    provider_id: str | None = None


class AddressGone(Struct, frozen=True, kw_only=True, gc=False):
    """No push will ever arrive at this address: forget it."""

    reason: str
    #: True where an operator should know: the address was never ours to use.
    alert: bool = False


class RetryLater(Struct, frozen=True, kw_only=True, gc=False):
    """Not taken over; the same push may pass later."""

    reason: str
    #: What the provider asked for (Retry-After) or its documentation demands; None: our own schedule.
    after_s: float | None = None
    #: Whether no other push of the project would pass until then either.
    everybody: bool = False
    #: Whether it may have gone out all the same, as some were seen to after a 5xx.
    maybe_sent: bool = False


class Ambiguous(Struct, frozen=True, kw_only=True, gc=False):
    """No answer came: it may have been taken over. Trying again is safe only under the same push id."""

    reason: str


class Misconfigured(Struct, frozen=True, kw_only=True, gc=False):
    """An operator must act: our credentials or the provider's set-up are wrong. The address is good."""

    reason: str


class PushInvalid(Struct, frozen=True, kw_only=True, gc=False):
    """The message itself is refused, now and always: our mistake. The address is good."""

    reason: str


class InboxOnly(Struct, frozen=True, kw_only=True, gc=False):
    """No push is meant to leave: the in-app inbox alone carries the offer."""

    reason: str


Outcome = Accepted | AddressGone | RetryLater | Ambiguous | Misconfigured | PushInvalid | InboxOnly
