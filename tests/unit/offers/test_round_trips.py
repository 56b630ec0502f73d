"""What is published comes back the same."""

import json
from decimal import Decimal

from offers.bodies import product_body, product_from_body, store_body, store_from_body
from offers.consent import consents_body, consents_from_body
from offers.hours import DAY_US, QuietHours
from offers.offer_body import offer_body, offer_from_body
from offers.preferences import Preferences, preferences_body, preferences_from_body
from offers.settings import Settings, settings_body, settings_from_body
from tests.unit.offers.scene import NOON_US, OFFER, STORE, TRAINERS

OFFER_BODY = {
    "external_id": "o",
    "name": "Trainers week",
    "discount": {"kind": "percent", "value": 15},
    "applies_to": {"skus": ["t"]},
    "valid": {"from": "2026-11-01T00:00:00Z", "until": "2026-12-01T02:00:00+02:00"},
    "message": {
        "en": {"title": "{discount} off {product}", "body": "{store}, at {distance_m} m, until {until}"}
    },
}


def test_a_row_of_texts_is_taken_where_asked_for() -> None:
    row = {
        "external_id": "1",
        "name": "Mall",
        "lat": "60.17",
        "lon": "24.94",
        "categories": "Shoes ; Hats>Felt;",
    }
    store = store_from_body(row, lax=True)
    assert (store.external_id, store.lat_deg, store.categories) == ("1", 60.17, ("Shoes", "Hats > Felt"))
    row = {"sku": "1", "name": "T", "category": "Shoes", "price": "89.90", "currency": "eur", "stock": "3"}
    product = product_from_body(row | {"stores": "a;b"}, lax=True)
    assert (product.price, product.stock, product.currency) == (Decimal("89.90"), 3, "EUR")
    assert product.stores == ("a", "b")


def test_published_things_come_back_the_same() -> None:
    assert store_from_body(store_body(STORE)) == STORE
    assert product_from_body(product_body(TRAINERS)) == TRAINERS
    assert offer_from_body(offer_body(OFFER)) == OFFER


def test_every_part_of_an_offer_comes_back() -> None:
    full = OFFER_BODY | {
        "applies_to": {"skus": ["t", "u"], "categories": ["Shoes > Trainers"]},
        "stores": ["mall"],
        "schedule": "Mo-Fr 16:00-18:00",
        "limits": {"per_shopper_per_day": 1, "per_shopper": 3},
        "budget": {"redemptions": 10, "issued": 100, "spend": "99.50"},
        "prior_response": 0.1,
        "lever": 1.5,
    }
    body = offer_body(offer_from_body(full))
    assert body == offer_body(offer_from_body(json.loads(json.dumps(body))))
    normalised = {"discount": {"kind": "percent", "value": "15"}}
    normalised |= {"valid": {"from": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"}}
    assert body == full | normalised


def test_an_offer_that_applies_to_nothing_in_particular_is_on_everything() -> None:
    offer = offer_from_body({name: value for name, value in OFFER_BODY.items() if name != "applies_to"})
    assert (offer.skus, offer.categories) == (None, None)


def test_settings_left_out_have_their_defaults() -> None:
    assert settings_from_body({}) == Settings()
    assert Settings().quiet_hours == QuietHours(from_="21:00", until="08:00")
    assert (Settings().shopper_per_day, Settings().shopper_per_week) == (2, 5)


def test_settings_can_have_no_quiet_hours() -> None:
    settings = settings_from_body({"quiet_hours": None, "holdout": 0.1})
    assert settings.quiet_hours is None
    assert settings_from_body(settings_body(settings)) == settings


def test_what_the_fence_engine_is_told_has_defaults_and_bounds() -> None:
    told = settings_body(Settings())
    fields = ("lateness_s", "presence_timeout_s", "default_accuracy_m", "safe_region", "approach_s")
    assert [told[field] for field in fields] == [600, 43_200, 20.0, True, 0]
    for body in (
        {"lateness_s": 0, "approach_s": 0, "default_accuracy_m": 1, "presence_timeout_s": 60},
        {"lateness_s": 3600, "approach_s": 600, "default_accuracy_m": 1000, "presence_timeout_s": 86_400},
        {"safe_region": False},
    ):
        assert settings_body(settings_from_body(body)).items() >= body.items()


def test_preferences_come_back_as_they_were_given() -> None:
    body = {
        "max_per_day": 1,
        "quiet_hours": {"from": "20:00", "until": "08:00"},
        "muted_categories": ["Alcohol"],
        "minimum_percent": 10.0,
        "paused_until": "2026-11-21T00:00:00Z",
    }
    assert preferences_body(preferences_from_body(body)) == body
    assert preferences_body(Preferences()) == {}


def test_consents_tell_every_purpose_and_what_holds() -> None:
    consents = consents_from_body(
        {"push": {"granted": True, "text_version": "3", "locale": "fi"}}, at_us=NOON_US
    )
    told = consents_body(consents, NOON_US)
    assert told["push"] == {
        "granted": True,
        "at": "2026-11-20T10:00:00Z",
        "expires_at": "2027-11-20T10:00:00Z",
        "text_version": "3",
        "locale": "fi",
    }
    assert told["nearby_offers"] == {"granted": False}
    assert consents_body(consents, NOON_US + 365 * DAY_US)["push"]["granted"] is False
