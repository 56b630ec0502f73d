"""`vicino webhook replay` as a person uses it."""

import asyncio
import os
import sys

import asyncpg
import pytest

from server.clock import from_us
from tests import logbook
from tests.integration.conftest import RETAILER
from tests.support import REPOSITORY

AT = from_us(1_800_000_000_000_000)  # 2027-01-15

ADD_ENDPOINT = """
INSERT INTO webhook_endpoints (retailer_id, endpoint_id, url, types)
VALUES ($1, 'whe_a', 'https://shop.example/hooks', '{push.sent}')
"""
ADD_MESSAGE = """
INSERT INTO webhook_messages
  (retailer_id, message_id, endpoint_id, type, payload, state, created_at, queued_at, due_at, settled_at)
VALUES ($1, $2, 'whe_a', 'push.sent', '{}', $3, $4, $4, $4, $4)
"""


@pytest.fixture
async def messages(database_url: str, retailers: None) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(ADD_ENDPOINT, RETAILER)
        for name, state in (("msg_a", "failed"), ("msg_b", "delivered"), ("msg_c", "failed")):
            await connection.execute(ADD_MESSAGE, RETAILER, name, state, AT)
    finally:
        await connection.close()


async def pending(database_url: str) -> list[str]:
    connection = await asyncpg.connect(database_url)
    try:
        query = "SELECT message_id FROM webhook_messages WHERE state = 'pending' ORDER BY message_id"
        return [row[0] for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def replay(database_url: str, *arguments: str) -> tuple[int, str, str]:
    """Runs `vicino webhook replay` with the arguments: its exit status, output and errors."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server", "webhook", "replay", *arguments),
        cwd=REPOSITORY,
        env={**os.environ, "VICINO_DATABASE_URL": database_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    logbook.note(errors)
    return process.returncode or 0, output.decode(), errors.decode()


async def test_what_failed_since_a_time_is_sent_again(messages: None, database_url: str) -> None:
    status, output, _ = await replay(database_url, "whe_a", "--retailer", RETAILER, "--since", "2027-01-15")

    assert (status, output) == (0, "2 messages are sent again\n")
    assert await pending(database_url) == ["msg_a", "msg_c"]


async def test_what_came_after_the_time_is_left_alone(messages: None, database_url: str) -> None:
    status, output, _ = await replay(database_url, "whe_a", "--retailer", RETAILER, "--since", "2027-01-16")

    assert (status, output) == (0, "0 messages are sent again\n")


async def test_an_unknown_endpoint_is_bad_use(messages: None, database_url: str) -> None:
    status, _, errors = await replay(database_url, "whe_b", "--retailer", RETAILER, "--since", "2027-01-15")

    assert status == 2
    assert errors == "vicino: whe_b: this retailer has no such webhook endpoint\n"
