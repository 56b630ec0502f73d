"""The simulated town: what it is like, that it can be repeated, and that nobody sees its truth."""

import ast

import numpy as np
import pytest

from offers.evaluate.lift import lift
from offers.learn.heads import Priors
from offers.learn.learner import Learner
from offers.simulator.policies import Deepest, HeldOut, Learning, Never, capture, oracle
from offers.simulator.run import NEW_STORE, Conditions, Score, World, run
from tests.support import REPOSITORY


@pytest.fixture(scope="module")
def world() -> World:
    return World(5, Conditions(moments=400))


@pytest.fixture(scope="module")
def never(world: World) -> Score:
    return run(world, Never())


@pytest.fixture(scope="module")
def best(world: World) -> Score:
    return oracle(world)


def imports(path: str) -> set[str]:
    tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
    return {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)} | {
        name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    }


#: Runs policies in the town for the command `simulate`; nothing but that imports it.
ALLOWED = "server/simulation/decisions.py"


def test_nothing_that_decides_imports_the_simulator() -> None:
    folders = ("offers", "server", "geo", "notifications")
    paths = [
        str(p.relative_to(REPOSITORY)) for folder in folders for p in (REPOSITORY / folder).rglob("*.py")
    ]
    outside = [path for path in paths if not path.startswith("offers/simulator/")]
    assert len(outside) > 100
    assert [p for p in outside if any(name.startswith("offers.simulator") for name in imports(p))] == [
        ALLOWED
    ]
    assert [p for p in outside if "server.simulation.decisions" in imports(p)] == ["server/cli/simulate.py"]


def test_the_hot_path_imports_no_scikit_learn() -> None:
    for path in (REPOSITORY / "offers").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        at_the_top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = [getattr(node, "module", None) or node.names[0].name for node in at_the_top]
        assert not any(str(name).startswith(("sklearn", "scipy")) for name in names), path


def test_the_oracle_gains_and_the_deepest_discount_loses(world: World, never: Score, best: Score) -> None:
    assert 1.05 < best.profit / never.profit < 1.13
    assert run(world, Deepest()).profit < 0.95 * never.profit


def test_the_same_policy_in_the_same_world_does_the_same(world: World) -> None:
    again = World(5, Conditions(moments=400))
    assert run(world, Learning(Learner())) == run(again, Learning(Learner()))


def test_where_offers_change_nothing_the_best_is_silence() -> None:
    null = World(6, Conditions(moments=200, effect=0.0))
    assert oracle(null) == run(null, Never())


def test_late_outcomes_are_learned_late(world: World) -> None:
    late = World(5, Conditions(moments=400, delay=100))
    assert run(late, Learning(Learner())) != run(world, Learning(Learner()))


def test_capture_is_0_for_silence_and_1_for_the_oracle(never: Score, best: Score) -> None:
    assert capture(never, never, best) == 0.0
    assert capture(best, never, best) == 1.0


def test_an_outcome_that_is_told_twice_is_learned_once(world: World) -> None:
    twice = World(5, Conditions(moments=400, repeated=1.0))
    assert run(twice, Learning(Learner())) == run(world, Learning(Learner()))


def test_outcomes_out_of_order_are_all_learned() -> None:
    shuffled = World(5, Conditions(moments=400, shuffled=0.5, delay=3))
    policy = Learning(Learner())
    run(shuffled, policy)
    assert len(policy.waiting) < 60, "those of the last moments are not told any more"


def test_a_new_store_is_nowhere_before_its_day_and_then_it_is() -> None:
    town = World(7, Conditions(moments=600, new_store_day=14.0))
    there = [NEW_STORE in of.near for of in town.still]
    first = there.index(True)
    assert town.events[first].day >= 14.0
    assert sum(there) > 5
    assert run(town, Learning(Learner())).sent > 0


def test_tastes_that_turn_change_what_is_wanted() -> None:
    plain, turned = World(5, Conditions(moments=400)), World(5, Conditions(moments=400, drift_day=14.0))
    same = [
        np.array_equal(one.weight, other.weight) for one, other in zip(plain.still, turned.still, strict=True)
    ]
    before = [now.day < 14.0 for now in plain.events]
    assert same == before


def test_in_a_null_world_the_lift_detector_stays_silent() -> None:
    null = World(0, Conditions(moments=5000, effect=0.0))
    held = HeldOut(Learner(Priors(uplift=1.5)), 0.5, 0)
    run(null, held)
    known = lift(*held.sides())
    assert known is not None
    assert not known.certain


def test_nobody_of_the_holdout_is_pushed(world: World) -> None:
    held = HeldOut(Learner(), 1.0, 5)
    assert run(world, held).sent == 0
    assert held.rows
