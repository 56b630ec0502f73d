"""Imports of stores, geofences, the catalog, offers and sensitive places, from files and requests."""

from server.imports.author import Author
from server.imports.geocoding import Geocoder
from server.imports.importer import import_body
from server.imports.listing import BadCursor, Page, delete_one, get_one, get_versions, list_page
from server.imports.problem import Problem
from server.imports.report import ImportKind, ImportReport

__all__ = [
    "Author",
    "BadCursor",
    "Geocoder",
    "ImportKind",
    "ImportReport",
    "Page",
    "Problem",
    "delete_one",
    "get_one",
    "get_versions",
    "import_body",
    "list_page",
]
