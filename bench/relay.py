"""How many pushes a second one relay sends on one core, over firebase-admin's `send_each_async`.

The relay does all of its work: claims under leases, asks whether each shopper is still there, sends, records.
firebase-admin only sends. The stand-in FCM and PostgreSQL are processes of their own on the other cores; what
the stand-in costs is told apart, since on few cores it bounds the rate as well.
"""

import asyncio
import contextlib
import logging
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import asyncpg
import msgspec

from bench._run import each
from bench._town import figure
from geo.fences.roll import Roll
from notifications.pace import PaceRules
from notifications.providers.fcm import FcmProvider
from offers.consent import Consent
from offers.shopper import Shopper
from server.cli.retailer import create_retailer
from server.clock import SystemClock, from_us
from server.db import Database
from server.device import Device, Inside
from server.migrate import migrate
from server.phones import Phones
from server.postgres import EmbeddedPostgres
from server.records import Record, pack_record
from server.relay import Relay, RelayRules
from server.wanted import still_wanted

PUSHES, ROUNDS, OTHERS = 6_000, 2, 1_500
CHUNK = 500  #: as many as firebase-admin takes at once
STORE = "shop"
#: At full speed from the beginning: the ramp is for FCM's sake. All were decided before the first claim.
RULES = RelayRules(late_s=3600, pace=PaceRules(rate_per_s=1e6, ramp_s=0))
ITEM = {
    "offer": "spring",
    "title": "15% off the Trail trainers",
    "body": "Corner Shoes, at 40 m, until 12:30",
    "code": "7K3MQ9-0V2XWA-T5RBC4",
    "expires_at": "2036-01-01T12:30:00Z",
    "store": STORE,
}
TABLES = {
    "shoppers": ("retailer_id", "shopper_id", "state", "state_day"),
    "devices": ("retailer_id", "device_id", "shopper_id", "platform"),
    "push_addresses": ("retailer_id", "device_id", "kind", "value"),
    "outbox": (
        *("retailer_id", "push_id", "decision_id", "shopper_id", "device_id", "store", "item"),
        *("due_at", "received_at", "decided_at", "expires_at"),
    ),
}


def run() -> Iterator[dict[str, Any]]:
    """Yields both rates by wall clock, and the processor time of a push, here and in the stand-in."""
    yield from each(_measure)


async def _measure() -> AsyncIterator[dict[str, Any]]:
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vicino-bench-")))
        folder.chmod(0o755)  # noqa: ASYNC240 - once, before anything runs; PostgreSQL may run as another user
        server = await stack.enter_async_context(EmbeddedPostgres(folder / "data", say=lambda _: None))
        credentials, endpoint, standin = await stack.enter_async_context(_standin(folder))
        await migrate(server.url)
        database = await stack.enter_async_context(await Database.open(server.url))
        retailer_id = (await create_retailer(database, "bench", {}))["retailer_id"]
        clock = SystemClock()
        provider = await stack.enter_async_context(
            await FcmProvider.open(credentials, endpoint=endpoint, now_us=clock.now_us)
        )
        relay = Relay(database, provider, clock, still_wanted=still_wanted(clock), rules=RULES)
        stack.enter_context(_on_one_core())
        ours, theirs, took_us, standin_us = [], [], [], []
        for number in range(ROUNDS):
            await _fill(server.url, retailer_id, number)
            began, began_cpu, standin_began = time.perf_counter(), time.process_time(), _processor_s(standin)
            assert await relay.run_once() == PUSHES
            ours.append(PUSHES / (time.perf_counter() - began))
            took_us.append((time.process_time() - began_cpu) / PUSHES * 1e6)
            standin_us.append((_processor_s(standin) - standin_began) / PUSHES * 1e6)
            theirs.append(await _firebase_admin(credentials, endpoint))
        async with database.transaction(retailer_id) as connection:
            states = await connection.fetch("SELECT DISTINCT state FROM outbox")
            assert [row["state"] for row in states] == ["sent"], states
    yield figure("relay", median(ours), "pushes/s", ("firebase-admin", median(theirs)))
    yield figure("relay_cpu", median(took_us), "us of the relay's processor time a push")
    yield figure("standin_cpu", median(standin_us), "us of the stand-in's processor time a push")


@contextlib.asynccontextmanager
async def _standin(folder: Path) -> AsyncIterator[tuple[Path, str, int]]:
    """A stand-in FCM in a process of its own; its credentials, its address and its process id."""
    credentials = folder / "account.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server.standin", "--credentials", str(credentials)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode()
        await process.stdout.readline()  # the credentials are written before it
        yield credentials, line.strip().partition("=")[2], process.pid
    finally:
        process.terminate()
        await process.wait()


def _processor_s(pid: int) -> float:
    """Processor time of a process so far (proc(5): utime and stime, counted after the name's parenthesis)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def _on_one_core() -> Iterator[None]:
    """This process alone moves to one core; what it has started stays where it is."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


async def _fill(url: str, retailer_id: str, number: int) -> None:
    """Pushes that are due, each of a shopper who is at the store and permits it."""
    now_us = SystemClock().now_us()
    now, ends = from_us(now_us), from_us(now_us) + timedelta(minutes=15)
    names = [f"{number}{place:09}" for place in range(PUSHES)]
    rows: dict[str, list[tuple[Any, ...]]] = {
        "shoppers": [(f"shp_{name}", _state(name, now_us), now.date()) for name in names],
        "devices": [(f"dev_{name}", f"shp_{name}", "android") for name in names],
        "push_addresses": [(f"dev_{name}", "fcm_token", f"phone-{name}:" + "x" * 130) for name in names],
        "outbox": [
            (f"psh_{name}", f"dec_{name}", f"shp_{name}", f"dev_{name}", STORE, _item(name), *times)
            for name in names
            for times in [(now, now, now, ends)]
        ],
    }
    connection = await asyncpg.connect(url)
    try:
        for table, columns in TABLES.items():
            await connection.copy_records_to_table(
                table, records=[(retailer_id, *row) for row in rows[table]], columns=columns
            )
        await connection.execute("VACUUM ANALYZE outbox, shoppers, devices, push_addresses")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


def _item(name: str) -> str:
    told = ITEM | {"id": f"psh_{name}", "decision_id": f"dec_{name}", "deep_link": f"vicino://offers/{name}"}
    return msgspec.json.encode(told).decode()


def _state(name: str, now_us: int) -> bytes:
    granted = Consent(granted=True, at_us=now_us)
    shopper = Shopper(shopper_id=f"shp_{name}", consents={"push": granted, "nearby_offers": granted})
    here = Inside(geofence="door", store=STORE, entered_at_us=now_us, supported_at_us=now_us)
    device = Device(device_id=f"dev_{name}", inside=(here,))
    return pack_record(Record(shopper=shopper, devices=(device,)), Phones(Roll()))


async def _firebase_admin(credentials: Path, endpoint: str) -> float:
    """Messages a second of `send_each_async`, its address led to the stand-in, which has no public way."""
    import firebase_admin  # noqa: PLC0415 - takes most of a second, which is not measured
    from firebase_admin import credentials as certificates  # noqa: PLC0415
    from firebase_admin import messaging  # noqa: PLC0415

    logging.getLogger("httpx").setLevel(
        logging.WARNING
    )  # it would tell of each request, and be slower for it
    app = firebase_admin.initialize_app(certificates.Certificate(str(credentials)), name=f"{time.time_ns()}")
    with patch.object(
        messaging._MessagingService,  # noqa: SLF001
        "FCM_URL",
        endpoint + "/v1/projects/{0}/messages:send",
    ):
        await messaging.send_each_async([_message(0)], app=app)  # the token and the connection, unmeasured
        began = time.perf_counter()
        for first in range(0, OTHERS, CHUNK):
            sent = await messaging.send_each_async([_message(first + n) for n in range(CHUNK)], app=app)
            assert sent.success_count == CHUNK, sent.responses[0].exception
        return OTHERS / (time.perf_counter() - began)


def _message(number: int) -> Any:
    from firebase_admin import messaging  # noqa: PLC0415

    name = f"other{number:09}"
    ends = {"apns-push-type": "alert", "apns-priority": "10", "apns-collapse-id": name}
    aps = messaging.Aps(alert=messaging.ApsAlert(title=ITEM["title"], body=ITEM["body"]), sound="default")
    return messaging.Message(
        fid=f"phone-{name}:" + "x" * 130,
        notification=messaging.Notification(title=ITEM["title"], body=ITEM["body"]),
        data=ITEM | {"id": name, "push_id": name},
        android=messaging.AndroidConfig(
            ttl=timedelta(minutes=15),
            priority="high",
            collapse_key=name,
            notification=messaging.AndroidNotification(tag=name),
        ),
        apns=messaging.APNSConfig(headers=ends, payload=messaging.APNSPayload(aps=aps)),
    )
