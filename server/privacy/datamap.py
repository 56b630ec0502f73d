"""The data map: every table, and of each every column that can say something of a person.

A test compares it with the schema, so a table or column that is not registered here, and thereby escapes
erasure, export or retention, fails. `docs/data-map.md` is written from it.
"""

from server.privacy.table import Table
from server.privacy.what_was_said import WHAT_WAS_SAID
from server.privacy.who_and_where import WHO_AND_WHERE

DATA_MAP: tuple[Table, ...] = (*WHO_AND_WHERE, *WHAT_WAS_SAID)
