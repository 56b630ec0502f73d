"""What would have had to be otherwise, read off receipts."""

from typing import Any

from offers.counterfactual import MOST, counterfactuals


def gate(code: str, *, passed: bool) -> dict[str, Any]:
    return {"code": code, "passed": passed, "detail": f"about {code}"}


def silence(*candidates: dict[str, Any], reasons: tuple[str, ...] = (), failed: str = "") -> dict[str, Any]:
    gates = [gate("stale", passed=True)] + ([gate(failed, passed=False)] if failed else [])
    return {"outcome": "silence", "reasons": list(reasons), "gates": gates, "candidates": list(candidates)}


def candidate(offer: str, *failed: str) -> dict[str, Any]:
    return {
        "offer": offer,
        "gates": [gate("stale", passed=True), *(gate(code, passed=False) for code in failed)],
    }


def codes(told: list[dict[str, Any]]) -> list[tuple[str | None, list[str]]]:
    return [(one["offer"], [reason["code"] for reason in one["if"]]) for one in told]


def test_an_offer_has_none() -> None:
    assert counterfactuals(silence(candidate("a", "schedule")) | {"outcome": "offer"}) == []


def test_each_candidate_says_all_that_stood_in_its_way_the_least_first() -> None:
    told = counterfactuals(silence(candidate("a", "schedule", "no_stock"), candidate("b", "no_interest")))

    assert codes(told) == [("b", ["no_interest"]), ("a", ["schedule", "no_stock"])]
    assert told[0]["if"][0]["detail"] == "about no_interest"


def test_of_many_candidates_a_few_are_told() -> None:
    assert len(counterfactuals(silence(*(candidate(f"o{n}", "schedule") for n in range(20))))) == MOST


def test_what_came_after_the_choice_stood_in_the_way_of_the_best_that_passed() -> None:
    told = counterfactuals(silence(candidate("a"), candidate("b", "schedule"), reasons=("holdout",)))

    assert codes(told) == [("a", ["holdout"])]


def test_without_candidates_something_could_have_been_sent() -> None:
    assert codes(counterfactuals(silence(failed="no_consent"))) == [(None, ["no_consent"])]


def test_a_gate_that_the_moment_and_the_candidate_share_is_told_once() -> None:
    assert codes(counterfactuals(silence(candidate("a", "muted", "muted")))) == [("a", ["muted"])]
