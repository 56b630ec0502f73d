"""Reads Google Merchant feeds: RSS 2.0 or Atom with `g:` attributes, a piece at a time.

Names and forms of the attributes: Google's product data specification. expat, as for GPX: a DOCTYPE ends the
parse where it begins, so no entity is ever declared or fetched.
"""

from collections.abc import Callable, Iterator
from typing import Any
from xml.parsers import expat

from server.imports.problem import WHOLE_FILE, Place, Problem, Record, problem_at

_CHUNK_BYTES = 1 << 16
_ITEMS = frozenset({"item", "entry"})
_ROOTS = frozenset({"rss", "feed"})
#: A text longer than any that is taken is not kept whole.
_TEXT_MOST = 4096
#: Availability that means: not on the shelf.
_AWAY = frozenset({"out_of_stock", "out of stock", "preorder", "backorder"})
_TAKEN = frozenset(
    (
        *("id", "title", "product_type", "google_product_category", "price", "sale_price", "image_link"),
        *("sale_price_effective_date", "availability", "cost_of_goods_sold", "sell_on_google_quantity"),
        *("store_code", "quantity"),
    )
)


class _Refused(Exception):  # noqa: N818 - it ends the parse
    """The file is not one that is read."""


class _Items:
    """expat's callbacks: gathers the items of the piece that was just parsed."""

    def __init__(self, parser: expat.XMLParserType) -> None:
        self.found: list[tuple[int, dict[str, str]]] = []  #: line, and attributes by their local names
        self._parser = parser
        self._depth = 0
        self._item: dict[str, str] | None = None
        self._item_depth = self._line = 0
        self._name: str | None = None
        self._text: list[str] = []
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.CharacterDataHandler = self._characters
        parser.EndElementHandler = self._end

    def _refuse_doctype(self, *_declaration: object) -> None:
        raise _Refused("it declares a DOCTYPE, which a feed never needs")

    def _start(self, tag: str, _attributes: dict[str, str]) -> None:
        name = _local(tag)
        if self._depth == 0 and name not in _ROOTS:
            raise _Refused(f"its root element is <{name[:40]}>, not <rss> or <feed>")
        self._depth += 1
        if self._item is None and name in _ITEMS:
            self._item, self._item_depth, self._line = {}, self._depth, self._parser.CurrentLineNumber
        elif self._item is not None and self._depth == self._item_depth + 1:
            # The first of several counts: Google takes up to five product types, the most important first.
            self._name = name if name in _TAKEN and name not in self._item else None
            self._text = []

    def _characters(self, text: str) -> None:
        if self._name is not None and len(self._text) < _TEXT_MOST:
            self._text.append(text[:_TEXT_MOST])

    def _end(self, _tag: str) -> None:
        if self._item is not None and self._depth == self._item_depth:
            self.found.append((self._line, self._item))
            self._item = None
        elif self._item is not None and self._name is not None and self._depth == self._item_depth + 1:
            self._item[self._name] = "".join(self._text).strip()
            self._name = None
        self._depth -= 1


def read_merchant(data: bytes) -> Iterator[Record | Problem]:
    """The products of a feed."""
    return read_feed(data, product_of)


def read_feed(data: bytes, body_of: Callable[[dict[str, str]], dict[str, Any]]) -> Iterator[Record | Problem]:
    """The items of a feed, as bodies. Where the XML breaks, what stood before is read and the break told."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    items, index = _Items(parser), 0
    for start in range(0, len(data), _CHUNK_BYTES):
        piece = data[start : start + _CHUNK_BYTES]
        broken = None
        try:
            parser.Parse(piece, start + _CHUNK_BYTES >= len(data))
        except _Refused as refused:
            broken = problem_at(WHOLE_FILE, "bad_xml", "", str(refused))
        except expat.ExpatError as error:
            broken = problem_at(Place(-1, error.lineno), "bad_xml", "", expat.ErrorString(error.code))
        for line, item in items.found:
            yield Record(Place(index, line), body_of(item), texts=True)
            index += 1
        items.found.clear()
        if broken is not None:
            yield broken
            return


def product_of(item: dict[str, str]) -> dict[str, Any]:
    """A product's body, as texts, of an item's attributes; what is absent stays absent."""
    sale = item.get("sale_price") if "sale_price_effective_date" not in item else None
    price, currency = money(sale or item.get("price", ""))
    cost, cost_currency = money(item.get("cost_of_goods_sold", ""))
    away = item.get("availability", "").lower() in _AWAY
    body = {
        "sku": item.get("id"),
        "name": item.get("title"),
        "category": item.get("product_type") or _path(item.get("google_product_category", "")),
        "price": price,
        "currency": currency,
        "image_url": item.get("image_link"),
        "stock": "0" if away else item.get("sell_on_google_quantity"),
        "cost": cost if cost_currency == currency else None,
    }
    return {field: value for field, value in body.items() if value}


def money(text: str) -> tuple[str | None, str | None]:
    """`15.00 USD` (or `USD 15.00`) as amount and currency; what cannot be told apart is left to the judge."""
    parts = text.split()
    if len(parts) == 2 and parts[0].isalpha():
        parts.reverse()
    amount = parts[0].replace(",", ".") if parts else None
    return amount, parts[1] if len(parts) == 2 else None


def _path(category: str) -> str | None:
    """Google's own category where it is given as a path; its number says nothing here."""
    return None if category.isdigit() else category


def _local(tag: str) -> str:
    return tag.rpartition(":")[2]
