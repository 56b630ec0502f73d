"""Writes what shoppers permit: the trail of their answers; and at once what a withdrawal undoes."""

from collections.abc import Iterable, Iterator
from typing import Any

from offers.consent import CONSENT_US, Consent, Purpose
from server.clock import from_us
from server.db import Connection
from server.inputs import Input, RegisterDevice, SetConsents, SetPreferences
from server.outbox import withdraw
from server.sql import queries

SQL = queries("privacy")

#: Without each of these no push may be sent.
SENDING: tuple[Purpose, ...] = ("push", "nearby_offers")


async def save_permissions(connection: Connection, retailer_id: str, inputs: Iterable[Input]) -> None:
    """The answers of a batch, and what follows from those that withdraw or tighten."""
    answered = [i for i in inputs if isinstance(i, SetConsents | RegisterDevice) and i.consents]
    tightened = [i for i in inputs if isinstance(i, SetPreferences)]
    if answered:
        columns = zip(*_rows(answered), strict=True)
        await connection.execute(SQL["add_consent_changes"], retailer_id, *map(list, columns))
    if stopped := {i.shopper_id for i in answered if _withdraws(i, *SENDING)}:
        await withdraw(connection, stopped, "no_consent")
    if unseen := {i.shopper_id for i in answered if _withdraws(i, "nearby_offers")}:
        await connection.execute(SQL["forget_where"], retailer_id, list(unseen))
    if changed := {i.shopper_id for i in tightened} - stopped:
        # A push was judged by her earlier limits: what has not left yet stays in the inbox.
        await withdraw(connection, changed, "preferences")


def _withdraws(item: SetConsents | RegisterDevice, *purposes: Purpose) -> bool:
    return any(purpose in item.consents and not item.consents[purpose].granted for purpose in purposes)


def _rows(answered: Iterable[SetConsents | RegisterDevice]) -> Iterator[tuple[Any, ...]]:
    for item in answered:
        told_by = item.told_by if isinstance(item, SetConsents) else "app"
        for purpose, consent in item.consents.items():
            yield (
                item.shopper_id,
                purpose,
                _status(consent, told_by),
                from_us(item.received_at_us),
                consent.text_version,
                consent.text_hash,
                consent.locale,
                from_us(consent.at_us + CONSENT_US) if consent.granted else None,
                told_by,
            )


def _status(consent: Consent, told_by: str) -> str:
    if consent.granted:
        return "granted"
    return "expired" if told_by == "clock" else "withdrawn"
