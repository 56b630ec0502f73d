"""Starts the demo and stops it: the stand-in FCM, the server, the retailer's data, the shoppers, the screen.

The only module of the demo that knows how the server is put together.
"""

import asyncio
import contextlib
import os
import tempfile
import webbrowser
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from rich.console import Console

from server import logs
from server.accounts.users import NewUser, add_user
from server.app import Running, running
from server.cli.retailer import create_retailer
from server.clock import SystemClock
from server.config import Config
from server.db import Database
from server.demo.client import Api, ApiError, Keys, new_session
from server.demo.crowd import keep_busy
from server.demo.feed import Feed, Happening
from server.demo.helsinki import read_shops, read_town
from server.demo.keys import read_keys, write_keys
from server.demo.ports import free_port
from server.demo.retail import (
    RETAILER,
    SETTINGS,
    Retail,
    catalog_document,
    found_retail,
    geofences_document,
    offers_document,
    stores_document,
)
from server.demo.scene import Scene
from server.demo.screen import counts, plain_line, show_live
from server.demo.welcome import Place, console_url, has_screen, heading, invitation, title, whereabouts
from server.errors import VicinoError
from server.imports import ImportKind, import_body
from server.machine_code import compile_what_is_new
from server.standin.fcm import StandinFcm

LOG_FILE = "demo.log"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    shoppers: int
    seed: int
    for_s: float | None = None  #: how long; None: until it is stopped
    port: int | None = None  #: None: the configuration's, or the next free one
    port_is_set: bool = False  #: the environment names the configuration's port, so no other will do


async def run_demo(config: Config, options: Options, console: Console) -> None:
    """Runs until its time is over or it is cancelled, and leaves nothing running.

    Raises VicinoError where the server cannot start.
    """
    config, note = _with_port(config, options)
    # The map is read while PostgreSQL starts: both have to wait for something else most of the time.
    await compile_what_is_new(console.out)
    town = asyncio.create_task(asyncio.to_thread(read_town))
    retail = found_retail(read_shops())
    console.out(title(retail), style="bold", highlight=False)
    async with contextlib.AsyncExitStack() as stack:
        log = stack.enter_context(contextlib.ExitStack())  # entered first: the server's end is logged too
        with console.status("starting PostgreSQL and the server …"):
            standin = await stack.enter_async_context(StandinFcm())
            server = await stack.enter_async_context(_server(config, standin))
        config.data_dir.mkdir(parents=True, exist_ok=True)
        level = logs.LEVELS[config.log_level]
        file = log.enter_context((config.data_dir / LOG_FILE).open("a"))
        logs.configure(config.log, file, level=level)
        log.callback(logs.configure, config.log, level=level)
        session = await stack.enter_async_context(new_session())
        api = Api(session, server.url)
        with console.status("publishing shops, products and offers …"):
            keys = await _retailer(api, server.database, config.data_dir)
            await _publish(server.database, keys, retail)
            keys = await _account(server.database, keys, config.data_dir)
        place = Place(
            url=server.url,
            data_dir=config.data_dir,
            log_file=config.data_dir / LOG_FILE,
            keys=keys,
            note=note,
        )
        feed = _feed(console)
        scene = Scene(
            api=api,
            keys=keys,
            phones=standin,
            retail=retail,
            town=await town,
            feed=feed,
            clock=SystemClock(),
        )
        try:
            await _play(scene, place, options, console)
        finally:
            _sum_up(console, feed)


@contextlib.asynccontextmanager
async def _server(config: Config, standin: StandinFcm) -> AsyncIterator[Running]:
    """The whole of Vicino, with its pushes going to the stand-in."""
    with tempfile.TemporaryDirectory(prefix="vicino-demo-") as folder:
        config = msgspec.structs.replace(
            config,
            fcm_credentials=standin.service_account_file(Path(folder) / "service-account.json"),
            fcm_endpoint=standin.url,
        )
        async with running(config, clock=SystemClock()) as server:
            yield server


async def _retailer(api: Api, database: Database, data_dir: Path) -> Keys:
    """The retailer of the last run, or a new one where its keys are gone or open nothing any more."""
    keys = read_keys(data_dir)
    if keys is not None and await _is_known(api, keys):
        return keys
    made = await create_retailer(database, RETAILER, SETTINGS)
    keys = msgspec.convert(made, Keys)
    write_keys(data_dir, keys)
    return keys


async def _account(database: Database, keys: Keys, data_dir: Path) -> Keys:
    """The keys, with an account that opens the console."""
    if keys.password:
        return keys
    email = f"demo-{keys.retailer_id[-6:]}@example.org"
    async with database.transaction(keys.retailer_id) as connection:
        wanted = NewUser(email=email, role="admin", name="Demo")
        made = await add_user(
            connection, keys.retailer_id, wanted, actor="demo", now_us=SystemClock().now_us()
        )
    keys = msgspec.structs.replace(keys, email=email, password=made["password"])
    write_keys(data_dir, keys)
    return keys


async def _is_known(api: Api, keys: Keys) -> bool:
    try:
        await api.get("/v1/stores", keys.server_key, {"limit": "1"})
    except ApiError as error:
        if error.status == 401:
            return False
        raise
    return True


async def _publish(database: Database, keys: Keys, retail: Retail) -> None:
    documents: dict[ImportKind, bytes] = {
        "stores": stores_document(retail),
        "geofences": geofences_document(retail),
        "catalog": catalog_document(retail),
        "offers": offers_document(retail),
    }
    for kind, document in documents.items():
        report = await import_body(database, keys.retailer_id, kind, document, now_us=SystemClock().now_us())
        if report.problems:
            raise VicinoError(f"the demo's {kind} were refused: {report.problems[0]}")


def _with_port(config: Config, options: Options) -> tuple[Config, str]:
    """The configuration with the port to use, and what to say about it."""
    if options.port is not None or options.port_is_set:
        asked = config.port if options.port is None else options.port
        return msgspec.structs.replace(config, port=asked), ""
    port = free_port(config.host, config.port)
    note = "" if port == config.port else f"port {config.port} is taken, so this is port {port}"
    return msgspec.structs.replace(config, port=port), note


def _feed(console: Console) -> Feed:
    def print_row(row: Happening) -> None:
        console.out(plain_line(row), highlight=False)

    return Feed(None if console.is_terminal else print_row)


async def _play(scene: Scene, place: Place, options: Options, console: Console) -> None:
    if console.is_terminal and has_screen(os.environ):
        await asyncio.to_thread(webbrowser.open, console_url(place))
    greeting = f"{whereabouts(place)}\n\n{invitation(place, scene.retail)}\n"
    console.out(greeting, highlight=False)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(keep_busy(scene, shoppers=options.shoppers, seed=options.seed))]
        if console.is_terminal:
            lines_above = 1 + len(greeting.splitlines())
            showing = show_live(scene.feed, console, heading(place), lines_above=lines_above)
            tasks.append(group.create_task(showing))
        if options.for_s is not None:
            await asyncio.sleep(options.for_s)
            for task in tasks:
                task.cancel()


def _sum_up(console: Console, feed: Feed) -> None:
    if not console.is_terminal:  # on one, the last frame stays and says it
        console.out(counts(feed).plain, highlight=False)
    console.out("stopping …", highlight=False)
