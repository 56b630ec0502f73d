"""The geofences of an offline replay, from a GeoJSON file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from geo.fence import Fence
from geo.geojson import features_of, fence_from_feature
from geo.index import FenceSet
from geo.problem import FenceRejected, Problem
from server.errors import BadUse


def load_fences(path: Path, *, say: Callable[[str], None]) -> FenceSet:
    """The geofences of a GeoJSON file (`read_fences`), ready to be matched."""
    return FenceSet.build(read_fences(path, say=say))


def read_fences(path: Path, *, say: Callable[[str], None]) -> list[Fence]:
    """The geofences of a GeoJSON file, in its order. `say` gets one line for each problem of each feature.

    What only a server needs may be missing here: a fence without `properties.store` is its own store, and
    one without `properties.external_id` is named by the feature's id. Raises BadUse when any feature is
    refused: a fence that silently vanished would make the answer wrong.
    """
    fences: dict[str, Fence] = {}
    refused = 0
    for number, feature in enumerate(_features(path), start=1):
        problems: list[Problem] = []
        try:
            fence = fence_from_feature(_named(feature))
        except FenceRejected as rejected:
            problems = rejected.problems
        else:
            if fence.external_id in fences:
                problems = [_taken(fence.external_id)]
            fences[fence.external_id] = fence
        refused += bool(problems)
        for problem in problems:
            say(f"{path}: feature {number}: {problem.field}: {problem.detail}")
    if refused:
        raise BadUse(f"{path}: {refused} of its features can be no geofences; correct them")
    if not fences:
        raise BadUse(f"{path}: there is no geofence in it")
    return list(fences.values())


def _features(path: Path) -> list[dict[str, Any]]:
    try:
        return features_of(msgspec.json.decode(path.read_bytes().removeprefix(b"\xef\xbb\xbf")))
    except FenceRejected as rejected:
        raise BadUse(f"{path}: {rejected}") from rejected
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadUse(f"{path}: it is not JSON ({error})") from error


def _named(feature: dict[str, Any]) -> dict[str, Any]:
    """The feature with the names that stand in for those of a server."""
    given = feature.get("properties")
    if given is not None and not isinstance(given, dict):
        return feature
    properties = dict(given or {})
    if "external_id" not in properties and isinstance(feature.get("id"), str | int):
        properties["external_id"] = str(feature["id"])
    if "store" not in properties and "external_id" in properties:
        properties["store"] = properties["external_id"]
    return feature | {"properties": properties}


def _taken(external_id: str) -> Problem:
    detail = f"{external_id!r} names two features; give each its own"
    return Problem(code="duplicate", field="properties.external_id", detail=detail)
