"""How an offer's template becomes what a shopper reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.render import BODY_CHARS, TITLE_CHARS, choose_locale, fill, placeholders, render, shorten

MESSAGES = {"fi": ("Ale", "Alennus"), "en": ("Sale", "{discount} off the {product} you looked at")}


def test_the_shoppers_own_locale_is_taken() -> None:
    assert choose_locale(("en", "fi", "en-GB"), "en-GB", "fi") == "en-GB"


def test_a_regional_locale_falls_back_to_its_language() -> None:
    assert choose_locale(("fi", "en"), "en-GB", "fi") == "en"


def test_a_script_is_dropped_after_the_region() -> None:
    assert choose_locale(("zh", "zh-Hant"), "zh-Hant-TW", "en") == "zh-Hant"


def test_an_unknown_locale_falls_back_to_the_retailers() -> None:
    assert choose_locale(("en", "fi"), "sv-SE", "fi-FI") == "fi"


def test_without_the_retailers_locale_the_first_message_is_taken() -> None:
    assert choose_locale(("de", "fr"), "sv", "en") == "de"


@pytest.mark.parametrize("locale", [None, "", "-", "x" * 300])
def test_a_shopper_without_a_usable_locale_gets_the_retailers(locale: str | None) -> None:
    assert choose_locale(("en", "fi"), locale, "fi") == "fi"


@pytest.mark.parametrize("locale", ["en_GB", "EN-gb", "en"])
def test_locales_compare_without_case_and_with_underscores(locale: str) -> None:
    assert choose_locale(("fi", "En"), locale, "fi") == "En"


def test_values_are_put_into_the_template() -> None:
    title, body = render(MESSAGES, "en-US", "fi", {"discount": "15%", "product": "trainers"})
    assert (title, body) == ("Sale", "15% off the trainers you looked at")


def test_a_value_that_looks_like_a_placeholder_stays_text() -> None:
    assert (
        fill("{product} at {store}", {"product": "{store}", "store": "{product}"}) == "{store} at {product}"
    )


@pytest.mark.parametrize(
    "text", ["{0}", "{product.__class__}", "{product!r}", "{product:>99}", "%(product)s", "{}"]
)
def test_format_tricks_are_plain_text(text: str) -> None:
    assert fill(text, {"product": "shoes"}) == text


def test_a_placeholder_without_a_value_disappears() -> None:
    assert fill("{discount} off, at {distance_m} m", {"discount": "15%"}) == "15% off, at m"


def test_control_characters_and_line_breaks_become_spaces() -> None:
    assert fill("a {product}", {"product": "b\n\x00\t c"}) == "a b c"


def test_the_placeholders_of_a_template_are_found() -> None:
    assert placeholders("{product} {discount} {nonsense} {{store}}") == {
        "product",
        "discount",
        "nonsense",
        "store",
    }


def test_a_long_body_is_shortened_at_a_word() -> None:
    assert shorten("fifteen percent off the trainers", 24) == "fifteen percent off the…"
    assert shorten("fifteen percent off the trainers", 23) == "fifteen percent off…"


def test_a_word_that_just_fits_is_kept() -> None:
    assert shorten("one two three", 8) == "one two…"


def test_a_single_long_word_is_cut_inside() -> None:
    assert shorten("x" * 50, 10) == "x" * 9 + "…"


def test_an_accent_stays_with_its_letter() -> None:
    text = "e\u0301" * 20
    assert shorten(text, 8) == "e\u0301" * 3 + "…"


def test_a_joined_emoji_is_not_parted() -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert shorten("abcdef" + family + "xyz", 10) == "abcdef…"


def test_no_room_means_no_text() -> None:
    assert shorten("abc", 1) == ""
    assert shorten("abc", -5) == ""


@given(st.text(max_size=600), st.integers(min_value=0, max_value=300))
def test_shortened_text_never_exceeds_its_limit(text: str, limit: int) -> None:
    assert len(shorten(text, limit)) <= limit


@given(st.text(max_size=900), st.text(max_size=900))
def test_a_rendered_message_keeps_the_size_limits(product: str, store: str) -> None:
    messages = {"en": ("{product} {store}", "{store} {product} {product}")}
    title, body = render(messages, "en", "en", {"product": product, "store": store})
    assert len(title) <= TITLE_CHARS
    assert len(body) <= BODY_CHARS
