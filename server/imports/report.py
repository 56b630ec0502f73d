"""What an import did, in full: its counts, what it refused and why, and for a dry run the differences."""

from typing import Literal, TypeAlias

from msgspec import Struct

from server.imports.problem import Problem
from server.publish import Difference, Kind

ImportKind: TypeAlias = Literal["stores", "geofences", "catalog", "inventory", "offers", "sensitive"]

#: The kind under which each import's records are published; what stores have is a part of the products.
PUBLISHED_KIND: dict[ImportKind, Kind] = {
    "stores": "store",
    "geofences": "geofence",
    "catalog": "product",
    "inventory": "product",
    "offers": "offer",
    "sensitive": "sensitive",
}

#: Problems that say the input was no list of records at all.
_UNREADABLE = frozenset({"bad_csv", "bad_encoding", "bad_json", "no_records", "not_an_object", "too_deep"})


class ImportReport(Struct, frozen=True, kw_only=True):
    """The outcome of one import. The counts of a dry run say what it would have done."""

    kind: ImportKind
    dry_run: bool = False
    version: int | None = None  #: the retailer's version afterwards; None where nothing came to be published
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    refused: int = 0  #: records
    problems: tuple[Problem, ...] = ()  #: one or more for each of the first refused records
    warnings: tuple[Problem, ...] = ()  #: about records that were accepted, or rightly left out
    differences: tuple[Difference, ...] = ()  #: of a dry run

    @property
    def accepted(self) -> int:
        """How many bodies are now as the input says; with `radius`, a store and its circle are two."""
        return self.created + self.updated + self.unchanged

    @property
    def status(self) -> int:
        """The HTTP status: 200 where a record was accepted or none was wrong, 400 where the body as a
        whole cannot be read, else 422.
        """
        if self.accepted or not self.problems:
            return 200
        return 400 if all(p.index < 0 and p.code in _UNREADABLE for p in self.problems) else 422
