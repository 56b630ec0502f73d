"""Reads GeoJSON features: a FeatureCollection, a Feature, a bare geometry, or one of these a line."""

from collections.abc import Iterator

from geo.geojson import features_of
from geo.problem import FenceRejected
from server.imports.formats import Format
from server.imports.json_reader import read_json
from server.imports.problem import Problem, Record, problem_at


def read_features(data: bytes, form: Format | None) -> Iterator[Record | Problem]:
    """The features of `data`, unjudged; a bare geometry becomes a feature without properties."""
    for read in read_json(data, form):
        if isinstance(read, Problem) or read.body.get("type") == "Feature":
            yield read
        else:
            yield from _features(read)


def _features(document: Record) -> Iterator[Record | Problem]:
    try:
        features = features_of(document.body)
    except FenceRejected as rejected:
        for problem in rejected.problems:
            yield problem_at(document.place, problem.code, problem.field, problem.detail)
        return
    for feature in features:
        yield Record(document.place, feature, document.size_bytes)
