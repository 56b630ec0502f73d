"""What the tests of imports and publishing share: two retailers with nothing published."""

import asyncpg
import pytest

RETAILER = "ret_a"


@pytest.fixture
async def retailers(database_url: str) -> None:
    """Makes the retailers `ret_a` and `ret_b`."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.executemany(
            "INSERT INTO retailers (retailer_id, name, secret) VALUES ($1, $1, 'secret')",
            [(RETAILER,), ("ret_b",)],
        )
    finally:
        await connection.close()
