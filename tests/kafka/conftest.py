"""The mall over Kafka, in topics that a test knows the names of."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.ids import new_id
from server.kafka.topics import Topics
from tests.acceptance import scaled
from tests.acceptance.mall import Mall, mall


@pytest.fixture
def topics() -> Topics:
    return Topics(new_id("test"))


@pytest.fixture
async def at_noon(
    database_url: str, tmp_path: Path, kafka: str, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Mall]:
    monkeypatch.setattr(scaled, "new_id", lambda _: topics.prefix)
    async with mall(database_url, tmp_path, kafka=kafka) as opened:
        yield opened
