"""Messages of OwnTracks as most of them come, answered without a request being made of them.

The phones that run it send one fix a request, all day. A message that has come in one piece, of a device that
is known and has a position to tell and no more, goes the way of plain pings (`server/api/plain.py`); whatever
is unusual goes the usual way (`server/api/ingest.py`), through the same translator and to the same answers.
"""

import asyncio
from collections.abc import Coroutine
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Any, NamedTuple

from server.admit import Admitted
from server.api.guard import told_of
from server.api.ingest import PATH
from server.api.plain import PlainPings
from server.api.route import Services
from server.auth import Caller
from server.clients import INGEST
from server.clients.heard import Asked, Heard, Unusable
from server.clients.regions import NOTHING
from server.edge.connection import Reply
from server.edge.framing import HEADS_MOST, whole_request
from server.intake import Speaker
from server.lane import Poison

CLIENT = "owntracks"
_BEGINS = f"POST /v1/ingest/{CLIENT}/".encode()
_OWNTRACKS = INGEST[CLIENT]


class _Told(NamedTuple):
    """What a message says, and of whom."""

    speaker: Speaker
    shopper_id: str
    asked: Asked
    heard: Heard


class PlainMessages(PlainPings):
    """Takes and refuses messages, and pings, from their raw bytes."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, data: bytes, peer: str, late: bool, reply: Reply) -> bool:
        if not data.startswith(_BEGINS):
            return super().take(data, peer, late, reply)
        services, request = self._services, whole_request(data)
        if request is None or (found := _address(request.head)) is None:
            return False
        key, query, headers = found
        asked = Asked(query=query, headers=headers, body=request.body, received_at_us=services.clock.now_us())
        caller = services.auth.known(key)
        if caller is None or caller.kind not in ("app", "server"):
            return False
        if late and services.engine.full(caller.retailer_id, late=True):
            reply(self._refusal(services.door.no_room().at(503)))
            return True
        if (told := self._read(caller, asked)) is None:
            return False
        try:
            services.door.admit_address(peer, request.forwarded)
            services.door.admit_device(told.speaker.caller, told.speaker.device_id)
            done = services.intake.put(
                told.speaker, told.shopper_id, told.heard.fixes[0], asked.received_at_us
            )
        except Exception as error:  # noqa: BLE001 - it is told, and logged where nobody foresaw it
            reply(self._not_now(error))
        else:
            done.add_done_callback(partial(self._told, reply, told))
        return True

    def _read(self, caller: Caller, asked: Asked) -> _Told | None:
        """What a message says, if that is where a known device is, and nothing else."""
        services = self._services
        try:
            heard = _OWNTRACKS.hear(asked)
        except Unusable:
            return None
        if len(heard.fixes) != 1 or heard.device is None:
            return None
        if heard.refused or heard.reports or heard.waypoints:
            return None
        speaker = Speaker(caller=caller, client=CLIENT, device_id=heard.device)
        shopper_id = services.intake.known(speaker)
        if shopper_id is None or services.engine.outlook(caller.retailer_id, shopper_id) is None:
            return None
        return _Told(speaker=speaker, shopper_id=shopper_id, asked=asked, heard=heard)

    def _told(self, reply: Reply, told: _Told, done: "asyncio.Future[Admitted]") -> None:
        try:
            hint = self._services.intake.counted(done.result())
        except Poison:
            hint = b""  # it was put aside; told of it, the client would send it for ever
        except Exception as error:  # noqa: BLE001 - as above
            reply(self._not_now(error))
            return
        fix = told.heard.fixes[0]
        if hint is None or not self._services.intake.nothing_to_tell(
            told.speaker, fix, told.asked.body, hint
        ):
            self._later(self._answer_in_full(reply, told, hint))
        else:
            reply(self._taken(_OWNTRACKS.answer(told.heard, NOTHING).body))

    async def _answer_in_full(self, reply: Reply, told: _Told, hint: bytes | None) -> None:
        """The answer of a message after which there is something to tell or to look up."""
        intake, speaker, asked = self._services.intake, told.speaker, told.asked
        try:
            if hint is None:  # the device is another shopper's by now
                intake.forget(speaker.retailer_id, speaker.device_id)
                hint = await intake.take(speaker, told.heard, asked.received_at_us)
            change = await intake.regions(speaker, told.heard, asked.body, hint)
        except Exception as error:  # noqa: BLE001 - as above
            reply(self._not_now(error))
        else:
            reply(self._taken(_OWNTRACKS.answer(told.heard, change).body))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _not_now(self, error: Exception) -> bytes:
        """A refusal as this client bears it: there is no 429 (`server/api/guard.py`)."""
        problem = told_of(error, self._services.door, "POST", PATH)
        return self._refusal(problem.at(503) if problem.status == HTTPStatus.TOO_MANY_REQUESTS else problem)


@lru_cache(HEADS_MOST)
def _address(head: bytes) -> tuple[str, str, dict[str, str]] | None:
    """The key, the query and the headers of a head; None where an access token speaks beside the key."""
    line, *lines = head.decode("ascii").rstrip("\r\n").split("\r\n")
    target, _, version = line.partition(" ")[2].partition(" ")
    headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
    if version != "HTTP/1.1" or headers.get("authorization", "").lower().startswith("bearer"):
        return None
    key, _, query = target[len(_BEGINS) - len("POST ") :].partition("?")
    return key, query, headers
