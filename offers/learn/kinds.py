"""The four kinds of moments: she wants to know, to go, to do, or to buy.

`know` and `do` are answered by content and help in the inbox, never by a discount push: who looks up how to
use a thing has it already, and who reads reviews is not at a till."""

from offers.event import Kind
from offers.moment import MomentKind

DOING: frozenset[Kind] = frozenset({"how_to"})
KNOWING: frozenset[Kind] = frozenset({"review", "share"})
GOING: frozenset[Kind] = frozenset({"directions", "store_locator"})


def kind_of(trigger: str, *, inside: bool, cart: bool, repeated: bool, in_stock: bool) -> MomentKind:
    """The kind of a moment by its trigger and by what she did today with what the store has in stock."""
    if trigger in DOING:
        return "do"
    if trigger in KNOWING:
        return "know"
    if trigger not in GOING and inside and in_stock and (cart or repeated):
        return "buy"
    return "go"


def helps_only(trigger: str) -> bool:
    """Whether a moment of this trigger is answered by content and help alone."""
    return trigger in DOING or trigger in KNOWING
