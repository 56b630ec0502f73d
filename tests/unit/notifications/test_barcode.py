"""A coupon's picture says its code to a scanner, and nothing else to anybody."""

import re
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.barcode import Form, picture
from offers.coupon import coupon_code

FORMS: list[Form] = ["qr", "code128"]
PIXELS = 4  #: of a module's side
_RUN = re.compile(r"M(\d+) (\d+)h(\d+)v(\d+)h-\d+z")


def pixels(svg: str) -> npt.NDArray[np.uint8]:
    """What the picture looks like."""
    root = ET.fromstring(svg)
    _, _, width, height = map(int, root.attrib["viewBox"].split())
    image = np.full((height, width), 255, np.uint8)
    for x, y, w, h in (map(int, run) for run in _RUN.findall(root[1].attrib["d"])):
        image[y : y + h, x : x + w] = 0
    return image.repeat(PIXELS, axis=0).repeat(PIXELS, axis=1)


def scanned(image: npt.NDArray[np.uint8]) -> list[Any]:
    return list(zxingcpp.read_barcodes(image))


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=25, deadline=None)
@given(decision=st.uuids())
def test_a_scanner_reads_the_code(form: Form, decision: object) -> None:
    assert read(coupon_code(b"secret", str(decision)).replace("-", ""), form)


@pytest.mark.parametrize(
    "code", ["99", "9", "998", "9999", "995SWD6HY3NHD20G8M", "99ABC", "A99", "0000", "1", "12345x67"]
)
def test_a_scanner_reads_a_code_that_begins_with_any_digits(code: str) -> None:
    assert read(code, "code128")


def read(code: str, form: Form) -> bool:
    """Whether a scanner reads this code, and no other."""
    # As tills are set: a scanner that guesses may see a second, shorter kind of code within a long one.
    kind = {"qr": zxingcpp.BarcodeFormat.QRCode, "code128": zxingcpp.BarcodeFormat.Code128}[form]
    [found] = zxingcpp.read_barcodes(pixels(picture(code, form)), formats=kind)

    return (found.text, found.format) == (code, kind)


def test_a_qr_code_with_a_dirty_spot_is_still_read() -> None:
    image = pixels(picture("7K3MQ90V2XWAT5RBC4", "qr"))
    middle = len(image) // 2
    image[middle - 3 * PIXELS : middle + 3 * PIXELS, middle - 3 * PIXELS : middle + 3 * PIXELS] = 255

    assert [one.text for one in scanned(image)] == ["7K3MQ90V2XWAT5RBC4"]


@pytest.mark.parametrize("form", FORMS)
def test_a_picture_is_a_small_path_and_no_more(form: Form) -> None:
    svg = picture("7K3MQ90V2XWAT5RBC4", form)

    assert {child.tag.rpartition("}")[2] for child in ET.fromstring(svg).iter()} == {"svg", "path"}
    assert "style" not in svg
    assert len(svg) < 8_000
