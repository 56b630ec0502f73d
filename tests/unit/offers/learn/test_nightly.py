"""The nightly model on made-up shoppers: what it knows of each, and what of strangers."""

from collections.abc import Iterator

import numpy as np
import pytest

from offers.learn import nightly
from offers.learn.blr import Floats, sigmoid
from offers.learn.nightly import Forest, Nightly, OwnRates, Trees, fit
from offers.learn.table import Table


def made(seed: int, shoppers: range, each: int = 12) -> tuple[Table, Floats]:
    """Everybody likes cake; beyond that each has a mood of her own, and men like cake at noon."""
    random = np.random.default_rng(seed)
    who = np.repeat(np.array(shoppers), each)
    mood = np.random.default_rng(1).normal(0, 1.5, 1000)[who]
    coupon, hour = random.choice(["cake", "soup"], len(who)), random.choice(["noon", "night"], len(who))
    sex = np.where(who % 2 == 0, "m", "f")
    eta = mood + 1.5 * (coupon == "cake") + 2.0 * ((sex == "m") & (coupon == "cake") & (hour == "noon")) - 1.5
    happened = (random.uniform(size=len(who)) < sigmoid(eta)).astype(np.float64)
    table = Table.of(
        {"coupon": coupon.tolist(), "hour": hour.tolist(), "sex": sex.tolist()},
        context=("coupon", "hour"),
        shopper=[f"s{one}" for one in who],
    )
    return table, happened


@pytest.fixture(scope="module", autouse=True)
def fewer_trees() -> Iterator[None]:
    """As many as these few rows need."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nightly, "BOOSTED", 40)
        patch.setattr(nightly, "GROWN", 30)
        yield


@pytest.fixture(scope="module")
def model(fewer_trees: None) -> Nightly:
    del fewer_trees
    return fit(*made(0, range(80)))


def loss(model: Nightly, table: Table, happened: Floats) -> float:
    chance = sigmoid(model.logits(table))
    return float(-np.log(np.where(happened == 1.0, chance, 1.0 - chance)).mean())


def test_of_known_shoppers_it_knows_more_than_of_strangers(model: Nightly) -> None:
    known, strangers = made(2, range(80)), made(2, range(500, 580))
    assert loss(model, *known) < loss(model, *strangers) - 0.05


def test_of_strangers_it_knows_more_than_the_mean(model: Nightly) -> None:
    table, happened = made(3, range(500, 700))
    mean = happened.mean()
    assert loss(model, table, happened) < -(mean * np.log(mean) + (1 - mean) * np.log(1 - mean)) - 0.03


def test_what_it_says_is_about_as_likely_as_it_says(model: Nightly) -> None:
    for shoppers in (range(80), range(500, 700)):
        table, happened = made(4, shoppers)
        assert abs(float(sigmoid(model.logits(table)).mean() - happened.mean())) < 0.06


def test_texts_that_it_never_saw_are_no_trouble(model: Nightly) -> None:
    strange = Table.of(
        {"coupon": ["tea"], "hour": ["dawn"], "sex": ["x"]}, context=("coupon", "hour"), shopper=["nobody"]
    )
    assert np.isfinite(model.logits(strange)).all()


def test_the_same_rows_make_the_same_trees(model: Nightly) -> None:
    """The last fit of a model is on all rows: made alone, its trees say the same."""
    rows, happened = made(0, range(80))
    table, _ = made(5, range(60, 90))
    again = Trees(rows, happened, OwnRates(rows, happened))
    assert np.array_equal(again.logits(table), model.members[1].logits(table))


def test_more_offers_than_trees_can_tell_apart_are_fitted_and_the_common_ones_stay_known() -> None:
    table, happened = made(2, range(60))
    offers = np.array([f"offer-{row}" for row in range(len(table))])
    offers[::3] = "common"
    many = Table.of(
        {**table.categories, "offer": offers.tolist()}, context=table.context, shopper=table.shopper.tolist()
    )
    rates = OwnRates(many, happened)
    for member in (Trees(many, happened, rates), Forest(many, happened, rates)):
        assert np.isfinite(member.logits(many)).all()
        assert member.coder.levels["offer"].codes(np.array(["common"]))[0] >= 0
        assert len(member.coder.levels["offer"]) < len(np.unique(offers))
