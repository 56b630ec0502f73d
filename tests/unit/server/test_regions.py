"""What a phone is told to watch: only what changed, under numbers that are its own."""

from hypothesis import given
from hypothesis import strategies as st

from geo.region import RIM, Watch
from server.clients.regions import FIRST_NUMBER, RIM_NAME, Circle, changed

HERE = (60.0, 25.0)


def watch(name: str, lat_deg: float = 60.1, radius_m: float = 100.0) -> Watch:
    return Watch(geofence=name, lat_deg=lat_deg, lon_deg=25.0, radius_m=radius_m)


def rim(lat_deg: float = 60.0, radius_m: float = 500.0) -> Watch:
    return watch(RIM, lat_deg, radius_m)


def names(circles: tuple[Circle, ...]) -> list[str]:
    return [circle.name for circle in circles]


def test_what_is_watched_already_is_not_told_again() -> None:
    first = changed((), [rim(), watch("a"), watch("b")], HERE)

    again = changed(first.all, [rim(), watch("a"), watch("b")], HERE)

    assert names(first.put) == [RIM_NAME, "a", "b"]
    assert (again.put, again.gone) == ((), ())
    assert set(again.all) == set(first.all)


def test_the_rim_stands_while_the_phone_is_inside_of_it_and_moves_when_it_has_left() -> None:
    first = changed((), [rim()], HERE)
    near, far = (60.003, 25.0), (60.006, 25.0)  # 330 m and 670 m on

    assert changed(first.all, [rim(60.003)], near).put == ()
    [moved] = changed(first.all, [rim(60.006)], far).put
    assert (moved.lat_deg, moved.number) == (60.006, first.all[0].number)


def test_a_fence_that_moved_is_told_under_its_own_number() -> None:
    first = changed((), [watch("a"), watch("b")], HERE)

    then = changed(first.all, [watch("a", radius_m=200.0), watch("b")], HERE)

    assert [(one.name, one.number) for one in then.put] == [("a", first.all[0].number)]


def test_a_rim_that_no_phone_would_notice_is_not_told() -> None:
    assert changed((), [rim(radius_m=100.0)], HERE).all == ()


def test_a_free_number_is_used_again_for_a_phone_that_cannot_forget() -> None:
    first = changed((), [watch("a"), watch("b")], HERE)

    then = changed(first.all, [watch("b"), watch("c")], HERE)

    assert names(then.gone) == ["a"]
    assert [one.number for one in then.put] == [FIRST_NUMBER]


WATCHES = st.builds(
    watch, st.sampled_from([RIM, *"abcdef"]), st.sampled_from([60.0, 60.1]), st.sampled_from([160.0, 300.0])
)
SETS = st.lists(WATCHES, max_size=6, unique_by=lambda one: one.geofence)


@given(st.lists(SETS, max_size=6))
def test_numbers_are_unique_and_what_was_told_adds_up_to_what_is_wanted(history: list[list[Watch]]) -> None:
    held: tuple[Circle, ...] = ()
    on_the_phone: dict[int, Circle] = {}  # as Android keeps them: by number, never forgotten
    for wanted in history:
        change = changed(held, wanted, HERE)
        held = change.all
        on_the_phone |= {circle.number: circle for circle in change.put}
        assert len({circle.number for circle in held}) == len(held)
        assert set(names(held)) == {one.geofence or RIM_NAME for one in wanted}
        assert all(on_the_phone[circle.number] == circle for circle in held)
    assert len(on_the_phone) <= 7
