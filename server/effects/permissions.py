"""Writes what shoppers permit: the trail of their answers; and at once what a withdrawal undoes."""

from collections.abc import Iterable, Iterator
from typing import Any

from offers.consent import CONSENT_US, Consent, Purpose
from server.clock import from_us
from server.db import Connection
from server.inputs import Input, RegisterDevice, SetConsents, SetPreferences
from server.outbox import withdraw
from server.sql import queries
from server.writes import columns

SQL = queries("privacy")

#: Without each of these no push may be sent.
SENDING: tuple[Purpose, ...] = ("push", "nearby_offers")


async def save_permissions(connection: Connection, retailer_id: str, inputs: Iterable[Input]) -> None:
    """The answers of a batch, and what follows from those that withdraw or tighten."""
    inputs = list(inputs)
    answered = [i for i in inputs if isinstance(i, SetConsents | RegisterDevice) and i.consents]
    if answered:
        await connection.execute(SQL["add_consent_changes"], retailer_id, *columns(_rows(answered)))
    for shopper_id, reason in stopped(inputs).items():
        await withdraw(connection, [shopper_id], reason)
    if unseen := {i.shopper_id for i in answered if _withdraws(i, "nearby_offers")}:
        await connection.execute(SQL["forget_where"], retailer_id, list(unseen))


def stopped(inputs: Iterable[Input]) -> dict[str, str]:
    """The shoppers whose waiting pushes are withdrawn by the batch, each with the reason. Pure.

    A change of limits stops them too: they were judged by the earlier ones. They stay in the inbox.
    """
    reasons: dict[str, str] = {}
    for item in inputs:
        if isinstance(item, SetPreferences):
            reasons.setdefault(item.shopper_id, "preferences")
        elif isinstance(item, SetConsents | RegisterDevice) and _withdraws(item, *SENDING):
            reasons[item.shopper_id] = "no_consent"
    return reasons


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
