"""What the viewer is told: pushes with their latency, silences with their reason, everything counted."""

from typing import Any

from server.demo.feed import QUIET_ROW_EVERY_US, Feed, Happening, reason_text


def silence(*reasons: str) -> dict[str, Any]:
    return {"outcome": "silence", "reasons": list(reasons)}


def push(feed: Feed, at_us: int, latency_ms: float) -> None:
    feed.pushed(at_us, "1 on foot", "Stadium", title="15% off", body="40 m away", latency_ms=latency_ms)


def test_a_push_makes_a_row_with_its_latency() -> None:
    feed = Feed()
    push(feed, 5, 38.0)
    [row] = feed.rows
    assert (row.kind, row.text, row.latency_ms) == ("push", "15% off", 38.0)


def test_the_median_latency_is_of_all_pushes() -> None:
    feed = Feed()
    assert feed.median_latency_ms is None
    for latency_ms in (10.0, 20.0, 90.0):
        push(feed, 5, latency_ms)
    assert feed.median_latency_ms == 20.0


def test_a_push_that_no_phone_caused_has_no_latency_and_is_counted() -> None:
    feed = Feed()
    feed.pushed(5, "1 on foot", "Stadium", title="15% off", body="40 m away", latency_ms=None)
    assert feed.pushes == 1
    assert feed.median_latency_ms is None


def test_a_silence_says_why() -> None:
    feed = Feed()
    feed.decided(0, "4 by tram", "Stadium", silence("drive_by"))
    assert feed.rows[0].text == "drive_by: only drives past"


def test_the_same_silence_again_soon_is_only_counted() -> None:
    feed = Feed()
    for at_us in (0, 1, QUIET_ROW_EVERY_US):
        feed.decided(at_us, "4 by tram", "Stadium", silence("drive_by"))
    assert len(feed.rows) == 2
    assert feed.silences["drive_by"] == feed.moments == 3


def test_a_silence_for_want_of_interest_is_only_counted() -> None:
    feed = Feed()
    feed.decided(0, "1 on foot", "Zara", silence("no_interest"))
    assert not feed.rows
    assert feed.silences == {"no_interest": 1}


def test_without_anything_for_her_no_other_reason_is_told() -> None:
    feed = Feed()
    feed.decided(0, "4 by tram", "Zara", silence("drive_by", "no_candidate"))
    assert feed.silences == {"no_candidate": 1}


def test_an_offer_is_a_moment_but_gets_its_row_when_it_arrives() -> None:
    feed = Feed()
    feed.decided(0, "1 on foot", "Zara", {"outcome": "offer", "reasons": []})
    assert feed.moments == 1
    assert not feed.rows


def test_listeners_hear_each_row_once() -> None:
    heard: list[Happening] = []
    feed = Feed(heard.append)
    feed.used(1, "1 on foot", "Stadium", "15% off")
    assert [row.kind for row in heard] == ["redeemed"]
    assert feed.redeemed == 1


def test_a_shopper_who_has_left_is_forgotten() -> None:
    feed = Feed()
    feed.decided(0, "4 by tram", "Stadium", silence("drive_by"))
    feed.left("4 by tram")
    feed.decided(1, "4 by tram", "Stadium", silence("drive_by"))
    assert len(feed.rows) == 2


def test_an_unknown_reason_is_shown_as_it_is() -> None:
    assert reason_text("brand_new") == "brand_new"
