"""What travels between edges and engines: inputs one way, sealed with their shopper's key; answers the other.

A single record cannot be taken out of a topic. So nothing of a shopper is in it in the clear: her inputs are
sealed (AES-256-GCM) with a key of her own that is in PostgreSQL alone (`server/kafka/keys.py`), under a name
of that key which is random. Who is erased loses the key.
"""

import msgspec
from cryptography.exceptions import InvalidTag

from server.admit import Admitted
from server.inputs import Input, RecordFixes
from server.pings import Pings
from server.redeem import Answer, Redeem
from server.sealing import seal, unseal


class Look(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True):
    """Something was published: answer when the partition's batches are judged by it."""


class Parcel(msgspec.Struct, frozen=True, gc=False):
    """One input, and where its answer goes."""

    retailer_id: str
    item: Input | Redeem | Look
    edge: str = ""  #: that waits for an answer; empty: nobody does
    number: int = 0  #: of the answer, to that edge
    partition: int = 0  #: of the topic of answers, that the edge reads


class Key(msgspec.Struct, frozen=True, gc=False):
    """What one shopper's inputs are sealed with."""

    subject: bytes  #: by which it is found
    secret: bytes  #: 32 of them; a cipher made of it is 15 times as large, and made in a microsecond


class Sealed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A parcel as it lies in the topic."""

    retailer_id: str
    item: bytes
    subject: bytes = b""  #: of the key; empty: of nobody, and not sealed
    ping: bool = False  #: whether pings are counted with it in the journal's rows
    edge: str = ""
    number: int = 0
    partition: int = 0


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One answer; an empty one to an input that was put aside."""

    admitted: Admitted | None = None
    answer: Answer | None = None  #: to a till
    elsewhere: bool = False  #: she is known, in another partition: ask who she is, and there
    shut: bool = False  #: what it was sealed with is gone


class Reply(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An answer as it lies in the topic: sealed with the key that the input was."""

    number: int  #: of the answer, to its edge
    part: int  #: whose engine says so
    told: bytes
    sealed: bool


def as_stored(item: Input) -> Input:
    """An input whose fixes are as the journal has them, not as they came over the wire."""
    if not isinstance(item, RecordFixes):
        return item
    return Pings.of([item]).listed()[0]


_encoder = msgspec.msgpack.Encoder()
_items = msgspec.msgpack.Decoder(Input | Redeem | Look)
_sealed = msgspec.msgpack.Decoder(Sealed)
_told = msgspec.msgpack.Decoder(Told)
_replies = msgspec.msgpack.Decoder(list[Reply])


def pack_parcel(parcel: Parcel, key: Key | None = None) -> bytes:
    """A parcel sealed with its shopper's key, where it is of one."""
    packed, subject = _encoder.encode(parcel.item), b""
    if key is not None:
        packed, subject = _shut(packed, key), key.subject
    ping = isinstance(parcel.item, RecordFixes)
    where = parcel.edge, parcel.number, parcel.partition
    return _encoder.encode(Sealed(parcel.retailer_id, packed, subject, ping, *where))


def unpack_sealed(packed: bytes) -> Sealed:
    """A parcel, still sealed. Raises msgspec.DecodeError and ValidationError."""
    return _sealed.decode(packed)


def opened(sealed: Sealed, key: Key | None) -> Parcel | None:
    """The inverse of `pack_parcel`; None where it is sealed and there is no key. A ping is one of nobody
    then, and keeps its place among the others. Raises msgspec.DecodeError.
    """
    if not sealed.subject:
        return _parcel(sealed, _items.decode(sealed.item))
    if key is None:
        return _parcel(sealed, NOBODYS) if sealed.ping else None
    return _parcel(sealed, _items.decode(_open(sealed.item, key)))


NOBODYS = RecordFixes(shopper_id="", received_at_us=0, device_id="")  #: a ping that opens no more


def _parcel(sealed: Sealed, item: Input | Redeem | Look) -> Parcel:
    return Parcel(sealed.retailer_id, item, sealed.edge, sealed.number, sealed.partition)


def reply(number: int, part: int, told: Told, key: Key | None) -> Reply:
    """An answer, sealed where there is a key."""
    packed = _encoder.encode(told)
    return Reply(number, part, packed if key is None else _shut(packed, key), key is not None)


def open_told(reply: Reply, key: Key | None) -> Told:
    """The inverse. Raises msgspec.DecodeError and ValidationError."""
    return _told.decode(_open(reply.told, key) if reply.sealed and key is not None else reply.told)


def pack_replies(replies: list[Reply]) -> bytes:
    """Answers to one edge, as one record."""
    return _encoder.encode(replies)


def unpack_replies(packed: bytes) -> list[Reply]:
    """The inverse of `pack_replies`. Raises msgspec.DecodeError and ValidationError."""
    return _replies.decode(packed)


def _shut(packed: bytes, key: Key) -> bytes:
    return seal(key.secret, packed, key.subject)


def _open(shut: bytes, key: Key) -> bytes:
    try:
        return unseal(key.secret, shut, key.subject)
    except (InvalidTag, ValueError) as error:
        raise msgspec.DecodeError("it was not sealed with the key that it names") from error
