"""The phones behind the stand-in FCM: what arrives, and what their owners see. Pure state.

The app on the phone remembers the push ids it has shown, as Vicino's clients are asked to; the system
replaces a shown notification by a later one of the same tag.
"""

from msgspec import Struct


class Delivery(Struct, frozen=True, kw_only=True):
    """A message that FCM accepted for a phone."""

    message_name: str
    accepted_at_us: int
    expires_at_us: int
    title: str
    body: str
    #: The data map.
    data: dict[str, str]
    #: Android's notification tag.
    tag: str | None
    collapse_key: str | None

    @property
    def push_id(self) -> str | None:
        return self.data.get("push_id")

    @property
    def recalls(self) -> str | None:
        """The push that this message takes back; it shows nothing itself."""
        return self.data.get("recalls")


class Phone:
    """One phone, online until it is taken offline."""

    def __init__(self, address: str) -> None:
        self.address = address
        #: Everything that FCM accepted for it, in order, shown or not.
        self.accepted: list[Delivery] = []
        #: Every notification that appeared on the screen, in order: what the owner noticed.
        self.appeared: list[Delivery] = []
        #: The pushes that were taken back, in order, whether they had been shown or not.
        self.taken_back: list[str] = []
        #: Messages that ended in FCM's queue while the phone was offline.
        self.expired: list[Delivery] = []
        self._shown: dict[str, Delivery] = {}
        self._known_push_ids: set[str] = set()
        self._queue: list[Delivery] = []
        self._online = True
        self._untagged = 0

    @property
    def shown(self) -> list[Delivery]:
        """The notifications on the screen now, the oldest first."""
        return list(self._shown.values())

    def accept(self, delivery: Delivery) -> None:
        """FCM takes a message over for this phone, and delivers it at once if it can."""
        if delivery.recalls is None:
            self.accepted.append(delivery)
        if self._online:
            self._arrive(delivery, now_us=delivery.accepted_at_us)
            return
        if delivery.collapse_key is not None:
            # Only the last of each collapse key waits.
            self._queue = [one for one in self._queue if one.collapse_key != delivery.collapse_key]
        self._queue.append(delivery)

    def go_offline(self) -> None:
        """Messages wait in FCM's queue from now on."""
        self._online = False

    def go_online(self, *, now_us: int) -> None:
        """What waited arrives, unless its time to live has passed."""
        self._online = True
        waiting, self._queue = self._queue, []
        for delivery in waiting:
            self._arrive(delivery, now_us=now_us)

    def dismiss(self, tag: str) -> None:
        """The owner swipes a notification away. Its push id stays known."""
        self._shown.pop(tag, None)

    def _arrive(self, delivery: Delivery, *, now_us: int) -> None:
        # A time to live of 0 means: now or never.
        if now_us > delivery.expires_at_us:
            self.expired.append(delivery)
            return
        if delivery.recalls is not None:
            self._take_back(delivery.recalls)
            return
        push_id = delivery.push_id
        if push_id is not None:
            if push_id in self._known_push_ids:
                return
            self._known_push_ids.add(push_id)
        self._untagged += 1
        tag = delivery.tag if delivery.tag is not None else f"untagged-{self._untagged}"
        self._shown.pop(tag, None)
        self._shown[tag] = delivery
        self.appeared.append(delivery)

    def _take_back(self, push_id: str) -> None:
        """The app removes what the push shows; had it not arrived yet, it will not be shown."""
        self._known_push_ids.add(push_id)
        self._shown = {tag: one for tag, one in self._shown.items() if one.push_id != push_id}
        self.taken_back.append(push_id)
