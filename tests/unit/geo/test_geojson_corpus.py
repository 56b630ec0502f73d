"""Files that others collected, and our own hostile ones: each gets an answer, at once and for a reason."""

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import shapely

from geo.coordinates import invalidity
from geo.geojson import FenceRejected, features_of, fence_from_feature
from tests.support import SHARED_DATA, shared_data

NAMES = {"external_id": "f", "store": "s", "radius": 100}


def judge(path: Path) -> list[str]:
    """The problem codes of a file's features, named so that only their shapes matter; [] is acceptance."""
    content = shared_data(*path.relative_to(SHARED_DATA).parts).read_bytes()
    started = time.perf_counter()
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ["bad_json"]
    codes: list[str] = []
    try:
        for feature in features_of(document):
            codes += _codes(_named(feature))
    except FenceRejected as refused:
        codes += [problem.code for problem in refused.problems]
    assert time.perf_counter() - started < 1.0
    return codes


def _codes(feature: dict[str, Any]) -> list[str]:
    try:
        fence_from_feature(feature)
    except FenceRejected as refused:
        return [problem.code for problem in refused.problems]
    return []


def _named(feature: dict[str, Any]) -> dict[str, Any]:
    properties = feature.get("properties")
    return {**feature, "properties": {**(properties or {}), **NAMES}} if _is_object(properties) else feature


def _is_object(properties: Any) -> bool:
    return properties is None or isinstance(properties, dict)


def files(*parts: str) -> list[Path]:
    """The files of a folder; the folder itself, which `judge` then misses, where it is absent."""
    folder = SHARED_DATA.joinpath(*parts)
    return sorted([*folder.glob("*.geojson"), *folder.glob("*.json")]) or [folder]


BAD = {
    "excessive_precision_truncated": ["unsupported_geometry"],
    "bad-polygon-interiorring-rhr": ["area_too_large"],
    "polygon_winding_order": ["area_too_large"],
    "different-first-size": ["area_too_large"],
    "geometrycollection_single": ["geometry_collection"],
    "multipoint-nondimension": ["unsupported_geometry"],
    "rootstring": ["not_an_object"],
    "stringcoord": ["not_a_number"],
    "point-string": ["not_a_number"],
    "point-toofew": ["bad_position"],
    "featurecollection-type-case": ["unknown_type"],
    "nofeaturetype": ["unknown_type"],
    "short-linearring": ["short_ring"],
    "different-first-last": ["unclosed_ring"],
    "badfeatureid": ["bad_id"],
    "bbox-string": ["bad_bbox"],
}


@pytest.mark.parametrize("path", files("badinput", "geojsonhint", "bad"), ids=lambda path: path.stem)
def test_a_bad_file_is_refused_for_its_reason_or_normalised(path: Path) -> None:
    codes = judge(path)
    assert set(BAD.get(path.stem, [])) <= set(codes)
    # A position of four numbers keeps its first two: extra dimensions are dropped.
    assert codes or path.stem == "point-toomany"


@pytest.mark.parametrize("path", files("badinput", "geojsonhint", "good"), ids=lambda path: path.stem)
def test_a_good_file_is_taken_or_told_why_it_is_no_fence(path: Path) -> None:
    expected = {"unsupported_geometry", "geometry_collection", "area_too_large", "no_geometry"}
    if path.stem == "issue82":
        expected = {"bad_latitude", "bad_longitude"}
    assert set(judge(path)) <= expected


OWN = {
    "extra-dims": "bad_position",
    "crs-member": "crs",
    "type-case": "unknown_type",
    "antimeridian-unsplit": "antimeridian",
    "lat-91": "bad_latitude",
    "lon-540": "bad_longitude",
    "1e308": "not_finite",
    "star-500": "invalid_polygon",
    "bowtie": "invalid_polygon",
    "hole-outside": "invalid_polygon",
    "two-shells-overlap": "invalid_polygon",
    "whole-earth": "antimeridian",
    "1000-sq-km": "area_too_large",
    "sub-metre": "area_too_small",
    "nested-900": "bad_json",
    "unclosed": "short_ring",
}


@pytest.mark.parametrize("path", files("badinput", "own", "geojson"), ids=lambda path: path.stem)
def test_a_hostile_file_is_refused_for_its_reason(path: Path) -> None:
    codes = judge(path)
    assert codes
    if path.stem in OWN:
        assert OWN[path.stem] in codes


def test_validity_agrees_with_the_jts_suite() -> None:
    lines = shared_data("badinput", "jts", "validity.jsonl").read_text().splitlines()
    judged = 0
    for line in lines:
        case = json.loads(line)
        if "POLYGON" not in case["geom"] or "COLLECTION" in case["geom"]:
            continue
        with np.errstate(invalid="ignore"):  # the suite has coordinates that are no numbers
            geometry = shapely.from_wkt(case["geom"])
        assert (invalidity(geometry) is None) is case["is_valid"], case["desc"]
        judged += 1
    assert judged > 50


CUT = ["complex-split", "crossing-latitude", "multi-split", "one-hole", "over-180", "split", "two-holes"]


@pytest.mark.parametrize("name", CUT)
def test_a_shape_that_was_cut_at_the_antimeridian_is_no_crossing(name: str) -> None:
    path = shared_data("badinput", "antimeridian", "tests", "data", "output", "flat", f"{name}.json")
    assert judge(path) == ["area_too_large"]


@pytest.mark.parametrize("name", ["one-hole", "two-holes", "split", "multi-split", "complex-split"])
def test_an_uncut_crossing_is_refused(name: str) -> None:
    path = shared_data("badinput", "antimeridian", "tests", "data", "input", f"{name}.json")
    assert "antimeridian" in judge(path)


def test_longitudes_beyond_180_degrees_are_refused() -> None:
    path = shared_data("badinput", "antimeridian", "tests", "data", "input", "over-180.json")
    assert judge(path) == ["bad_longitude"]
