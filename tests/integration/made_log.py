"""A made-up decision log, written straight into the tables: evidence needs more of it than a story makes."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np

from server.cli.retailer import create_retailer
from server.db import Connection, Database

START = datetime(2026, 11, 2, 12, tzinfo=UTC)
END = START + timedelta(days=14)


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """One decision and what came of it."""

    shopper: int
    at: datetime
    store: str = "shoes-1"
    offer: str | None = "trainers-15"
    held: bool = False
    visited: bool = False
    redeemed: bool = False
    reasons: tuple[str, ...] = ()
    propensities: dict[str, float] | None = None  #: of the policy `learn`; "" is silence


async def retailer(database: Database, holdout: float = 0.0) -> str:
    """A retailer's id."""
    return (await create_retailer(database, "Evidence", {"holdout": holdout}))["retailer_id"]


def log(seed: int, *, holdout: float, spoken: float, silent: float, shoppers: int = 1500) -> list[Made]:
    """Four moments a shopper on four days, with these chances of a visit; shoppers differ."""
    random = np.random.default_rng(seed)
    made = []
    for shopper in range(shoppers):
        held, keen = bool(random.uniform() < holdout), random.gamma(4.0, 0.25)
        for day in range(4):
            visited = bool(random.uniform() < keen * (silent if held else spoken))
            made.append(
                Made(
                    shopper=shopper,
                    at=START + timedelta(days=2 * day, minutes=shopper % 60),
                    held=held,
                    visited=visited,
                    redeemed=visited and not held and bool(random.uniform() < 0.5),
                )
            )
    return made


async def write(database: Database, retailer_id: str, made: Iterable[Made]) -> None:
    """Puts it where the pipeline puts it."""
    rows = [(f"dec_{number}", one) for number, one in enumerate(made)]
    async with database.transaction(retailer_id) as connection:
        await _decisions(connection, retailer_id, rows)
        offers = [(name, one) for name, one in rows if not one.held and one.offer is not None]
        await _offers(connection, retailer_id, offers)
        await connection.executemany(
            "INSERT INTO visits VALUES ($1, $2, 'door', $3, $4, $5, $6, NULL) ON CONFLICT DO NOTHING",
            [
                (retailer_id, f"dev_{one.shopper}", one.at, f"shp_{one.shopper}", one.store, one.at + MINUTE)
                for _, one in rows
                if one.visited
            ],
        )


MINUTE = timedelta(minutes=1)


async def _decisions(connection: Connection, retailer_id: str, rows: list[tuple[str, Made]]) -> None:
    await connection.executemany(
        """INSERT INTO decisions (retailer_id, decision_id, moment_id, shopper_id, device_id, store, outcome,
             offer, reasons, decided_at, version, journal_seq, receipt)
           VALUES ($1, $2, $2, $3, $4, $5, $6, $7, $8, $9, 1, 1, $10)""",
        [
            (
                *(retailer_id, name, f"shp_{one.shopper}", f"dev_{one.shopper}", one.store),
                "silence" if one.held or one.offer is None else "offer",
                None if one.held else one.offer,
                ["holdout"] if one.held else list(one.reasons),
                one.at,
                receipt(one),
            )
            for name, one in rows
        ],
    )


def receipt(one: Made) -> dict[str, Any]:
    """As much of it as evidence reads."""
    looked = {"kind": "view", "sku": "T-1", "at": (one.at - timedelta(hours=2)).isoformat(), "level": 1.0}
    told: dict[str, Any] = {
        "moment": {"evidence": [looked]},
        "policy": "rules" if one.propensities is None else "learn",
        "propensity": 1.0,
    }
    if one.held:
        told["ghost"] = {"offer": one.offer}
    if one.propensities is not None:
        arms = [{"offer": name or None, "propensity": p} for name, p in one.propensities.items()]
        told |= {"judgement": {"shadow": False, "propensities": arms}}
        told["propensity"] = one.propensities[one.offer or ""]
    return told


async def _offers(connection: Connection, retailer_id: str, rows: list[tuple[str, Made]]) -> None:
    await connection.executemany(
        """INSERT INTO coupons (retailer_id, code_hash, decision_id, shopper_id, offer, store, status, spend,
             discount, issued_at, expires_at, redeemed_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, 9, '{}', $8, $9, $10)""",
        [
            (
                *(retailer_id, name.encode(), name, f"shp_{one.shopper}", one.offer, one.store),
                *("redeemed" if one.redeemed else "expired", one.at, one.at + 30 * MINUTE),
                one.at + 10 * MINUTE if one.redeemed else None,
            )
            for name, one in rows
        ],
    )
    await connection.executemany(
        """INSERT INTO outbox (retailer_id, push_id, decision_id, shopper_id, device_id, store, item, state,
             due_at, received_at, decided_at, accepted_at, expires_at)
           VALUES ($1, $2, $2, $3, $4, $5, '{}', 'sent', $6, $6, $6, $7, $6)""",
        [
            (
                *(retailer_id, name, f"shp_{one.shopper}", f"dev_{one.shopper}", one.store),
                *(one.at, one.at + timedelta(milliseconds=40)),
            )
            for name, one in rows
        ],
    )
