"""Shoppers' keys: what an edge seals with, and an engine opens with. They are in PostgreSQL. An edge
remembers those that it asked for until it hears of an erasure, an engine for less than a minute.
"""

import os
from collections.abc import Collection, Iterable, Mapping
from time import monotonic
from typing import Any

import msgspec

from server.clock import Clock, from_us
from server.db import Database
from server.kafka.parcel import Key, Parcel, Sealed, opened, unpack_sealed
from server.sql import queries

SQL = queries("kafka")

#: So long at least, and twice as long at most, by subject; by shopper one hears of her erasure.
BY_SUBJECT_S, BY_SHOPPER_S = 25.0, 1800.0
REMEMBERED_MOST = 100_000  #: and twice as many
KEY_BYTES, SUBJECT_BYTES = 32, 16


class Opened(msgspec.Struct, frozen=True, gc=False):
    """A record of the topic, and what is in it."""

    offset: int
    value: bytes
    sealed: Sealed | None  #: None: it cannot be read at all
    parcel: Parcel | None = None  #: None: what it was sealed with is gone
    key: Key | None = None  #: what it was sealed with, and its answer shall be
    trouble: str = ""  #: why it cannot be read


class _Remembered:
    """What was looked up lately, by name."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._newer: dict[Any, Key] = {}
        self._older: dict[Any, Key] = {}
        self._turned = monotonic()

    def get(self, name: Any) -> Key | None:
        since_s = monotonic() - self._turned
        if since_s > self._seconds or len(self._newer) >= REMEMBERED_MOST:
            # Where nobody has asked for as long again, all of them are too old.
            self._older = self._newer if since_s < 2 * self._seconds else {}
            self._newer, self._turned = {}, monotonic()
        return self._newer.get(name) or self._older.get(name)

    def put(self, name: Any, key: Key) -> None:
        self._newer[name] = key

    def drop(self, name: Any) -> None:
        self._newer.pop(name, None)
        self._older.pop(name, None)


class Keys:
    """Of one process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._by_shopper = _Remembered(BY_SHOPPER_S)
        self._by_subject = _Remembered(BY_SUBJECT_S)

    async def of_shopper(self, retailer_id: str, shopper_id: str) -> Key | None:
        """What her inputs are sealed with, made where there is none yet. None: she was erased."""
        name = (retailer_id, shopper_id)
        if (key := self._by_shopper.get(name)) is None:
            made = os.urandom(SUBJECT_BYTES), os.urandom(KEY_BYTES), from_us(self._clock.now_us())
            async with self._database.transaction(retailer_id) as connection:
                row = await connection.fetchrow(SQL["key_of_shopper"], *name, *made)
            if row is None:
                return None
            key = Key(row["subject"], row["key"])
            self._by_shopper.put(name, key)
        return key

    def forget(self, retailer_id: str, shopper_id: str) -> None:
        """It may be gone."""
        self._by_shopper.drop((retailer_id, shopper_id))

    def forget_all(self) -> None:
        """Any may be gone."""
        self._by_shopper = _Remembered(BY_SHOPPER_S)

    async def open(self, records: Iterable[Any]) -> list[Opened]:
        """Records of the topic, opened as far as their keys are there. Raises DatabaseError."""
        found = [_read(record) for record in records]
        keys: dict[tuple[str, bytes], Key] = {}
        wanted: dict[str, set[bytes]] = {}
        for sealed in (one.sealed for one in found if one.sealed is not None and one.sealed.subject):
            name = (sealed.retailer_id, sealed.subject)
            if name not in keys and (key := self._by_subject.get(name)) is not None:
                keys[name] = key
            elif name not in keys:
                wanted.setdefault(sealed.retailer_id, set()).add(sealed.subject)
        for retailer_id, subjects in wanted.items():
            for key in await self._looked_up(retailer_id, subjects):
                keys[retailer_id, key.subject] = key
                self._by_subject.put((retailer_id, key.subject), key)
        return [_opened(one, keys) for one in found]

    async def _looked_up(self, retailer_id: str, subjects: Collection[bytes]) -> list[Key]:
        async with self._database.transaction(retailer_id) as connection:
            rows = await connection.fetch(SQL["keys_of_subjects"], retailer_id, list(subjects))
        return [Key(row["subject"], row["key"]) for row in rows]


def _opened(one: Opened, keys: Mapping[tuple[str, bytes], Key]) -> Opened:
    if one.sealed is None:
        return one
    key = keys.get((one.sealed.retailer_id, one.sealed.subject))
    try:
        parcel = opened(one.sealed, key)
    except (msgspec.DecodeError, TypeError) as error:
        return _unread(one.offset, one.value, error)
    return msgspec.structs.replace(one, parcel=parcel, key=key)


def _read(record: Any) -> Opened:
    value = record.value or b""
    try:
        return Opened(record.offset, value, unpack_sealed(value))
    except (msgspec.DecodeError, TypeError) as error:
        return _unread(record.offset, value, error)


def _unread(offset: int, value: bytes, error: Exception) -> Opened:
    return Opened(offset, value, None, trouble=f"{type(error).__name__}: {error}")
