"""Writes decisions with their receipts; for offers the coupon, the inbox item and the push."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from notifications.render import render
from offers.codes import foreign_code, foreign_hash
from offers.coupon import code_hash, coupon_code
from offers.decision import Decision
from offers.ids import derived_id
from offers.message import message_locale, message_values
from offers.receipt import receipt
from offers.shopper import Shopper
from server.clock import Clock, from_us
from server.codes import opened
from server.journal import Entry
from server.ledgers import Ledgers
from server.records import Record
from server.sql import queries
from server.wire import rfc3339
from server.world import World
from server.writes import Writes, array_literal, columns

SQL = queries("engine")


def save_decisions(  # noqa: PLR0917 - what it writes
    writes: Writes,
    world: World,
    entry: Entry,
    decisions: Sequence[Decision],
    records: Mapping[str, Record],
    ledgers: Ledgers,
    *,
    clock: Clock,
) -> bool:
    """All decisions of a batch, with what follows from offers: of these its journal entry was just written.
    True if a push is due.
    """
    journaled_at = from_us(clock.now_us())
    offers = [
        _Made(world, one, records[one.moment.shopper_id].shopper, ledgers) for one in decisions if one.chosen
    ]
    whose = world.retailer_id
    if decisions:
        of = whose, world.version, entry.part, entry.seq
        writes.add(SQL["add_decisions"], *of, *columns(map(_decision_row, decisions)))
    if offers:
        writes.add(SQL["add_coupons"], whose, *columns(made.coupon() for made in offers))
        writes.add(SQL["add_inbox"], whose, *columns(made.inbox() for made in offers))
        once = world.catalogue.settings.push_mode == "at_most_once"
        writes.add(SQL["add_outbox"], whose, journaled_at, once, *columns(made.outbox() for made in offers))
    pushed = [made.decision.moment.device_id for made in offers if made.decision.delivery == "push"]
    if pushed:
        writes.add(queries("outbox")["supersede_pushes"], whose, pushed)
    return bool(pushed)


def _decision_row(decision: Decision) -> tuple[Any, ...]:
    moment = decision.moment
    timings_ms = {"received_to_decided": (decision.decided_at_us - moment.received_at_us) / 1000}
    return (
        decision.decision_id,
        moment.moment_id,
        moment.shopper_id,
        moment.device_id,
        moment.store or None,
        decision.outcome,
        decision.offer,
        array_literal(decision.reasons),
        from_us(decision.decided_at_us),
        receipt(decision, timings_ms),
    )


class _Made:
    """An offer that was made, as the rows that follow from it."""

    def __init__(self, world: World, decision: Decision, shopper: Shopper, ledgers: Ledgers) -> None:
        assert decision.expires_at_us is not None
        assert decision.push_expires_at_us is not None
        self.decision = decision
        self._world = world
        self._purses = ledgers.purses_of(str(decision.offer), decision.moment.store)
        code, self._hash, self._static = _code(world, decision, ledgers)
        self._item = inbox_item(world, decision, code, shopper)
        self._now = from_us(decision.decided_at_us)
        self._expires_at = from_us(decision.expires_at_us)
        self._push_expires_at = from_us(decision.push_expires_at_us)

    def coupon(self) -> tuple[Any, ...]:
        moment, offer = self.decision.moment, self._world.catalogue.offers[str(self.decision.offer)]
        return (
            self._hash,
            self.decision.decision_id,
            moment.shopper_id,
            offer.external_id,
            self.decision.sku,
            moment.store,
            self.decision.spend,
            msgspec.to_builtins(offer.discount),
            self._now,
            self._expires_at,
            array_literal(self._purses),
            self._static,
        )

    def inbox(self) -> tuple[Any, ...]:
        moment = self.decision.moment
        return (
            self._item["id"],
            moment.shopper_id,
            moment.device_id,
            self.decision.decision_id,
            self._item,
            self._now,
            self._expires_at,
        )

    def outbox(self) -> tuple[Any, ...]:
        moment, push = self.decision.moment, self.decision.delivery == "push"
        return (
            self._item["id"],
            self.decision.decision_id,
            moment.shopper_id,
            moment.device_id,
            moment.store,
            self._item,
            "pending" if push else "inbox_only",
            None if push else self.decision.reasons[0],
            self._now,
            from_us(moment.received_at_us),
            self._push_expires_at,
        )


def _code(world: World, decision: Decision, ledgers: Ledgers) -> tuple[str, bytes, bytes | None]:
    """The code to be shown, by what its coupon is found, and, of a static one, by what all of them are."""
    if (pooled := ledgers.codes.get(decision.decision_id)) is not None:
        return opened(pooled.key, pooled.sealed), pooled.hash, None
    own = coupon_code(world.secret, decision.decision_id)
    static = world.catalogue.offers[str(decision.offer)].code.static
    if static is None:
        return own, code_hash(world.secret, own), None
    return static, code_hash(world.secret, own), foreign_hash(world.secret, str(foreign_code(static)))


def inbox_item(world: World, decision: Decision, code: str, shopper: Shopper) -> dict[str, str]:
    """The item as the inbox shows it and as the push carries it, all strings."""
    offer = world.catalogue.offers[str(decision.offer)]
    messages = {language: (message.title, message.body) for language, message in offer.messages.items()}
    locale, fallback = message_locale(shopper, world.catalogue)
    title, body = render(messages, locale, fallback, message_values(decision, shopper, world.catalogue))
    item_id = derived_id("psh", decision.decision_id)
    product = world.catalogue.products.get(decision.sku or "")
    image = {"image": product.image_url} if product is not None and product.image_url else {}
    return image | {
        "id": item_id,
        "decision_id": decision.decision_id,
        "offer": offer.external_id,
        "title": title,
        "body": body,
        "code": code,
        "expires_at": rfc3339(decision.expires_at_us or 0),
        "store": decision.moment.store,
        "deep_link": f"vicino://offers/{item_id}",
    }
