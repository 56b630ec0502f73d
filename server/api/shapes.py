"""What the API answers, as types: `/openapi.json` describes it by these. Handlers build the same by hand."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from offers.event import EventBody
from offers.hours import QuietHours
from server.parts import PartStanding
from server.wire import MOST_RECORDS, Rejected, WireCrossing

At = Annotated[datetime, msgspec.Meta(tz=True)]
Cursor = Annotated[str | None, msgspec.Meta(description="of the next page; null: there is none")]
Record = dict[str, Any]


class Shape(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An answer."""


class ProblemDetails(Shape, frozen=True, kw_only=True):
    """RFC 9457. `code` is stable and for programs, `detail` for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    field: str | None = None


class WatchCircle(Shape, frozen=True, kw_only=True):
    geofence_id: str  #: empty: the rim of the safe region
    lat: float
    lon: float
    radius_m: float


class NextReport(Shape, frozen=True, kw_only=True):
    """When to report next: beyond so many metres, or after so many seconds."""

    after_m: float
    within_s: float
    watch: list[WatchCircle]


class PingTaken(Shape, frozen=True, kw_only=True):
    accepted: int
    rejected: list[Rejected]
    next: NextReport | None = None


class Taken(Shape, frozen=True, kw_only=True):
    accepted: int
    rejected: list[Rejected]


class BrowseEvents(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    events: Annotated[list[EventBody], msgspec.Meta(max_length=MOST_RECORDS)]
    device_id: str | None = None


class FenceCrossings(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    crossings: Annotated[list[WireCrossing], msgspec.Meta(max_length=MOST_RECORDS)]
    device_id: str | None = None


class ConsentTold(Shape, frozen=True, kw_only=True):
    granted: bool
    at: At | None = None
    expires_at: At | None = None
    text_version: str | None = None
    text_hash: str | None = None
    locale: str | None = None


class Consents(Shape, frozen=True, kw_only=True):
    nearby_offers: ConsentTold
    background_location: ConsentTold
    push: ConsentTold
    personalisation: ConsentTold
    insight: ConsentTold


class ConsentWanted(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    granted: bool
    text_version: str | None = None
    text_hash: str | None = None
    locale: str | None = None


class ConsentsWanted(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The purposes that are named change; the others stay as they are."""

    nearby_offers: ConsentWanted | None = None
    background_location: ConsentWanted | None = None
    push: ConsentWanted | None = None
    personalisation: ConsentWanted | None = None
    insight: ConsentWanted | None = None


class Listed(Shape, frozen=True, kw_only=True):
    items: list[Record]


class Page(Shape, frozen=True, kw_only=True):
    items: list[Record]
    next_cursor: Cursor


class Preferences(Shape, frozen=True, kw_only=True):
    max_per_day: int | None = None
    max_per_week: int | None = None
    quiet_hours: QuietHours | None = None
    timezone: str | None = None
    muted_categories: list[str] | None = None
    muted_stores: list[str] | None = None
    minimum_percent: float | None = None
    maximum_distance_m: float | None = None
    paused_until: At | None = None


class InboxItem(Shape, frozen=True, kw_only=True):
    id: str
    decision_id: str
    offer: str
    title: str
    body: str
    code: str
    store: str
    expires_at: At
    created_at: At
    unread: bool
    deep_link: str | None = None
    image: str | None = None
    delivered_at: At | None = None
    opened_at: At | None = None
    dismissed_at: At | None = None


class Inbox(Shape, frozen=True, kw_only=True):
    items: list[InboxItem]
    unread: int
    next_cursor: Cursor


class Transition(Shape, frozen=True, kw_only=True):
    geofence: str
    store: str
    kind: Literal["enter", "dwell", "exit", "pass_by"]
    at: At
    received_at: At
    confidence: float
    revised: bool


class Visit(Shape, frozen=True, kw_only=True):
    geofence: str
    store: str
    entered_at: At
    dwelled_at: At | None
    exited_at: At | None


class History(Shape, frozen=True, kw_only=True):
    transitions: list[Transition]
    visits: list[Visit]


class Receipt(Shape, frozen=True, kw_only=True):
    """Why there was an offer, or silence."""

    id: str
    moment: Record
    outcome: Literal["offer", "silence"]
    reasons: list[str]
    gates: list[Record]
    candidates: list[Record]
    propensity: float
    policy: str
    versions: dict[str, Any]
    decided_at: At
    device: str
    timings_ms: dict[str, float]
    offer: str | None = None
    ghost: Record | None = None
    push: Record | None = None


class Receipts(Shape, frozen=True, kw_only=True):
    items: list[Receipt]
    next_cursor: Cursor


class Redeemed(Shape, frozen=True, kw_only=True):
    status: Literal["redeemed", "partly_redeemed"]
    offer: str
    store: str
    sku: str | None
    discount: Any
    decision_id: str
    redeemed_at: At
    saving: str
    left: str | None = None
    plausibility: Any = None


class FeatureCollection(Shape, frozen=True, kw_only=True):
    type: Literal["FeatureCollection"]
    features: list[Record]
    next_cursor: Cursor


class Endpoint(Shape, frozen=True, kw_only=True):
    id: str
    url: str
    types: list[str]
    created_at: At
    disabled_at: At | None
    disabled_reason: str | None


class EndpointWithSecret(Endpoint, frozen=True, kw_only=True):
    secret: str


class Endpoints(Shape, frozen=True, kw_only=True):
    items: list[Endpoint]
    next_cursor: Cursor


class Queued(Shape, frozen=True, kw_only=True):
    queued: int


class Backlog(Shape, frozen=True, kw_only=True):
    waiting: int
    oldest_due_at: At | None


class Aside(Shape, frozen=True, kw_only=True):
    at: At
    reason: str
    detail: str


class Freshness(Shape, frozen=True, kw_only=True):
    policy: str
    model: str | None
    fitted_at: At | None
    learned_at: At | None


class Standing(Shape, frozen=True, kw_only=True):
    pushes: Backlog
    webhooks: Backlog
    put_aside: int
    newest_put_aside: list[Aside]
    model: Freshness
    partitions: list[PartStanding] | None


class Status(Shape, frozen=True, kw_only=True):
    status: str
