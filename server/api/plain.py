"""Pings as most of them come, answered without a request being made of them.

A ping that has come in one piece, with plain headers, from a device whose token was seen before, goes from
its raw bytes into the lane, and its answer from the lane onto the wire. What the guard asks is asked here as
well (`server/api/guard.py`), in the same words; whatever is unusual goes the usual way. So to take a ping
costs a fraction of what it costs through aiohttp, and to refuse one next to nothing: while more comes than
can be done, what refusals cost is taken from those who are let in.
"""

import asyncio
from email.utils import formatdate
from functools import partial
from http import HTTPStatus

import msgspec

from server import crash
from server.admit import Admitted
from server.api.guard import told_of
from server.api.pings import answer_to
from server.api.route import Services
from server.auth import Caller
from server.edge.connection import Reply
from server.edge.door import busy, shed
from server.edge.framing import whole_request
from server.edge.room import Outlook
from server.edge.shedding import Left
from server.inputs import RecordFixes
from server.problems import Problem
from server.wire import Batch, decode_ping, fixes_of

_BEGINS = b"POST /v1/pings HTTP/1.1\r\n"
_TAKEN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: %b\r\nContent-Length: %d\r\n\r\n%b"
_REFUSED = (
    b"HTTP/1.1 %d %b\r\nContent-Type: application/problem+json\r\nDate: %b\r\n%bContent-Length: %d\r\n\r\n%b"
)
_SHED = (
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/problem+json\r\nDate: %b\r\n"
    b"Retry-After: %d\r\nContent-Length: %d\r\n\r\n%b%b}"
)
_SHED_BEGINS = msgspec.json.encode(shed(b"null", 0).body).removesuffix(b"null}")


class PlainPings:
    """Takes and refuses pings from their raw bytes."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._date = (0, b"")  # the second, and how HTTP writes it
        self._busy_then: tuple[bytes, dict[int, bytes]] = b"", {}  # of that second, by Retry-After

    def take(self, data: bytes, peer: str, late: bool, reply: Reply) -> bool:
        """Whether the one request in `data` is answered by `reply`, now or when it is durable; it has to be
        looked at properly where not. In an overload what is `late` is refused whatever it is worth: to find
        that out costs almost as much as taking it.
        """
        services = self._services
        if not data.startswith(_BEGINS) or (request := whole_request(data)) is None:
            return False
        caller = services.auth.known(request.credential)
        if caller is None or caller.device_id is None or caller.shopper_id is None or caller.public_key:
            return False
        if self._refused(caller, caller.device_id, request.body, late, reply):
            return True
        outlook = services.engine.outlook(caller.retailer_id, caller.shopper_id)
        if outlook is None:
            return False
        try:
            batch = decode_ping(request.body)
            if batch.rejected or not batch.records or batch.device_id not in (None, caller.device_id):
                return False
            services.door.admit_address(peer, request.forwarded)
            services.door.admit_caller(caller, counted=True, full=False)
            crash.passing("mid_body")
            ping = RecordFixes(
                shopper_id=caller.shopper_id,
                received_at_us=services.clock.now_us(),
                device_id=caller.device_id,
                fixes=batch.records,
                background=batch.background,
            )
            worth = services.door.worth(ping, outlook)
            done = services.engine.put(caller.retailer_id, ping, worth)
        except Problem as problem:
            if problem.status != HTTPStatus.TOO_MANY_REQUESTS:
                return False
            reply(self._refusal(problem))
        except Exception as error:  # noqa: BLE001 - it is told, and logged where nobody foresaw it
            reply(self._refusal(told_of(error, services.door, "POST", "/v1/pings")))
        else:
            done.add_done_callback(partial(self._answer, reply, batch, ping, outlook))
        return True

    def _refused(self, caller: Caller, device_id: str, body: bytes, late: bool, reply: Reply) -> bool:
        """Whether a ping was refused for which there is no room. No more is looked at than that takes: it is
        taken from those who are let in.
        """
        engine, door = self._services.engine, self._services.door
        if engine.full(caller.retailer_id, late=late):
            reply(self._busy())
            return True
        if not door.closed or (version := engine.sheds(caller.retailer_id)) is None:
            return False
        left = door.shedding.left_of(device_id, fixes_of(body, device_id), version)
        if left is not None:
            reply(self._shed(left))
        return left is not None

    def _answer(
        self,
        reply: Reply,
        batch: Batch,
        ping: RecordFixes,
        outlook: Outlook,
        done: "asyncio.Future[Admitted]",
    ) -> None:
        services = self._services
        try:
            body = answer_to(services, batch, ping, outlook, done.result())
        except Exception as error:  # noqa: BLE001 - as above
            reply(self._refusal(told_of(error, services.door, "POST", "/v1/pings")))
        else:
            reply(self._taken(body))

    def _taken(self, body: bytes) -> bytes:
        return _TAKEN % (self._now(), len(body), body)

    def _busy(self) -> bytes:
        """The commonest refusal, written once a second."""
        again_s, now = self._services.door.no_room_s(), self._now()
        if self._busy_then[0] is not now:
            self._busy_then = now, {}
        answers = self._busy_then[1]
        if again_s not in answers:
            answers[again_s] = self._refusal(busy(again_s))
        return answers[again_s]

    def _shed(self, left: Left) -> bytes:
        """The next commonest."""
        again_s = self._services.door.shed_s(left)
        length = len(_SHED_BEGINS) + len(left.next) + 1
        return _SHED % (self._now(), again_s, length, _SHED_BEGINS, left.next)

    def _refusal(self, problem: Problem) -> bytes:
        body = msgspec.json.encode(problem.body)
        more = "".join(f"{name}: {value}\r\n" for name, value in (problem.headers or {}).items()).encode()
        phrase = HTTPStatus(problem.status).phrase.encode()
        return _REFUSED % (problem.status, phrase, self._now(), more, len(body), body)

    def _now(self) -> bytes:
        second = self._services.clock.now_us() // 1_000_000
        if second != self._date[0]:
            self._date = second, formatdate(second, usegmt=True).encode()
        return self._date[1]
