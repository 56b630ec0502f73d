"""Pings in columns: nothing of them is lost on the way through the journal, and a resent fix is known."""

import math

from hypothesis import given
from hypothesis import strategies as st

from geo.fences.roll import Roll
from geo.fix import Fix
from server.inputs import RecordFixes, Wake
from server.journal import pack_inputs, split, unpack_inputs
from server.phones import SEEN_MOST, Phones
from server.pings import KEY_BYTES, Pings

numbers = st.one_of(st.none(), st.floats(0.5, 1000))
fixes = st.builds(
    Fix,
    lat_deg=st.floats(-90, 90),
    lon_deg=st.floats(-180, 180),
    fixed_at_us=st.integers(0, 2**52),
    accuracy_m=numbers,
    speed_mps=numbers,
    course_deg=numbers,
    altitude_m=numbers,
    mock=st.booleans(),
    id=st.one_of(st.none(), st.text(min_size=1, max_size=5)),
)
names = st.sampled_from(["a", "b", "c"])
pings = st.builds(
    RecordFixes,
    shopper_id=names,
    device_id=names,
    received_at_us=st.integers(0, 2**52),
    fixes=st.lists(fixes, max_size=4),
    sensitive_at_us=st.one_of(st.none(), st.integers(0, 2**52)),
    in_sensitive=st.booleans(),
)


@given(st.lists(pings, max_size=5))
def test_what_goes_into_the_journal_comes_out_of_it(items: list[RecordFixes]) -> None:
    wake = Wake(shopper_id="w", received_at_us=1)

    others, found = unpack_inputs(pack_inputs([wake], Pings.of(items)))

    assert others == [wake]
    assert [[found.fix(row) for row in found.rows(ping)] for ping in range(len(found))] == [
        list(item.fixes) for item in items
    ]
    kept = [
        (one.shopper_id, one.device_id, one.received_at_us, one.in_sensitive, one.sensitive_at_us)
        for one in items
    ]
    assert kept == [
        (one.shopper_id, one.device_id, one.received_at_us, one.in_sensitive, one.sensitive_at_us)
        for one in found.items
    ]


@given(st.lists(st.lists(pings, max_size=3), min_size=1, max_size=3))
def test_joined_pings_are_those_of_all_parts_in_order(parts: list[list[RecordFixes]]) -> None:
    joined = Pings.joined([Pings.of(part) for part in parts])

    whole = Pings.of([item for part in parts for item in part])
    assert joined.items == whole.items
    assert joined.ids == whole.ids
    assert pack_inputs([], joined) == pack_inputs([], whole)


@given(st.lists(pings, max_size=6), st.sets(names))
def test_some_pings_are_these_and_no_others(items: list[RecordFixes], wanted: set[str]) -> None:
    found = Pings.of(items).select(lambda item: item.device_id in wanted)

    kept = [item for item in items if item.device_id in wanted]
    assert found.items == kept
    assert [[found.fix(row) for row in found.rows(ping)] for ping in range(len(found))] == [
        list(item.fixes) for item in kept
    ]


@given(st.lists(fixes, min_size=2, max_size=8))
def test_fixes_have_one_key_where_id_or_time_and_place_are_one(made: list[Fix]) -> None:
    keys = Pings.of([RecordFixes(shopper_id="a", device_id="a", received_at_us=0, fixes=made)]).keys()

    def name(fix: Fix) -> object:
        if fix.id is not None:
            return fix.id
        places = (fix.lat_deg, math.copysign(1, fix.lat_deg), fix.lon_deg, math.copysign(1, fix.lon_deg))
        return (fix.fixed_at_us, *places)

    by_key = {keys[KEY_BYTES * n : KEY_BYTES * (n + 1)]: name(fix) for n, fix in enumerate(made)}
    assert len(by_key) == len({name(fix) for fix in made})


def test_a_phone_remembers_its_newest_fixes_and_forgets_the_oldest() -> None:
    phones = Phones(Roll())
    slot = phones.add("phone")
    keys = [number.to_bytes(KEY_BYTES, "big") for number in range(SEEN_MOST + 1)]

    for key in keys:
        phones.note(slot, key)

    assert not phones.knows(slot, keys[0])
    assert all(phones.knows(slot, key) for key in keys[1:])


def test_a_key_is_not_found_across_two_others() -> None:
    phones = Phones(Roll())
    slot = phones.add("phone")
    phones.note(slot, b"aaaabbbb" + b"ccccdddd")

    assert not phones.knows(slot, b"bbbbcccc")


def test_a_phone_that_was_removed_is_known_for_nothing() -> None:
    phones = Phones(Roll())
    phones.note(phones.add("phone"), b"12345678")

    phones.remove("phone")

    assert phones.find("phone") is None
    assert not phones.knows(phones.add("another"), b"12345678")


def test_rows_of_an_earlier_version_are_still_read() -> None:
    import msgspec

    fix = Fix(lat_deg=60.0, lon_deg=24.0, fixed_at_us=5)
    old = [
        RecordFixes(shopper_id="a", device_id="d", received_at_us=7, fixes=(fix,)),
        Wake(shopper_id="w", received_at_us=8),
    ]

    others, found = unpack_inputs(msgspec.msgpack.encode(old))

    assert others == old[1:]
    assert found.fix(0) == fix
    assert split([*others])[0] == others
