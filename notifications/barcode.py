"""Coupon codes as pictures that a till can scan: QR (ISO/IEC 18004) and Code 128 (ISO/IEC 15417), as SVG.

The picture is one path of dark modules on white, with the quiet zone that scanners need around it, so that it
may stand on any background. It has no style, script or link: any content security policy lets it be shown.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

Form: TypeAlias = Literal["qr", "code128"]

_QR_QUIET = 4  #: modules around the symbol
_BAR_QUIET = 10
_BAR_HEIGHT = 45  #: modules; at 0.3 mm a module that is 14 mm, and more than 15 % of the width


def picture(code: str, form: Form) -> str:
    """The code as an SVG. Raises ValueError for text that the form cannot hold."""
    # Read in when the first picture is asked for: no start need wait for it.
    import segno  # noqa: PLC0415

    if form == "qr":
        # A fifth of it may be dirty or cracked.
        return _svg(segno.make_qr(code, error="q").matrix, _QR_QUIET, 1, code)
    return _svg([[bar == "1" for bar in _bars(code)]], _BAR_QUIET, _BAR_HEIGHT, code)


def _bars(code: str) -> str:
    """The bars of Code 128 as ones and zeros."""
    from barcode import Code128  # noqa: PLC0415
    from barcode.charsets import code128  # noqa: PLC0415

    values = list(Code128(code).encoded)
    if code[:2] == "99":
        # The library takes the two digits for the switch to the alphabet of digits, and leaves them out:
        # python-barcode 0.16. They have the same number.
        values.insert(1, 99)
    check = (values[0] + sum(place * value for place, value in enumerate(values))) % 103
    bars: list[str] = [code128.CODES[value] for value in (*values, check)]
    return "".join([*bars, code128.STOP, "11"])


def _svg(rows: Sequence[Sequence[object]], quiet: int, row_height: int, label: str) -> str:
    width, height = len(rows[0]) + 2 * quiet, len(rows) * row_height + 2 * quiet
    path = "".join(
        f"M{quiet + left} {quiet + number * row_height}h{length}v{row_height}h-{length}z"
        for number, row in enumerate(rows)
        for left, length in _runs(row)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{label}" shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{width}v{height}H0z"/><path d="{path}"/></svg>'
    )


def _runs(row: Sequence[object]) -> Iterable[tuple[int, int]]:
    """The first module and the length of every dark run of a row."""
    left = None
    for place, dark in enumerate([*row, False]):
        if dark and left is None:
            left = place
        elif not dark and left is not None:
            yield left, place - left
            left = None
