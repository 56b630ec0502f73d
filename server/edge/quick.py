"""The guard's "not now", said of a ping's raw bytes.

While more comes than can be done, most of it is refused, and refusing must cost next to nothing: what it
costs is taken from those who are let in. So while a valve is closed, a ping that has come in one piece from
a device with a token known here is judged before any of it has become a request. Whatever is unusual about
it goes the usual way, and so does everything that is not refused.
"""

import msgspec

from server.auth import Authenticator
from server.clock import Clock
from server.edge.door import Door
from server.edge.framing import whole_request
from server.edge.room import Room
from server.engine import Engine
from server.inputs import RecordFixes
from server.problems import Problem
from server.wire import decode_ping

_BEGINS = b"POST /v1/pings HTTP/1.1\r\n"
_ANSWER = (
    b"HTTP/1.1 %d Too Many Requests\r\nContent-Type: application/problem+json\r\n"
    b"Retry-After: %s\r\nContent-Length: %d\r\n\r\n%s"
)


class Quick:
    """Judges raw requests while there is too much to do."""

    def __init__(self, door: Door, room: Room, engine: Engine, auth: Authenticator, clock: Clock) -> None:
        self._door = door
        self._room = room
        self._engine = engine
        self._auth = auth
        self._clock = clock

    def refusal(self, data: bytes) -> bytes | None:
        """The answer that refuses the one request in `data`; None where it has to be looked at properly."""
        if not self._room.closed or not data.startswith(_BEGINS):
            return None
        found = whole_request(data)
        if found is None:
            return None
        credential, body = found
        caller = self._auth.known(credential)
        if caller is None or caller.device_id is None or caller.shopper_id is None:
            return None
        try:
            if self._engine.full(caller.retailer_id):
                raise self._door.busy_refusal(
                    "more comes than can be done just now: try again in a few seconds"
                )
            self._judge(caller.retailer_id, caller.shopper_id, caller.device_id, body)
        except Problem as problem:
            return _raw(problem) if problem.status == 429 else None
        return None

    def _judge(self, retailer_id: str, shopper_id: str, device_id: str, body: bytes) -> None:
        """Raises Problem 429 for a ping that can change nothing, others for one that is wrong."""
        outlook = self._engine.outlook(retailer_id, shopper_id)
        if outlook is None or not outlook.full:
            return
        batch = decode_ping(body)
        if batch.rejected or batch.device_id is not None:
            return
        ping = RecordFixes(
            shopper_id=shopper_id,
            received_at_us=self._clock.now_us(),
            device_id=device_id,
            fixes=batch.records,
        )
        self._door.worth(ping, outlook)


def _raw(problem: Problem) -> bytes:
    body = msgspec.json.encode(problem.body)
    after = (problem.headers or {}).get("Retry-After", "1").encode()
    return _ANSWER % (problem.status, after, len(body), body)
