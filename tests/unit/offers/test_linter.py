"""The copy linter: false urgency, fixed ends, texts that phones cut."""

import pytest

from offers.linter import lint


def codes(title: str, body: str = "At {store}, {distance_m} m away") -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in lint({"en": (title, body)})]


@pytest.mark.parametrize(
    "text",
    [
        "Last chance: {discount} off",
        "HURRY! {product}",
        "Today only: {discount}",
        "Only 3 left of {product}",
        "Vain tänään {discount}",
        "Nur heute: {discount}",
        "Dernière chance",
        "Sista chansen",
    ],
)
def test_urgency_that_is_not_the_coupons_own_end_is_told(text: str) -> None:
    assert codes(text) == [("message.en.title", "false_urgency")]


@pytest.mark.parametrize(
    "text",
    ["Until 12:30", "Ends 2026-12-24", "Ends 24.12.", "10 minutes to go", "Noch 2 Stunden", "by 6 pm"],
)
def test_a_time_that_is_written_into_the_text_is_told(text: str) -> None:
    assert ("message.en.body", "fixed_expiry") in codes("{discount} off", text)


@pytest.mark.parametrize(
    "text",
    [
        "{discount} off {product}, until {until}",
        "3 for 2 on {product}",
        "{product} for 9.90 EUR",
        "From 49,90 €",
        "{store}, at {distance_m} m",
        "The invitation of the season",
    ],
)
def test_true_texts_pass(text: str) -> None:
    assert codes(text) == []


def test_a_text_that_phones_cut_is_told_for_each_platform() -> None:
    found = lint({"en": ("x" * 66, "y")})
    assert [problem.detail.rpartition("; ")[2] for problem in found] == ["iOS shows 50", "Android shows 65"]


def test_placeholders_count_as_what_they_become() -> None:
    assert codes("{product} {product} {product} {product}") != []
    assert codes("{discount} " * 6) == []
