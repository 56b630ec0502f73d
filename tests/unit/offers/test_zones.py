"""Schedules, caps, budgets and quiet hours in twenty time zones, about both changes of daylight saving time.

The oracle is `zoneinfo` and a wall clock: nothing of `offers.hours`.
"""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from offers.budget import Cap, begins_us, free_share, purse
from offers.candidate_gates import Prospect, offer_cap, schedule
from offers.catalogue import Limits
from offers.gates import closed, quiet_hours, shopper_cap
from offers.hours import QuietHours, quiet_from_us
from offers.relevance import Interest
from offers.shopper import Contact, with_offer
from offers.situation import Situation
from tests.unit.offers.scene import MOMENT, OFFER, STORE, TRAINERS, catalogue, changed, shopper

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ZONES = [
    *("Europe/Helsinki", "Europe/London", "Europe/Lisbon", "Europe/Chisinau", "Atlantic/Azores"),
    *("America/New_York", "America/Los_Angeles", "America/St_Johns", "America/Halifax", "America/Havana"),
    *("America/Santiago", "America/Nuuk", "Africa/Cairo", "Asia/Beirut", "Asia/Jerusalem"),
    *("Australia/Sydney", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham", "Antarctica/Troll"),
]
OPEN = "Mo-Su 10:00-18:00"
QUIET = QuietHours(from_="21:00", until="08:00")


def changes_of(zone: str) -> list[datetime]:
    """The instants of 2026 at which the zone's clock is set, in UTC."""
    where, at, found = ZoneInfo(zone), datetime(2026, 1, 1, tzinfo=UTC), []
    while at.year == 2026:
        if (at + HOUR).astimezone(where).utcoffset() != at.astimezone(where).utcoffset():
            found.append(at + HOUR)
        at += HOUR
    return found


CHANGES = [(zone, at) for zone in ZONES for at in changes_of(zone)]


def test_every_one_of_them_sets_its_clock_twice_a_year() -> None:
    assert len(ZONES) == 20
    assert len(CHANGES) == 40


def us(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def at(zone: str, when: datetime, **settings: object) -> Situation:
    """What the gates look at then; the shopper, the store and the retailer have one clock."""
    store = changed(STORE, timezone=zone, opening_hours=OPEN)
    offer = changed(OFFER, schedule=OPEN, valid_from_us=0, valid_until_us=2**62)
    published = catalogue(offer, stores=(store,), **settings)
    return Situation.of(MOMENT, shopper(), published, us(when))


def around(change: datetime, *, every: timedelta) -> list[datetime]:
    """A day and a half before and after."""
    steps = int(3 * DAY / every)
    return [change - 1.5 * DAY + step * every for step in range(steps)]


@pytest.mark.parametrize(("zone", "change"), CHANGES)
class TestByTheWallClock:
    def test_a_schedule_and_opening_hours(self, zone: str, change: datetime) -> None:
        for when in around(change, every=17 * MINUTE):
            here = at(zone, when)
            wanted = 10 <= when.astimezone(ZoneInfo(zone)).hour < 18
            offer = here.catalogue.offers[OFFER.external_id]
            assert schedule(here, Prospect(offer=offer, interest=Interest(), product=TRAINERS))[0] is wanted
            assert closed(here)[0] is wanted

    def test_quiet_hours(self, zone: str, change: datetime) -> None:
        for when in around(change, every=13 * MINUTE):
            local = when.astimezone(ZoneInfo(zone)).time()
            quiet = local >= time(21) or local < time(8)
            assert quiet_hours(at(zone, when, quiet_hours=QUIET))[0] is not quiet

    def test_a_push_ends_at_the_first_quiet_minute(self, zone: str, change: datetime) -> None:
        evening = change.astimezone(ZoneInfo(zone)).replace(hour=20, minute=50, second=0)
        begins = us(evening.replace(hour=21, minute=0))
        assert quiet_from_us([QUIET], us(evening), us(evening) + 3 * 3600 * 10**6, zone) == begins

    @pytest.mark.parametrize("period", ["day", "week", "month"])
    def test_a_purse_changes_at_midnight_and_at_no_other_time(
        self, zone: str, change: datetime, period: str
    ) -> None:
        cap = Cap(period=period, issued=1)  # type: ignore[arg-type]
        for when in around(change, every=11 * MINUTE):
            today = when.astimezone(ZoneInfo(zone)).date()
            first = {
                "day": today,
                "week": today - timedelta(days=today.weekday()),
                "month": today.replace(day=1),
            }[period]
            assert purse(cap, "mall", us(when), zone) == f"{period}={first}"

    def test_her_share_of_a_day_begins_with_the_day(self, zone: str, change: datetime) -> None:
        where = ZoneInfo(zone)
        for when in around(change, every=29 * MINUTE):
            began = datetime.fromtimestamp(begins_us("day", us(when), zone) / 1e6, UTC)
            today = when.astimezone(where).date()
            assert began <= when
            assert began.astimezone(where).date() == today
            assert (began - MINUTE).astimezone(where).date() != today or _repeated(began, where)

    def test_a_paced_day_is_half_free_half_way_through_its_opening_hours(
        self, zone: str, change: datetime
    ) -> None:
        cap = Cap(period="day", issued=100, pace=True)
        noon = change.astimezone(ZoneInfo(zone)).replace(hour=14, minute=0, second=0, microsecond=0)
        assert free_share(cap, us(noon), zone, OPEN) == Decimal("0.525")
        morning, evening = noon.replace(hour=9), noon.replace(hour=19)
        assert free_share(cap, us(morning), zone, OPEN) == Decimal("0.05")
        assert free_share(cap, us(evening), zone, OPEN) == 1


def _repeated(began: datetime, where: ZoneInfo) -> bool:
    """Whether the clock was set back over that midnight: then the day has two, and begins at the first."""
    return began.astimezone(where).utcoffset() != (began - HOUR).astimezone(where).utcoffset()


@pytest.mark.parametrize(("zone", "change"), CHANGES)
class TestRollingCaps:
    """The last 24 hours, rolling; the shopper's cap of a day also holds for a day of 25 hours."""

    def offered(self, here: Situation, *ago: timedelta) -> Situation:
        known = here.shopper
        for number, back in enumerate(sorted(ago, reverse=True)):
            told = Contact(
                decision_id=f"dec_{number}",
                at_us=here.now_us - back // timedelta(microseconds=1),
                store="mall",
                offer=OFFER.external_id,
            )
            known = with_offer(known, told)
        return changed(here, shopper=known)

    def evening(self, zone: str, change: datetime) -> datetime:
        """23:30 of the day on which the clock is set."""
        day = change.astimezone(ZoneInfo(zone)).date()
        return datetime.combine(day, time(23, 30), ZoneInfo(zone)).astimezone(UTC)

    def test_an_offers_daily_cap_is_24_hours_whatever_the_clock_does(
        self, zone: str, change: datetime
    ) -> None:
        here = at(zone, self.evening(zone, change))
        offer = changed(here.catalogue.offers[OFFER.external_id], limits=Limits(per_shopper_per_day=1))
        prospect = Prospect(offer=offer, interest=Interest(), product=TRAINERS)
        assert offer_cap(self.offered(here, DAY - MINUTE), prospect)[0] is False
        assert offer_cap(self.offered(here, DAY + MINUTE), prospect)[0] is True

    def test_a_shoppers_daily_cap_is_24_hours_or_her_day_so_far(self, zone: str, change: datetime) -> None:
        when = self.evening(zone, change)
        here = at(zone, when, shopper_per_day=1)
        midnight = when.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0)
        so_far = max(DAY, when - midnight.astimezone(UTC))
        assert shopper_cap(self.offered(here, so_far - MINUTE))[0] is False
        assert shopper_cap(self.offered(here, so_far + MINUTE))[0] is True

    def test_a_shoppers_weekly_cap_is_7_days_or_her_7_days_so_far(self, zone: str, change: datetime) -> None:
        when = self.evening(zone, change)
        here = at(zone, when, shopper_per_week=1)
        first = (when.astimezone(ZoneInfo(zone)) - 6 * DAY).replace(hour=0, minute=0)
        so_far = max(7 * DAY, when - first.astimezone(UTC))
        assert shopper_cap(self.offered(here, so_far - MINUTE))[0] is False
        assert shopper_cap(self.offered(here, so_far + MINUTE))[0] is True
