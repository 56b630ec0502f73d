"""Which fixes go into the journal: nothing without consent, nothing twice, nothing from a sensitive place.

No I/O. All pings of a micro-batch are judged at once; one by one only those that need it. What is found here
and nowhere else (a sensitive place, another's track) is journaled with them, and taken as it is on replay.
"""

import msgspec
import numpy as np
import numpy.typing as npt

from geo.distance import FloatArray
from geo.fix import FUTURE_US, MAX_AGE_US, MAX_BACKLOG_US, refuse_fix
from geo.plausibility import COPIED
from geo.reported import Report
from server.admit import Admitted, Refusal
from server.inputs import RecordFixes
from server.phones import Phones
from server.pings import KEY_BYTES, Flags, Pings
from server.records import Record, slot_of, unseen_reports
from server.world import World

SENSITIVE = "sensitive_place"
COPIED_MOST = len(COPIED)  #: fixes remembered that repeated another's track; more weigh no more


class Taken(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The pings of a micro-batch after admission."""

    answers: list[Admitted]  #: one per ping
    pings: Pings  #: what of them is journaled
    slots: npt.NDArray[np.int32]  #: of the devices of these
    kept: list[int]  #: which of the pings that came they are


def admit_pings(pings: Pings, records: dict[str, Record], phones: Phones, world: World) -> Taken:
    """Judges all pings against the settled records; notes which fixes are known now."""
    whole, slots, special = _whose(pings, records, phones)
    reasons = _reasons(pings, world)
    taken = np.ones(len(pings.fixed_at_us), bool)
    taken[list(reasons)] = False
    for ping in whole:
        taken[pings.first[ping] : pings.first[ping + 1]] = False
    fresh = _fresh(pings, taken, slots, phones)
    some = _any(fresh, pings)
    items = dict(enumerate(pings.items))
    items |= (copied := _copied(pings, fresh, slots, phones))
    if SENSITIVE in reasons.values() or pings.mock.any():
        special = [ping for ping in items if ping not in whole]
    for ping in sorted({*special, *copied}):
        slot = int(slots[ping])
        items[ping], changed = _settled(
            ping, items[ping], slot, pings, fresh, reasons, records, phones, world
        )
        some[ping] |= changed
    kept = some.nonzero()[0].tolist()
    if len(kept) == len(items) and fresh.all() and not special and not copied:
        left = pings
    else:
        left = pings.only(kept, [items[ping] for ping in kept], fresh)
    return Taken(answers=_answers(pings, whole, reasons), pings=left, slots=slots[kept], kept=kept)


def _whose(
    pings: Pings, records: dict[str, Record], phones: Phones
) -> tuple[dict[int, str], npt.NDArray[np.int32], list[int]]:
    """Why whole pings are refused, the devices' slots, and which pings may change their device's record."""
    whole: dict[int, str] = {}
    slots = np.zeros(len(pings), np.int32)
    special = []
    for ping, item in enumerate(pings.items):
        record = records.get(item.shopper_id)
        device = None if record is None else record.device(item.device_id)
        if record is None or device is None:
            # Her token outlived her: she was erased, the device is another shopper's now, or this is
            # another database.
            whole[ping] = "unknown_device"
        elif not permitted(item, record):
            whole[ping] = "no_consent"
        else:
            slots[ping] = slot_of(phones, record, item.device_id)
            if device.in_sensitive or device.mock or item.in_sensitive or item.reports or item.copied_at_us:
                special.append(ping)
    return whole, slots, special


def permitted(item: RecordFixes, record: Record) -> bool:
    """Whether she lets the ping be taken at all."""
    permits, at_us = record.shopper.permits, item.received_at_us
    return permits("nearby_offers", at_us) and (not item.background or permits("background_location", at_us))


def _reasons(pings: Pings, world: World) -> dict[int, str]:
    """Why fixes are refused, by row."""
    received_us = np.array([item.received_at_us for item in pings.items], np.int64).repeat(pings.counts)
    ages_us = [MAX_BACKLOG_US if item.backlog else MAX_AGE_US for item in pings.items]
    age_us = np.array(ages_us, np.int64).repeat(pings.counts)
    at_us = pings.fixed_at_us
    with np.errstate(invalid="ignore"):
        plausible = (np.abs(pings.lat_deg) <= 90) & (np.abs(pings.lon_deg) <= 180)
        plausible &= (at_us <= received_us + FUTURE_US) & (at_us >= np.maximum(received_us - age_us, 0))
        plausible &= ~((pings.accuracy_m <= 0) | np.isinf(pings.accuracy_m))
        plausible &= ~((pings.speed_mps < 0) | np.isinf(pings.speed_mps))
        plausible &= ~((pings.course_deg < 0) | (pings.course_deg > 360) | np.isinf(pings.altitude_m))
    reasons = {}
    for row in (~plausible).nonzero()[0].tolist():
        reason = refuse_fix(pings.fix(row), now_us=int(received_us[row]), max_age_us=int(age_us[row]))
        assert reason is not None
        reasons[row] = reason
    if len(world.sensitive):
        good = plausible.nonzero()[0]
        covered = world.sensitive.covers(pings.lat_deg[good], pings.lon_deg[good], received_us[good])
        reasons |= dict.fromkeys(good[covered].tolist(), SENSITIVE)
    return reasons


def _fresh(pings: Pings, taken: Flags, slots: npt.NDArray[np.int32], phones: Phones) -> Flags:
    """Which of the fixes taken their devices have not sent before; these are known from now on.

    A fix that is newer than all of its device needs no look. A resend of one older than the newest
    `SEEN_MOST` passes as new; it is then behind the lateness window, where it changes no visit and never
    pushes.
    """
    fresh, keys, at_us = taken.copy(), pings.keys(), pings.fixed_at_us
    rising = np.ones(len(at_us), bool)
    rising[1:] = at_us[1:] > at_us[:-1]
    begins = pings.first[:-1][pings.counts > 0]
    if len(phones.devices):
        newest_us = phones.devices.data["newest_us"][slots[pings.counts > 0]]
        rising[begins] = at_us[begins] > newest_us
    plain = _all(rising & taken, pings).tolist() if pings.ids is None else [False] * len(pings)
    first, slot_of_ping = pings.first.tolist(), slots.tolist()
    came: set[int] = set()
    for ping, is_plain in enumerate(plain):
        begin, end, slot = first[ping], first[ping + 1], slot_of_ping[ping]
        if is_plain and slot not in came:
            phones.note(slot, keys[KEY_BYTES * begin : KEY_BYTES * end])
        else:
            for row in range(begin, end):
                key = keys[KEY_BYTES * row : KEY_BYTES * (row + 1)]
                if taken[row] and phones.knows(slot, key):
                    fresh[row] = False
                elif taken[row]:
                    phones.note(slot, key)
        came.add(slot)
    return fresh


def _copied(
    pings: Pings, fresh: Flags, slots: npt.NDArray[np.int32], phones: Phones
) -> dict[int, RecordFixes]:
    """The pings in which a fix repeats another shopper's track, with when that was measured."""
    if phones.copies is None:
        return {}
    rows = fresh.nonzero()[0]
    of_row = pings.of_row[rows]
    at_us = pings.fixed_at_us[rows].tolist()
    places = (column[rows].tolist() for column in (pings.lat_deg, pings.lon_deg, pings.accuracy_m))
    whose = of_row.tolist()
    owners = [pings.items[ping].shopper_id for ping in whose]
    found: dict[int, tuple[int, ...]] = {}
    for row in phones.copies.find(slots[of_row].tolist(), owners, at_us, *places):
        found[whose[row]] = (*found.get(whose[row], ()), at_us[row])
    return {
        ping: msgspec.structs.replace(pings.items[ping], copied_at_us=times) for ping, times in found.items()
    }


def _settled(  # noqa: PLR0917 - a ping, and what is known of it
    ping: int,
    item: RecordFixes,
    slot: int,
    pings: Pings,
    fresh: Flags,
    reasons: dict[int, str],
    records: dict[str, Record],
    phones: Phones,
    world: World,
) -> tuple[RecordFixes, bool]:
    """A ping that says more than where its device is, whether it has come to or left a sensitive place; its
    device's record changes.
    """
    record = records[item.shopper_id]
    known = record.device(item.device_id)
    assert known is not None, "pings of other devices are refused as a whole"
    device = known
    rows = pings.rows(ping)
    new = [row for row in rows if fresh[row]]
    mock = device.mock
    if new:
        mock = bool(pings.mock[max(new, key=lambda row: int(pings.fixed_at_us[row]))])
    sensitive_at_us, in_sensitive = item.sensitive_at_us, item.in_sensitive
    if device.in_sensitive:
        sensitive_at_us = None  # it was told when the device came there
    elif sensitive_at_us is None:
        sensitive_at_us = _quiet_at_us(pings, [row for row in rows if reasons.get(row) == SENSITIVE], world)
    if in_sensitive is None:
        in_sensitive = reasons.get(rows[-1]) == SENSITIVE if rows else device.in_sensitive
    # A fence's name would tell where she is as well as a position.
    reports, device = unseen_reports(device, () if in_sensitive else ours(item, world), slot, phones)
    changed = in_sensitive != device.in_sensitive or bool(reports)
    if new or changed:
        copied = (*device.copied_at_us, *item.copied_at_us)[-COPIED_MOST:]
        device = msgspec.structs.replace(device, mock=mock, in_sensitive=in_sensitive, copied_at_us=copied)
        if device != known:
            records[item.shopper_id] = record.with_device(device)
    kept = msgspec.structs.replace(
        item, sensitive_at_us=sensitive_at_us, in_sensitive=in_sensitive, reports=reports
    )
    return kept, changed


def ours(item: RecordFixes, world: World) -> tuple[Report, ...]:
    """The reports of fences that are published: a phone's others are its user's own, a home perhaps."""
    return tuple(
        one
        for one in item.reports
        if world.fences.place_of_id(one.geofence) >= 0
        and -MAX_BACKLOG_US < one.at_us - item.received_at_us < FUTURE_US
    )


def _quiet_at_us(pings: Pings, dropped: list[int], world: World) -> int | None:
    """The time of the first dropped fix at which a store would have had something to say."""
    if not dropped:
        return None
    first = first_in_a_store(pings.lat_deg[dropped], pings.lon_deg[dropped], world)
    return None if first is None else int(pings.fixed_at_us[dropped[first]])


def first_in_a_store(lat_deg: FloatArray, lon_deg: FloatArray, world: World) -> int | None:
    """Which of some points is the first that lies in a fence."""
    matched, _ = world.fences.match(lat_deg, lon_deg)
    return int(matched[0]) if len(matched) else None


def _answers(pings: Pings, whole: dict[int, str], reasons: dict[int, str]) -> list[Admitted]:
    counts = pings.counts.tolist()
    if not whole and not reasons:
        return [Admitted(accepted=count) for count in counts]
    answers = []
    for ping, count in enumerate(counts):
        begin = int(pings.first[ping])
        # A whole ping is refused even if it has no fix, but a report.
        indices = range(max(count, 1) if ping in whole else count)
        refused = [whole.get(ping) or reasons.get(begin + index) for index in indices]
        refusals = tuple(
            Refusal(index=index, reason=reason) for index, reason in enumerate(refused) if reason
        )
        answers.append(Admitted(accepted=max(count - len(refusals), 0), refusals=refusals))
    return answers


def _any(flags: Flags, pings: Pings) -> Flags:
    """Of each ping, whether some row is flagged."""
    return np.asarray(_counted(flags, pings) > 0)


def _all(flags: Flags, pings: Pings) -> Flags:
    """Of each ping, whether every row is flagged; false where it has none."""
    return np.asarray((_counted(flags, pings) == pings.counts) & (pings.counts > 0))


def _counted(flags: Flags, pings: Pings) -> npt.NDArray[np.int64]:
    """How many rows of each ping are flagged."""
    before = np.zeros(len(flags) + 1, np.int64)
    np.cumsum(flags, out=before[1:])
    return np.diff(before[pings.first])
