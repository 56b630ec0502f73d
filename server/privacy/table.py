"""A row of the data map, and the words that its rows share."""

import msgspec

JOURNAL, RECORD, SHORT = "`VICINO_JOURNAL_DAYS` (1 day before today)", "until she is erased", "1 day"
VISITS = "`VICINO_VISITS_DAYS` (90)"
DECISIONS = "`VICINO_DECISIONS_DAYS` (180)"
REDEMPTIONS = "`VICINO_REDEMPTIONS_DAYS` (396, 13 months)"
AUDIT = "`VICINO_AUDIT_DAYS` (365)"
WITH_SHOPPER, REWRITTEN = "rows of the shopper deleted", "her inputs cut out of every row"


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One table: what it is for, what of it is personal, how long it is kept, how a shopper leaves it."""

    name: str
    about: str
    purpose: str = ""  #: for which consent or duty; empty: nothing personal in it
    personal: dict[str, str] = {}  #: column -> what it says of a person
    other: tuple[str, ...] = ()  #: columns that say nothing of a person
    kept: str = "until the retailer removes it"
    erased: str = ""  #: how; empty: nothing personal in it
    exported: bool = False  #: as a file of its own name
    copied: str = "no"  #: where else in an export it is
    withheld: tuple[str, ...] = ("retailer_id",)  #: columns that an export leaves out


IDS = {"shopper_id": "pseudonym of the person", "device_id": "pseudonym of an installation of the app"}
DECISION = {"decision_id": "names a decision about her"}
