"""A learner fitted anew knows what the nightly models know, and goes on learning."""

import numpy as np
import pytest

from offers.learn.features import NAMES, WIDTH
from offers.learn.learner import Learner
from offers.learn.lesson import Outcome, taught
from offers.learn.refit import ROWS_LEAST, fit_head, refitted, rows_of
from offers.learn.stored import restored, stored

INTEREST, FAR = NAMES.index("interest"), NAMES.index("far")


def lessons(count: int, *, seed: int = 1) -> list[tuple[str, Outcome]]:
    """Opens that follow from interest and from who she is, against what is believed beforehand."""
    random = np.random.default_rng(seed)
    told = []
    for _ in range(count):
        row = np.zeros(WIDTH)
        row[0], row[INTEREST], row[FAR] = 1.0, random.exponential(0.7), random.uniform(0, 3)
        shopper, offer = int(random.integers(40)), int(random.integers(4))
        eta = -1.5 + 2.0 * row[INTEREST] + 0.8 * (shopper % 5 - 2) + 0.4 * (offer - 1.5)
        lesson = Outcome(
            head="open",
            row=row.astype("<f8").tobytes(),
            offer=f"offer-{offer}",
            store="store",
            category="Shoes",
            effects={},
            happened=bool(random.uniform() < 1 / (1 + np.exp(-eta))),
        )
        told.append((f"shp_{shopper}", lesson))
    return told


@pytest.fixture(scope="module")
def fitted() -> Learner:
    head, figures = fit_head("open", rows_of("open", lessons(1500)), stored(Learner()))
    assert figures.fitted
    assert figures.auc["distilled"] > figures.auc["prior"] + 0.01
    assert figures.log_loss["distilled"] < figures.log_loss["prior"]
    return refitted(Learner(), {"open": head, "uplift": None})


def test_it_knows_which_feature_counts_and_how_sure_that_is(fitted: Learner) -> None:
    head, prior = fitted.heads["open"], Learner().heads["open"]
    assert head.mean[INTEREST] > prior.mean[INTEREST] + 0.3
    assert head.cov[INTEREST, INTEREST] < prior.cov[INTEREST, INTEREST]
    assert (head.cov == head.cov.T).all()


def test_a_weight_that_a_head_does_not_have_stays_out_of_it(fitted: Learner) -> None:
    absent = np.diag(Learner().heads["open"].cov) == 0.0
    assert not fitted.heads["open"].mean[absent].any()
    assert not fitted.heads["open"].cov[absent].any()


def test_offers_that_are_opened_more_have_larger_effects(fitted: Learner) -> None:
    effects = fitted.heads["open"].effects["offer"]
    assert effects.mean("offer-3") > effects.mean("offer-0")


def test_the_other_heads_stay_and_all_go_on_learning(fitted: Learner) -> None:
    assert fitted.heads["uplift"].mean.tolist() == Learner().heads["uplift"].mean.tolist()
    again = restored(stored(fitted))
    for _, lesson in lessons(5, seed=2):
        taught(again, lesson)
    assert again.lessons == fitted.lessons + 5
    assert again.heads["open"].mean.tolist() != fitted.heads["open"].mean.tolist()


def test_too_few_lessons_are_not_fitted() -> None:
    head, figures = fit_head("open", rows_of("open", lessons(ROWS_LEAST - 1)), stored(Learner()))
    assert head is None
    assert not figures.fitted
