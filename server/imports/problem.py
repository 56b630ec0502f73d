"""What an import says about its records: where each one stood, its body, or why it was refused."""

from typing import Any

from msgspec import Struct


class Place(Struct, frozen=True, gc=False):
    """Where a record stood in its file."""

    index: int  #: 0-based, among the file's records; -1 speaks of the whole file
    line: int | None = None  #: 1-based, in formats that have lines


class Problem(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Why a record was refused, or (as a warning) what about an accepted one deserves a look."""

    index: int  #: 0-based, among the records; -1 speaks of the whole file
    line: int | None = None  #: 1-based, in formats that have lines
    external_id: str | None = None
    field: str  #: a path such as `discount.value`; "" speaks of the whole record
    code: str
    detail: str
    remedy: str


class Record(Struct, frozen=True, gc=False):
    """One record of a file, not yet judged."""

    place: Place
    body: dict[str, Any]
    size_bytes: int = 0  #: of the record as it came, where that may be large
    texts: bool = False  #: every value is text, as in a row of CSV
    warnings: tuple[Problem, ...] = ()  #: what was already mended in it


#: The place of problems of a whole file.
WHOLE_FILE = Place(index=-1)

#: What to do about a problem, by its code. A code that is absent says it all by its detail.
REMEDIES = {
    "unknown_property": "Remove it, or mend its spelling if it was meant for Vicino.",
    "bad_character": "Remove the character; if the file is not in UTF-8, save it as UTF-8.",
    "bad_csv": "Check the quoting there: a quote inside a quoted cell is written twice.",
    "bad_currency": "Write the code of ISO 4217, such as EUR.",
    "bad_encoding": "Save the file as UTF-8.",
    "bad_id": "Write the id without blanks around it.",
    "bad_interval": "Let `from` be before `until`.",
    "bad_xml": "Check the XML there; what stood before it was read.",
    "bad_json": "Check the JSON syntax there; numbers must be finite.",
    "bad_latitude": "GeoJSON puts the longitude first: are the two swapped?",
    "bad_opening_hours": "Write OpenStreetMap's syntax, such as `Mo-Sa 09:00-20:00`.",
    "cell_count": "Give each line as many cells as the header; quote cells that hold the delimiter.",
    "closed_for_good": "Delete the store if it was published earlier.",
    "duplicate_column": "Name each column once.",
    "duplicate_id": "Give each record an id of its own; the first one was taken.",
    "empty": "Fill it in, or leave the field out if it is optional.",
    "sensitive_place": "Draw it elsewhere, correct the place or its distance_m, or ask for an override.",
    "clipped": "If that matters draw it beside the sensitive place, or ask for an override.",
    "far_from_store": "Are longitude and latitude swapped? GeoJSON puts the longitude first.",
    "foreign_store": "Ask an admin, who can bind your account to that store.",
    "geocoder_failed": "Try again later, or give `lat` and `lon`.",
    "geocoder_limit": "Send the rest again, or use `vicino import`, which has no such limit.",
    "invalid": "Give a value of the type that is expected.",
    "invalid_polygon": "Redraw it so that no ring crosses or touches itself along a line.",
    "kept_geofence": "Import it as a geofence to change it, or delete it first.",
    "missing": "Give the field.",
    "missing_column": "Add the column to the header.",
    "missing_position": "Give `lat` and `lon`, or an address and a geocoder.",
    "needs_geocoding": "Give `lat` and `lon`, or name a geocoder with VICINO_GEOCODER or --geocoder.",
    "no_place_found": "Make the address more precise, or give `lat` and `lon`.",
    "no_records": "Send at least one record.",
    "no_stable_id": "Give the feature `@spider` and `ref`, or an `external_id` of your own.",
    "not_an_object": "Give a JSON object with named fields.",
    "price_by_store": "Vicino keeps one price of a product: a message may name that one at this store.",
    "too_deep": "Flatten it; one record a line keeps the others safe.",
    "too_large": "Simplify the record: 256 KiB is the most.",
    "too_slow": "Simplify the shape.",
    "unknown_category": "Harmless if products of it are to come; else check the spelling.",
    "unknown_column": "Rename or remove the column.",
    "unknown_field": "Rename or remove the field.",
    "unknown_product": "Import the product first, or check the spelling.",
    "unknown_sku": "Harmless if the products are to come; else check the spelling.",
    "unknown_store": "Import the store first, or check the spelling.",
    "unknown_timezone": "Write a name of the IANA database, such as Europe/Helsinki.",
}

#: Problems that are no fault of the record: it was rightly left out.
NO_FAULT = frozenset({"closed_for_good"})


def problem_at(place: Place, code: str, field: str, detail: str, external_id: object = None) -> Problem:
    """A problem of the record at `place`, with the remedy its code has."""
    return Problem(
        index=place.index,
        line=place.line,
        external_id=_tellable(external_id, 200) if isinstance(external_id, str) else None,
        field=_tellable(field, 200),
        code=code,
        detail=_tellable(detail, 1000),
        remedy=REMEDIES.get(code, ""),
    )


def _tellable(text: str, most: int) -> str:
    """Text of a bad record as it can be sent: not too long, and bytes that are no UTF-8 spelled out."""
    return text[:most].encode(errors="backslashreplace").decode()
