from decimal import Decimal
from typing import Any

import pytest

from offers.catalogue import Catalogue
from offers.category import fold, path_from_text, prefixes, text_from_path, within, words_of
from tests.unit.offers.scene import OFFER, STORE, TRAINERS, catalogue, changed


def test_a_store_has_its_own_offers_and_those_of_every_store_by_id() -> None:
    own = changed(OFFER, external_id="b", stores=("mall", "mall"))
    other = changed(OFFER, external_id="c", stores=("elsewhere",))
    everywhere = changed(OFFER, external_id="a")
    published = catalogue(own, other, everywhere)
    assert [offer.external_id for offer in published.offers_at("mall")] == ["a", "b"]
    assert [offer.external_id for offer in published.offers_at("anywhere")] == ["a"]


def test_the_last_of_equal_ids_counts() -> None:
    published = Catalogue.build(
        [STORE, changed(STORE, name="Arcade")], [], [OFFER, changed(OFFER, name="Later")]
    )
    assert published.stores["mall"].name == "Arcade"
    assert [offer.name for offer in published.offers_at("mall")] == ["Later"]


def test_the_dearest_thing_in_an_offers_scope() -> None:
    boots = changed(TRAINERS, sku="boots", category=("Shoes", "Boots"), price=Decimal(150))
    hat = changed(TRAINERS, sku="hat", category=("Hats",), price=Decimal(500))
    published = catalogue(products=(TRAINERS, boots, hat))
    scopes: list[dict[str, Any]] = [
        {},
        {"skus": None, "categories": (("SHOES",),)},
        {"skus": None},
        {"skus": ("unknown",)},
    ]
    prices = [published.highest_price(changed(OFFER, **scope)) for scope in scopes]
    assert prices == [Decimal("89.90"), Decimal(150), Decimal(500), None]


@pytest.mark.parametrize("text", ["Shoes > Trainers", "Shoes>Trainers", " Shoes >  Trainers > "])
def test_a_category_is_read_as_its_names(text: str) -> None:
    assert path_from_text(text) == ("Shoes", "Trainers")
    assert text_from_path(path_from_text(text)) == "Shoes > Trainers"


def test_letter_case_does_not_count_in_categories() -> None:
    assert within(("SHOES", "Trainers"), ("shoes",))
    assert not within(("shoes",), ("Shoes", "Trainers"))
    assert fold(("STRASSE",)) == fold(("straße",))
    assert list(prefixes(("a", "b"))) == [("a", "b"), ("a",)]


def test_words_are_compared_without_case_and_plural() -> None:
    assert words_of("Blue TRAINERS, size 43") == words_of("blue trainer size: 43")
    assert words_of("a b") == frozenset()
