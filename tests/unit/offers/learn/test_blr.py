"""One head against what it approximates."""

import numpy as np
import pytest

from offers.learn.blr import Head, sigmoid


def head(sd: float = 1.0, **effects: float) -> Head:
    return Head(np.zeros(3), np.full(3, sd), effects)


def data(count: int = 2000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    truth = np.array([-1.0, 1.5, 0.5])
    rows = np.column_stack([np.ones(count), random.normal(size=(count, 2))])
    return rows, random.uniform(size=count) < sigmoid(rows @ truth), truth


def test_it_finds_the_weights_of_what_it_sees() -> None:
    rows, happened, truth = data()
    learned = head()
    for row, one in zip(rows, happened, strict=True):
        learned.learn(row, {}, bool(one))
    spread = np.sqrt(np.diag(learned.cov))
    assert (np.abs(learned.mean - truth) < 4 * spread).all()
    assert (spread < 0.12).all()


def test_it_ends_close_to_the_laplace_approximation_of_all_rows_at_once() -> None:
    rows, happened, _ = data(400)
    learned = head()
    for row, one in zip(rows, happened, strict=True):
        learned.learn(row, {}, bool(one))
    weights = np.zeros(3)
    for _ in range(30):
        chance = sigmoid(rows @ weights)
        curved = (rows * (chance * (1 - chance))[:, None]).T @ rows + np.eye(3)
        weights -= np.linalg.solve(curved, rows.T @ (chance - happened) + weights)
    variance = np.diag(np.linalg.inv(curved))
    assert (np.abs(learned.mean - weights) < 0.6 * np.sqrt(variance)).all()
    assert np.diag(learned.cov) == pytest.approx(variance, rel=0.25)


def test_the_covariance_stays_symmetric_and_positive() -> None:
    rows, happened, _ = data()
    learned = head(5.0, shopper=1.0)
    for number, (row, one) in enumerate(zip(1000 * rows, happened, strict=True)):
        learned.learn(row, {"shopper": str(number % 7)}, bool(one))
    assert np.array_equal(learned.cov, learned.cov.T)
    assert np.linalg.eigvalsh(learned.cov).min() > -1e-9


def test_a_weight_without_variance_stays() -> None:
    fixed = Head(np.array([0.3, 0.0, 0.0]), np.array([0.0, 1.0, 1.0]), {})
    fixed.learn(np.array([1.0, 2.0, 0.0]), {}, True)
    assert fixed.mean[0] == 0.3
    assert fixed.mean[1] > 0


def test_an_effect_is_of_whom_it_is_of() -> None:
    learned = head(0.1, shopper=1.0)
    row = np.array([1.0, 0.0, 0.0])
    for _ in range(20):
        learned.learn(row, {"shopper": "keen"}, True)
        learned.learn(row, {"shopper": "idle"}, False)
    keen, idle, other = (learned.eta(row, {"shopper": name}) for name in ("keen", "idle", "other"))
    assert idle < -1 < other < 1 < keen


def test_what_an_offset_explains_is_not_learned() -> None:
    explained, surprised = head(), head()
    for _ in range(50):
        explained.learn(np.array([1.0, 0.0, 0.0]), {}, True, offset=6.0)
        surprised.learn(np.array([1.0, 0.0, 0.0]), {}, True)
    assert explained.mean[0] < 0.2
    assert surprised.mean[0] > 2.0


@pytest.mark.parametrize("eta", [-1e4, -40.0, 0.0, 40.0, 1e4])
def test_no_logit_is_too_large(eta: float) -> None:
    learned = head()
    learned.learn(np.array([1.0, 0.0, 0.0]), {}, True, offset=eta)
    learned.learn(np.array([1.0, 0.0, 0.0]), {}, False, offset=eta)
    assert np.isfinite(learned.mean).all()
    assert np.isfinite(learned.cov).all()
