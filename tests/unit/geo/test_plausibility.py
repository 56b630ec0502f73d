"""How plausible a track is: what speaks against it, and that nothing speaks against a real one."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.fix import SECOND_US
from geo.plausibility import JUMPS, plausibility
from geo.transition import Sighting

M = 1 / 111_320  #: degrees of latitude


def walk(
    count: int = 20, *, step_m: float = 12.0, jitter: float = 0.3, accuracies: tuple[float, ...] = ()
) -> list[Sighting]:
    """A walk northward, a fix every 10 s; `jitter` is how unevenly."""
    chance, north_m, found = random.Random(1), 0.0, []
    for number in range(count):
        north_m += step_m * (1 + chance.uniform(-jitter, jitter))
        accuracy_m = accuracies[number % len(accuracies)] if accuracies else chance.uniform(4, 30)
        found.append(
            Sighting(
                at_us=number * 10 * SECOND_US, lat_deg=60 + north_m * M, lon_deg=25.0, accuracy_m=accuracy_m
            )
        )
    return found


def codes(seen: list[Sighting], **more: object) -> list[str]:
    return [sign.code for sign in plausibility(seen, **more).signs]  # type: ignore[arg-type]


def test_nothing_speaks_against_a_walk() -> None:
    assert plausibility(walk()).score == 1.0
    assert plausibility([]).score == 1.0


def test_what_the_phone_itself_calls_made_up_is_not_plausible_at_all() -> None:
    assert plausibility(walk(), mock=True).score == 0.0


@pytest.mark.parametrize("jumps", [1, 2, 3, 4])
def test_impossible_steps_count(jumps: int) -> None:
    seen = walk()
    for number in range(jumps):  # from each of these on it is 10 km further north
        seen[4 * number + 2 :] = [
            Sighting(
                at_us=one.at_us, lat_deg=one.lat_deg + 10_000 * M, lon_deg=25.0, accuracy_m=one.accuracy_m
            )
            for one in seen[4 * number + 2 :]
        ]

    assert codes(seen) == ["impossible_speed"]
    assert plausibility(seen).score == JUMPS[min(jumps, 3) - 1]


def test_a_frozen_position_with_a_speed_counts_and_one_at_rest_does_not() -> None:
    def still(speed_mps: float) -> list[Sighting]:
        return [
            Sighting(
                at_us=n * 20 * SECOND_US, lat_deg=60.0, lon_deg=25.0, accuracy_m=5.0, speed_mps=speed_mps
            )
            for n in range(12)
        ]

    assert codes(still(3.0)) == ["frozen"]
    assert codes(still(0.0)) == []


def test_one_accuracy_throughout_counts_and_three_do_not() -> None:
    assert codes(walk(accuracies=(5.0,))) == ["one_accuracy"]
    assert codes(walk(accuracies=(5.0, 10.0, 65.0))) == []


def test_the_speed_of_a_machine_counts() -> None:
    assert codes(walk(jitter=0.0)) == ["even_steps"]


def test_a_script_that_sends_a_straight_line_is_less_plausible_than_each_of_its_signs() -> None:
    script = walk(jitter=0.0, accuracies=(5.0,))

    assert plausibility(script).score == pytest.approx(0.56)


def test_little_trust_lowers_the_score_to_half_at_most() -> None:
    assert plausibility(walk(), trust=0.0).score == 0.5
    assert plausibility(walk(), trust=1.0).signs == ()


def test_few_fixes_say_nothing_of_their_variety() -> None:
    assert codes(walk(9, jitter=0.0, accuracies=(5.0,))) == []


ROWS = st.tuples(
    st.floats(-89, 89), st.floats(-180, 180), st.none() | st.floats(0.1, 5000), st.none() | st.floats(0, 90)
)


@given(st.lists(ROWS, max_size=15), st.booleans(), st.none() | st.floats(0, 1))
def test_the_score_is_a_share_and_the_product_of_what_is_told(
    rows: list[tuple[float, float, float | None, float | None]], mock: bool, trust: float | None
) -> None:
    seen = [
        Sighting(at_us=n * SECOND_US, lat_deg=lat, lon_deg=lon, accuracy_m=accuracy, speed_mps=speed)
        for n, (lat, lon, accuracy, speed) in enumerate(rows)
    ]

    told = plausibility(seen, mock=mock, trust=trust)

    assert 0 <= told.score <= 1
    assert told.score == pytest.approx(math.prod(sign.factor for sign in told.signs), abs=0.001)
    assert (told.score == 0.0) == mock
