"""The phones' own software, each spoken to in its own language: pure translators, one module a client.

A translator makes a request (`Asked`) into what it says (`Heard`), and what there is to answer into bytes
(`Reply`). What decides whether a phone keeps working is the answer: `docs/apps/` says what each client needs.
"""

from collections.abc import Callable

import msgspec

from server.clients import overland, owntracks, radar, traccar, transistorsoft
from server.clients.heard import Asked, Heard, Reply
from server.clients.regions import Change


class Client(msgspec.Struct, frozen=True):
    """One client's language."""

    hear: Callable[[Asked], Heard]
    answer: Callable[[Heard, Change], Reply]


#: By the name in the address `/v1/ingest/{client}/{key}`.
INGEST = {
    "owntracks": Client(owntracks.hear, owntracks.answer),
    "overland": Client(overland.hear, overland.answer),
    "traccar": Client(traccar.hear, traccar.answer),
    "transistorsoft": Client(transistorsoft.hear, transistorsoft.answer),
}
RADAR = Client(radar.hear, radar.answer)
