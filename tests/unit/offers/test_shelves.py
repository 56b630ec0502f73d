"""The index of products: what it finds, and that an edited one is the one made anew."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from offers.catalogue import Product
from offers.category import words_of
from offers.shelves import Shelves
from offers.wordbook import Wordbook
from tests.unit.offers.scene import TRAINERS, catalogue, changed

products = st.builds(
    lambda name, category, price: Product(sku="", name=name, category=category, price=price),
    st.sampled_from(["Trail trainers", "Rubber boots", "trail hats", "Hat"]),
    st.sampled_from([("Shoes",), ("Shoes", "Trainers"), ("SHOES", "Boots"), ("Hats",), ()]),
    st.sampled_from([None, Decimal("9.9"), Decimal("9.90"), Decimal(50), Decimal(0)]),
)
names = st.sampled_from(list("abcdefgh"))
tables = st.dictionaries(names, products)


def told(shelves: Shelves) -> Any:
    words = {word: list(found) for word, found in shelves.words.by_word.items()}
    return words, shelves.counts, {path: str(price) for path, price in shelves.dearest.items()}


@given(tables, st.lists(st.dictionaries(names, st.none() | products, min_size=1, max_size=3), max_size=5))
def test_an_edited_index_is_the_one_made_anew(
    table: dict[str, Product], edits: list[dict[str, Product | None]]
) -> None:
    shelves = Shelves.build(table)
    for edit in edits:
        replaced = [(sku, table.get(sku), product) for sku, product in edit.items()]
        table = {sku: product for sku, product in (table | edit).items() if product is not None}
        shelves = shelves.edited(replaced, table)
        assert told(shelves) == told(Shelves.build(table))


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.sets(st.sampled_from(["x", "y", "z"]))))
def test_names_are_found_by_all_of_the_words_asked_for_in_order(found: dict[str, set[str]]) -> None:
    book = Wordbook.build({name: frozenset(words) for name, words in found.items()})
    for asked in (["x"], ["x", "y"], ["z", "y", "x"]):
        assert list(book.having(asked)) == sorted(name for name, words in found.items() if {*asked} <= words)
    assert list(book.having([])) == list(book.having(["unknown"])) == []


def test_a_change_of_stock_changes_no_index() -> None:
    shelves = Shelves.build({"t": TRAINERS})
    assert shelves.edited([("t", TRAINERS, changed(TRAINERS, stock=0))], {"t": TRAINERS}) is shelves


def test_the_last_of_a_category_takes_its_price_along() -> None:
    shelves = Shelves.build({"t": TRAINERS})
    assert shelves.dearest[("shoes",)] == TRAINERS.price
    assert told(shelves.edited([("t", TRAINERS, None)], {})) == ({}, {}, {})


def test_a_search_speaks_of_categories_before_products() -> None:
    assert catalogue().matches("trainers") == [("shoes", "trainers"), "trainers"]
    assert words_of("trainers") == {"trainer"}
