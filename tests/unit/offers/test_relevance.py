from typing import Any

import pytest

from offers.catalogue import Catalogue, Offer, Product, Store
from offers.event import Event, Kind
from offers.relevance import Interest, named_product
from tests.unit.offers.scene import NOON_US, OFFER, STORE, TRAINERS, catalogue, changed, interests_in, shopper

SANDALS = changed(TRAINERS, sku="sandals", name="Beach sandals", category=("Shoes", "Sandals"))
HAT = changed(TRAINERS, sku="hat", name="Felt hat", category=("Hats",))

ON_TRAINERS = OFFER
ON_SHOES: Offer = changed(OFFER, external_id="shoes", skus=None, categories=(("shoes",),))
ON_SANDALS: Offer = changed(OFFER, external_id="sandals", skus=None, categories=(("Shoes", "Sandals"),))
ON_ALL: Offer = changed(OFFER, external_id="all", skus=None)


def published(store: Store = STORE, products: tuple[Product, ...] = (TRAINERS, SANDALS, HAT)) -> Catalogue:
    return catalogue(ON_TRAINERS, ON_SHOES, ON_SANDALS, ON_ALL, stores=(store,), products=products)


def meets(kind: Kind = "view", shop: Catalogue | None = None, **about: Any) -> set[str]:
    """The offers that an event just now speaks for."""
    known = shopper(Event(kind=kind, at_us=NOON_US, **about))
    return set(interests_in(known.interests, shop or published(), "mall", NOON_US))


def test_a_product_speaks_for_every_offer_that_has_it() -> None:
    assert meets(sku="trainers") == {"trainers-15", "shoes", "all"}


def test_a_category_speaks_for_offers_within_it_and_around_it() -> None:
    assert meets(category=("SHOES", "trainers")) == {"trainers-15", "shoes", "all"}
    assert meets(category=("Shoes",)) == {"trainers-15", "shoes", "sandals", "all"}


def test_a_category_does_not_speak_for_another() -> None:
    assert meets(category=("Hats",)) == {"all"}


@pytest.mark.parametrize("query", ["trainer", "TRAINERS", "blue trainers"])
def test_a_search_speaks_for_what_its_words_name(query: str) -> None:
    assert meets("search", query=query) == {"trainers-15", "shoes", "all"}


def test_all_known_words_of_a_search_must_fit() -> None:
    assert meets("search", query="beach sandals") == {"sandals", "shoes", "all"}
    assert meets("search", query="felt sandals") == set()


def test_a_search_of_mostly_unknown_words_speaks_for_nothing() -> None:
    assert meets("search", query="trainers in lovely colours") == set()


def test_directions_to_the_store_speak_for_everything_there() -> None:
    assert meets("directions", store="mall") == {"trainers-15", "shoes", "sandals", "all"}
    assert meets("directions", store="elsewhere") == set()


def test_a_product_that_the_store_does_not_sell_speaks_for_nothing_there() -> None:
    elsewhere = changed(TRAINERS, stores=("elsewhere",))
    assert meets(sku="trainers", shop=published(products=(elsewhere,))) == set()


def test_a_product_that_is_not_in_the_catalogue_speaks_by_the_category_it_came_with() -> None:
    assert meets(sku="boots", category=("Shoes", "Boots")) == {"shoes", "all"}


def test_an_offer_on_everything_means_what_the_store_lists() -> None:
    hatter = published(changed(STORE, categories=("Hats",)))
    assert "all" in meets(category=("Hats", "Felt"), shop=hatter)
    assert "all" not in meets(category=("Shoes",), shop=hatter)


def test_the_strongest_interest_names_the_product() -> None:
    known = shopper(
        Event(kind="view", at_us=NOON_US, sku="sandals"), Event(kind="cart", at_us=NOON_US, sku="trainers")
    )
    interest = interests_in(known.interests, published(), "mall", NOON_US)["shoes"]
    assert interest.skus() == ["trainers", "sandals"]
    assert named_product(ON_SHOES, interest, published(), "mall") == TRAINERS


def test_a_product_in_stock_is_named_before_one_that_is_not() -> None:
    shop = published(products=(changed(TRAINERS, stock=0), SANDALS))
    known = shopper(
        Event(kind="view", at_us=NOON_US, sku="sandals"), Event(kind="cart", at_us=NOON_US, sku="trainers")
    )
    interest = interests_in(known.interests, shop, "mall", NOON_US)["shoes"]
    assert named_product(ON_SHOES, interest, shop, "mall") == SANDALS


def test_without_a_product_looked_at_an_offer_on_products_names_its_own() -> None:
    assert named_product(ON_TRAINERS, Interest(), published(), "mall") == TRAINERS
    assert named_product(ON_SHOES, Interest(), published(), "mall") is None
