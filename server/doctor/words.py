"""Numbers as people read them."""


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 visit`, `1,200 visits`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(seconds: float | None) -> str:
    """Seconds as people say them: `45 s`, `12 min`, `3.5 h`."""
    if seconds is None:
        return "–"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def metres(distance_m: float | None) -> str:
    """`12 m`, or a dash for an unknown."""
    return "–" if distance_m is None else f"{distance_m:.0f} m"


def percent(share: float | None) -> str:
    """`12 %`, or a dash for an unknown."""
    return "–" if share is None else f"{100 * share:.0f} %"
