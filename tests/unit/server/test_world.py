"""A world that was moved from version to version is the one that is built from nothing, in every answer."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.sensitive import SensitiveSet
from offers.settings import Settings, settings_body
from server.world import World

LAT, LON = 60.17, 24.94
SETTINGS = [
    {"timezone": "Europe/Helsinki"},
    {"presence_timeout_s": 900, "default_accuracy_m": 35.0},
    {"lateness_s": 0, "holdout": 0.5},
]
VALID = {"from": "2026-11-01T00:00:00Z", "until": "2026-12-31T00:00:00Z"}
MESSAGE = {"en": {"title": "{discount}", "body": "{store}"}}

near = st.floats(-0.01, 0.01)
names = st.sampled_from(["a", "B", "ä", "b c", "d", "_"])
categories = st.sampled_from(["Shoes", "Shoes > Trainers", "shoes > Boots", "Hats"])
words = st.sampled_from(["Trail trainers", "Rubber boots", "Felt hat", "Trail hat"])
maybe_names = st.none() | st.lists(names, min_size=1, max_size=3, unique=True)


def without_nulls(body: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in body.items() if value is not None}


stores = st.fixed_dictionaries({"name": words, "lat": near.map(lambda d: LAT + d), "lon": st.just(LON)})
products = st.fixed_dictionaries(
    {
        "name": words,
        "category": categories,
        "price": st.sampled_from(["9.9", "9.90", "50"]),
        "currency": st.just("EUR"),
        "stock": st.none() | st.integers(0, 3),
        "stores": maybe_names,
    }
).map(without_nulls)
offers = st.fixed_dictionaries(
    {
        "name": words,
        "discount": st.just({"kind": "percent", "value": 15}),
        "applies_to": st.sampled_from([None, {"categories": ["Shoes"]}, {"skus": ["a", "d"]}]),
        "stores": maybe_names,
        "valid": st.just(VALID),
        "message": st.just(MESSAGE),
    }
).map(without_nulls)


def circle(offsets: tuple[float, float], radius_m: float, properties: dict[str, Any]) -> dict[str, Any]:
    geometry = {"type": "Point", "coordinates": [LON + offsets[0], LAT + offsets[1]]}
    return {"type": "Feature", "geometry": geometry, "properties": {"radius": radius_m, **properties}}


def rectangle(offsets: tuple[float, float], radius_m: float, properties: dict[str, Any]) -> dict[str, Any]:
    west, south, size = LON + offsets[0], LAT + offsets[1], 0.001 + radius_m / 100_000
    ring = [[west, south], [west + size, south], [west + size, south + size], [west, south + size]]
    geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


shapes = st.sampled_from([circle, rectangle])
radii = st.floats(50, 400)
fence_properties = st.fixed_dictionaries(
    {"store": names, "enabled": st.booleans(), "dwell_s": st.sampled_from([0, 60, 300])}
)
geofences = st.builds(lambda shape, *how: shape(*how), shapes, st.tuples(near, near), radii, fence_properties)
sensitive = st.builds(
    lambda shape, *how: shape(*how),
    shapes,
    st.tuples(near, near),
    radii,
    st.fixed_dictionaries({"kind": st.sampled_from(["health", "worship"])}),
)
overrides = st.fixed_dictionaries(
    {
        "geofence": geofences.map(lambda one: one | {"properties": one["properties"] | {"external_id": "g"}}),
        "places": st.lists(names, max_size=4, unique=True),
        "until_us": st.sampled_from([100, 1_000]),
    }
)
KINDS = {"store": stores, "product": products, "offer": offers, "geofence": geofences, "sensitive": sensitive}
KINDS |= {"override": overrides}


def named(kind: str, external_id: str, body: dict[str, Any] | None) -> dict[str, Any] | None:
    """The body under its own id, where that kind has it."""
    if body is None:
        return None
    if kind in ("geofence", "sensitive"):
        return body | {"properties": body["properties"] | {"external_id": external_id}}
    return body | {"sku" if kind == "product" else "external_id": external_id}


@st.composite
def publications(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """What one publication changes, of a few kinds; None: removed."""
    changes: dict[str, dict[str, Any]] = {}
    for kind in draw(st.lists(st.sampled_from(sorted(KINDS)), max_size=3, unique=True)):
        found = draw(st.dictionaries(names, st.none() | KINDS[kind], min_size=1, max_size=5))
        changes[kind] = {name: named(kind, name, body) for name, body in found.items()}
    if draw(st.integers(0, 3)) == 0:
        changes["settings"] = {"settings": draw(st.none() | st.sampled_from(SETTINGS))}
    return changes


def applied(bodies: dict[str, dict[str, Any]], changes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What is published after a publication."""
    after = {kind: dict(known) for kind, known in bodies.items()}
    for kind, changed in changes.items():
        after[kind] = {n: b for n, b in (after.get(kind, {}) | changed).items() if b is not None}
    return after


def built(bodies: Mapping[str, Mapping[str, Any]], version: int = 1) -> World:
    return World.build("ret_1", b"secret", version, bodies)


POINTS = np.random.default_rng(5).uniform(-0.012, 0.014, (2, 400))


def covered(places: SensitiveSet) -> list[bool]:
    told: list[bool] = places.covers(LAT + POINTS[0], LON + POINTS[1], 500).tolist()
    return told


def answers(world: World) -> dict[str, Any]:
    """Everything that a world can be asked, in every order that shows."""
    lat, lon, fences = LAT + POINTS[0], LON + POINTS[1], world.fences
    point, place = fences.match(lat, lon)
    sure = fences.probability_inside(lat, lon, (point, place), np.full(len(lat), 15.0))
    ids = [fences.fence(at).external_id for at in place.tolist()]
    catalogue = {name: getattr(world.catalogue, name) for name in world.catalogue.__struct_fields__}
    shelves = catalogue.pop("shelves")
    books = [shelves.words, catalogue.pop("categories")]
    return {
        "version": (world.version, fences.version, world.catalogue.version),
        "rules": world.rules,
        "catalogue": repr(catalogue),
        "words": [{word: list(names) for word, names in book.by_word.items()} for book in books],
        "shelves": (shelves.counts, {path: str(price) for path, price in shelves.dearest.items()}),
        "fences": {name: fences.by_id[name] for name in sorted(fences.by_id)},
        "matches": sorted(zip(point.tolist(), ids, sure.tolist(), strict=True)),
        "sensitive": (world.sensitive.places, covered(world.sensitive)),
    }


@settings(max_examples=60, deadline=None)
@given(st.lists(publications(), min_size=1, max_size=6))
def test_a_world_moved_on_is_the_one_built_from_nothing(changes: list[dict[str, Any]]) -> None:
    bodies: dict[str, dict[str, Any]] = {}
    world = built(bodies, 0)
    for version, change in enumerate(changes, 1):
        bodies, world = applied(bodies, change), world.next(version, change)
        assert answers(world) == answers(built(bodies, version))


@settings(max_examples=30, deadline=None)
@given(st.lists(publications(), min_size=1, max_size=4))
def test_several_publications_at_once_come_to_the_same(changes: list[dict[str, Any]]) -> None:
    world, together = built({}, 0), {}
    for change in changes:
        for kind, changed in change.items():
            together[kind] = together.get(kind, {}) | changed
        world = world.next(7, change)
    assert answers(built({}, 0).next(7, together)) == answers(world)


@settings(max_examples=30, deadline=None)
@given(st.lists(publications(), min_size=1, max_size=4))
def test_the_order_of_bodies_makes_no_difference(changes: list[dict[str, Any]]) -> None:
    bodies: dict[str, dict[str, Any]] = {}
    for change in changes:
        bodies = applied(bodies, change)
    backwards = {kind: dict(reversed(known.items())) for kind, known in reversed(bodies.items())}
    assert answers(built(bodies)) == answers(built(backwards))


@pytest.fixture
def town() -> World:
    """One of everything."""
    return built(
        {
            "store": {"a": {"external_id": "a", "name": "A", "lat": LAT, "lon": LON}},
            "product": {"p": {"sku": "p", "name": "Hat", "category": "Hats", "stock": 3}},
            "geofence": {"f": circle((0, 0), 100, {"external_id": "f", "store": "a"})},
            "sensitive": {"h": circle((0.01, 0), 50, {"external_id": "h", "kind": "worship"})},
        }
    )


def test_what_has_not_changed_is_not_built_again(town: World) -> None:
    moved = {"f": circle((0.001, 0), 100, {"external_id": "f", "store": "a"})}
    after = town.next(2, {"geofence": moved})
    assert after.sensitive is town.sensitive
    assert after.catalogue.products is town.catalogue.products
    assert after.catalogue.shelves is town.catalogue.shelves


def test_a_change_of_stock_leaves_the_indices_as_they_are(town: World) -> None:
    sold = {"sku": "p", "name": "Hat", "category": "Hats", "stock": 2}
    after = town.next(2, {"product": {"p": sold}})
    assert after.catalogue.products["p"].stock == 2
    assert after.catalogue.shelves is town.catalogue.shelves


def test_fences_keep_their_numbers_from_world_to_world(town: World) -> None:
    place = town.fences.match(np.array([LAT]), np.array([LON]))[1]
    moved = {"f": circle((0.002, 0), 100, {"external_id": "f", "store": "a"})}
    after = town.next(2, {"geofence": moved})
    assert after.fences.number[after.fences.match(np.array([LAT]), np.array([LON + 0.002]))[1]] == [
        town.fences.number[place[0]]
    ]


def test_the_settings_are_the_rules_of_the_engine(town: World) -> None:
    assert town.rules == built({}).rules
    after = town.next(
        2,
        {
            "settings": {
                "settings": {
                    "lateness_s": 0,
                    "presence_timeout_s": 700,
                    "default_accuracy_m": 50,
                    "approach_s": 9,
                }
            }
        },
    )
    rules = after.rules
    assert (rules.lateness_s, rules.presence_timeout_s, rules.default_accuracy_m) == (0, 700, 50)
    assert rules.mode == "accurate"
    assert after.next(3, {"settings": {"settings": None}}).rules == town.rules


def test_without_settings_all_have_their_defaults() -> None:
    assert settings_body(built({}).catalogue.settings) == settings_body(Settings())


def test_fences_indexed_anew_are_edited_again_by_what_has_changed_since(town: World) -> None:
    folded = town.fences.folded()
    change = {
        "f": None,
        "g": circle((0.001, 0), 60, {"external_id": "g", "store": "a", "enabled": True}),
    }
    after = town.next(2, {"geofence": change})
    assert answers(after.refenced(folded, change)) == answers(after)
