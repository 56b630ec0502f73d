"""Who is let in: asked twice for every request, before its sender is known and before its body is read."""

import asyncio
import ipaddress
import random
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from server.auth import Caller
from server.edge.lag import LoopLag
from server.edge.limits import Buckets, Rate
from server.edge.room import Outlook, Room, Worth
from server.edge.shedding import Left, Shedding
from server.inputs import RecordFixes
from server.problems import Problem

LimitsMode = Literal["busy", "always", "off"]

RETRY_S = (1, 5)  #: callers who were refused come back spread over this time
#: The longest wait of a phone from whose safe region nothing is wanted.
UNCHANGED_S = 60.0
#: Wrong credentials from one address. Each costs a look-up, so this limit always holds.
WRONG = Rate(per_s=1.0, burst=60)
#: Failed sign-ins of a person, by where they come from and by whose account it is. These always hold, too.
SIGN_INS_OF_ADDRESS = Rate(per_s=1 / 20, burst=30)
SIGN_INS_OF_ACCOUNT = Rate(per_s=1 / 180, burst=5)


class DoorRules(msgspec.Struct, frozen=True, kw_only=True):
    """Rates by whom they hold for; None: no limit."""

    limits: LimitsMode = "busy"
    device: Rate | None = None
    key: Rate | None = None
    address: Rate | None = None
    proxies: frozenset[str] = frozenset()  #: addresses whose X-Forwarded-For is believed


class Door:
    """The limits of one process, and what its lanes have room for.

    A limit is what a caller can count on while there is too much to do. While there is not, a phone may send
    a day's backlog as fast as it likes (unless `limits` is `always`).
    """

    def __init__(
        self, rules: DoorRules, *, room: Room, lag: LoopLag, on_refused: Callable[[str], None]
    ) -> None:
        self._rules = rules
        self._room = room
        self._lag = lag
        self._on_refused = on_refused
        self._limits = {
            kind: Buckets(rate)
            for kind, rate in (("device", rules.device), ("key", rules.key), ("address", rules.address))
            if rate is not None and rules.limits != "off"
        }
        self._wrong = Buckets(WRONG)
        self._signing_in = {"address": Buckets(SIGN_INS_OF_ADDRESS), "account": Buckets(SIGN_INS_OF_ACCOUNT)}
        self.shedding = Shedding()

    @property
    def busy(self) -> bool:
        """Whether more comes than can be done."""
        return self.closed or self._lag.busy

    @property
    def closed(self) -> bool:
        """Whether a lane cannot keep up."""
        return self._room.closed > 0

    def admit_address(self, peer: str | None, forwarded: str | None) -> str | None:
        """Before anything is known of the sender but its address, which is given back. Raises Problem 429.

        `forwarded` is what X-Forwarded-For says.
        """
        address = self.address(peer, forwarded)
        if address is not None:
            wait_s = self._wrong.wait_s(address, _now_s())
            if wait_s:
                raise self.refusal(
                    "wrong_credentials", "too many wrong credentials from this address", wait_s
                )
            self._take("address", address)
        return address

    def wrong_credential(self, address: str | None) -> None:
        """Somebody at this address had none, or one that is not good."""
        if address is not None:
            self._wrong.take(address, _now_s())

    def trusts(self, peer: str | None) -> bool:
        """Whether this is a proxy of ours, whose word on how a request came to it is believed."""
        return peer in self._rules.proxies

    def admit_sign_in(self, address: str | None, account: str) -> None:
        """Before a password is looked at. Raises Problem 429 after too many failed ones."""
        for kind, name in (("account", account.strip().lower()), ("address", address or "")):
            if wait_s := self._signing_in[kind].wait_s(name, _now_s()):
                detail = f"too many failed sign-ins: try again in {max(1, round(wait_s / 60))} min"
                raise self.refusal("too_many_sign_ins", detail, wait_s)

    def wrong_sign_in(self, address: str | None, account: str) -> None:
        """A sign-in failed."""
        for kind, name in (("account", account.strip().lower()), ("address", address or "")):
            self._signing_in[kind].take(name, _now_s())

    def admit_caller(self, caller: Caller, *, counted: bool, full: bool) -> None:
        """Before the body is read. `counted`: it counts for the credential now, and not by `admit_device`;
        `full`: the caller's lane has no room. Raises Problem 429.
        """
        if counted:
            self._take_caller(caller)
        if full:
            raise self.no_room()

    def admit_device(self, caller: Caller, device_id: str | None) -> None:
        """Once it is known which of the phones that share a key it was, if it told. Raises Problem 429."""
        if device_id is None:
            self._take_caller(caller)
        else:
            self._take("device", f"{caller.retailer_id} {device_id}")

    def no_room(self) -> Problem:
        """The answer to a caller for whom there is no room."""
        return busy(self.no_room_s())

    def no_room_s(self) -> int:
        """Counts a caller for whom there is no room: when to come again."""
        return self._again_s("busy", 0.0)

    def refusal(self, code: str, detail: str, wait_s: float) -> Problem:
        """A 429 whose Retry-After is spread, so that those refused together do not come back together."""
        return _refusal(code, detail, self._again_s(code, wait_s))

    def worthless(self, ping: RecordFixes, outlook: Outlook | None) -> Left | None:
        """Of a ping from which nothing can follow, where there is no room for that: what is left of the safe
        region that says so. To send those fixes again would be as useless, to send one from beyond it not.
        """
        if outlook is None or not outlook.full or not self.closed:
            return None
        return self.shedding.what_is_left(ping, outlook)

    def worth(self, ping: RecordFixes, outlook: Outlook | None) -> Worth:
        """What a ping is worth that is not worthless."""
        if outlook is None or not self.closed or not ping.fixes:
            return Worth.MUCH
        return self.shedding.worth(ping, outlook)

    def shed(self, left: Left) -> Problem:
        """The answer to a worthless ping."""
        return shed(left.next, self.shed_s(left))

    def shed_s(self, left: Left) -> int:
        """Counts a worthless ping: when to come again."""
        return self._again_s("shed", min(left.within_s, UNCHANGED_S))

    def _take_caller(self, caller: Caller) -> None:
        if caller.kind in ("device", "app", "server", "till"):
            self._take("device" if caller.kind == "device" else "key", f"{caller.retailer_id} {caller.name}")

    def _again_s(self, code: str, wait_s: float) -> int:
        self._on_refused(code)
        return max(1, round(wait_s + random.uniform(*RETRY_S)))  # noqa: S311 - it hides nothing

    def _take(self, kind: str, name: str) -> None:
        buckets = self._limits.get(kind)
        if buckets is None:
            return
        wait_s = buckets.take(name, _now_s())
        if wait_s and (self._rules.limits == "always" or self.busy):
            detail = f"this {kind} sends more than its share: try again later, with more in one request"
            raise self.refusal(f"rate_{kind}", detail, wait_s)

    def address(self, peer: str | None, forwarded: str | None) -> str | None:
        """The sender's address; None where it is a proxy's that does not tell whose request it is."""
        if peer not in self._rules.proxies:
            return peer
        if forwarded is None:
            return None
        for hop in reversed(forwarded.split(",")):
            try:
                address = str(ipaddress.ip_address(hop.strip()))
            except ValueError:
                return None
            if address not in self._rules.proxies:
                return address
        return None


def busy(again_s: int) -> Problem:
    """The answer to a caller for whom there is no room."""
    return _refusal("busy", "more comes than can be done just now: try again in a few seconds", again_s)


def shed(told: bytes, again_s: int) -> Problem:
    """The answer to a worthless ping; `told`: when to report next, as JSON."""
    detail = "nothing can follow from these fixes; send the next one as `next` says"
    return _refusal("shed", detail, again_s, next=msgspec.Raw(told))


def _refusal(code: str, detail: str, again_s: int, **more: Any) -> Problem:
    return Problem(429, code, detail, headers={"Retry-After": str(again_s)}, **more)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
