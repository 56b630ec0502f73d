"""The rows of the table about selling: offers' life, whom they are for, tills, presence, deliveries."""

from server.api import campaigns, codes, deliveries, devices, presence, redemptions
from server.api.route import Route
from server.api.rows import DEVICE, EVERYBODY, MARKETERS, SERVER, TILL, row

SELLING: list[Route] = [
    row(
        "POST",
        "/v1/offers/preview",
        MARKETERS,
        campaigns.preview,
        "How an offer's messages will look, and what is doubtful in them",
        body=campaigns.Preview,
    ),
    row("POST", "/v1/offers/stop", MARKETERS, campaigns.stop, "Stop all offers at once"),
    row(
        "POST",
        "/v1/offers/{external_id}/{action:approve|start|pause|resume|end}",
        MARKETERS,
        campaigns.act,
        "Move an offer on in its life",
    ),
    row(
        "GET",
        "/v1/offers/{external_id}/approvals",
        MARKETERS,
        campaigns.approvals,
        "Who approved an offer, and whether it is still as it was then",
    ),
    row("GET", "/v1/codes", MARKETERS, codes.every, "Pools of codes, and how many are left"),
    row(
        "POST",
        "/v1/codes/{pool}",
        MARKETERS,
        codes.add,
        "Add codes to a pool, one a line",
        body_most=16 << 20,
    ),
    row("DELETE", "/v1/codes/{pool}", MARKETERS, codes.remove, "Take the free codes out of a pool"),
    row(
        "GET",
        "/v1/devices/{device_id}/traits",
        SERVER,
        devices.get_traits,
        "What the retailer told of a device's shopper: loyalty tier, lifecycle",
    ),
    row(
        "PUT",
        "/v1/devices/{device_id}/traits",
        SERVER,
        devices.put_traits,
        "Tell what is known of a device's shopper",
        body=devices.TraitsBody,
    ),
    row(
        "POST",
        "/v1/redemptions",
        TILL,
        redemptions.redeem,
        "Redeem a coupon, once, or a part of it",
        body=redemptions.Redemption,
    ),
    row(
        "POST",
        "/v1/redemptions/reversals",
        TILL,
        redemptions.reverse,
        "Take a redemption back",
        body=redemptions.Reversal,
    ),
    row("POST", "/v1/redemptions/csv", TILL, redemptions.upload, "Tell of redemptions later, as CSV"),
    row(
        "POST", "/v1/presence", DEVICE, presence.issue, "A token that she is at a store", body=presence.Wanted
    ),
    row("GET", "/v1/presence/keys", TILL, presence.keys, "The keys by which a till verifies tokens offline"),
    row(
        "POST",
        "/v1/presence/verify",
        TILL,
        presence.verify_token,
        "Whether a presence token is good",
        body=presence.Shown,
    ),
    row(
        "GET",
        "/v1/deliveries",
        EVERYBODY,
        deliveries.counts,
        "What became of pushes and webhook messages, counted",
        query=("since", "until"),
    ),
]
