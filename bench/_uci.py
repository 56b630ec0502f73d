"""UCI coupon: real people and whether they would take a coupon in a scenario (CC BY 4.0).

A respondent is not named in the data: equal answers about oneself are taken for one respondent. Rows with
equal answers of two people are taken together, which makes the known-shopper figures worse, not better."""

import csv
from pathlib import Path

import numpy as np

from offers.learn.blr import Floats
from offers.learn.table import Table

FILE = Path(__file__).resolve().parents[2] / "shared" / "data" / "offers" / "uci_coupon_dev.csv"
SCENARIO = (
    "destination", "passanger", "weather", "temperature", "time", "couponType", "expiration",
    "toCoupon_GEQ15min", "toCoupon_GEQ25min", "direction_same",
)  # fmt: skip
PERSON = (
    "gender", "age", "maritalStatus", "has_children", "education", "occupation", "income", "Bar",
    "CoffeeHouse", "CarryAway", "RestaurantLessThan20", "Restaurant20To50",
)  # fmt: skip


def load() -> tuple[Table, Floats]:
    """The file as a table, and 1 where the coupon was taken."""
    if not FILE.exists():
        raise SystemExit(f"no data at {'/'.join(FILE.parts[-4:])}: this benchmark reads UCI 603")
    with FILE.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    columns = (*SCENARIO, *PERSON)
    return Table.of(
        {name: [row[name] for row in rows] for name in columns},
        context=SCENARIO,
        shopper=["|".join(row[name] for name in (*PERSON, "cartype")) for row in rows],
    ), np.array([float(row["Y"]) for row in rows])
