"""What travels between edges and engines: inputs one way, keyed by shopper; answers the other."""

import msgspec

from server.admit import Admitted
from server.inputs import Input, RecordFixes
from server.pings import Pings
from server.redeem import Answer, Redeem


class Look(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True):
    """Something was published: answer when the partition's batches are judged by it."""


class Parcel(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One input, and where its answer goes."""

    retailer_id: str
    item: Input | Redeem | Look
    edge: str = ""  #: that waits for an answer; empty: nobody does
    number: int = 0  #: of the answer, to that edge
    partition: int = 0  #: of the topic of answers, that the edge reads


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One answer; an empty one to an input that was put aside."""

    number: int
    part: int = 0  #: whose engine says so
    admitted: Admitted | None = None
    answer: Answer | None = None  #: to a till
    elsewhere: str = ""  #: she is known, by this id, in another partition: ask there


def as_stored(item: Input) -> Input:
    """An input whose fixes are as the journal has them, not as they came over the wire."""
    if not isinstance(item, RecordFixes):
        return item
    return Pings.of([item]).listed()[0]


def key_of(retailer_id: str, shopper_id: str) -> bytes:
    """The key of a record: what is of one shopper stays in one order."""
    return f"{retailer_id}/{shopper_id}".encode()


_encoder = msgspec.msgpack.Encoder()
_parcels = msgspec.msgpack.Decoder(Parcel)
_told = msgspec.msgpack.Decoder(list[Told])


def pack_parcel(parcel: Parcel) -> bytes:
    return _encoder.encode(parcel)


def unpack_parcel(packed: bytes) -> Parcel:
    """The inverse of `pack_parcel`. Raises msgspec.DecodeError and ValidationError."""
    return _parcels.decode(packed)


def pack_told(told: list[Told]) -> bytes:
    """Answers to one edge, as one record."""
    return _encoder.encode(told)


def unpack_told(packed: bytes) -> list[Told]:
    """The inverse of `pack_told`. Raises msgspec.DecodeError and ValidationError."""
    return _told.decode(packed)
