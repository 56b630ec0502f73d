"""The pages for app developers: every command on them works as it stands."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.acceptance.mall import Mall, mall

DOCS = Path(__file__).parents[2] / "docs"
#: Where the variables come from that the other pages use.
FIRST = ("apps/README.md", "how-to/send-pings.md")
#: An answer that is an error ends the script.
STRICT = 'set -euo pipefail\ncurl() { command curl --fail-with-body "$@"; }\n'
PAGES = sorted(str(path.relative_to(DOCS)) for path in (DOCS / "apps").glob("*.md"))


@pytest.fixture
async def now(database_url: str, tmp_path: Path) -> AsyncIterator[Mall]:
    async with mall(database_url, tmp_path, now=datetime.now(UTC).isoformat()) as opened:
        yield opened


def commands(page: str) -> str:
    return "\n".join(re.findall(r"^```sh\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE))


async def shell(opened: Mall, script: str, folder: Path) -> str:
    """What it prints. Fails where a command does."""
    keys = {"KEYS": json.dumps(opened.keys, separators=(",", ":")), "URL": opened.vicino.url}
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", STRICT + script),
        cwd=folder,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", **keys},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()
    return told.decode()


def test_every_page_but_the_stores_rules_has_commands() -> None:
    assert [page for page in PAGES if not commands(page)] == ["apps/store-rules.md"]
    assert len(PAGES) >= 9


@pytest.mark.parametrize("page", PAGES)
async def test_the_commands_of_a_page_work_as_they_stand(now: Mall, tmp_path: Path, page: str) -> None:
    script = "\n".join(commands(one) for one in dict.fromkeys((*FIRST, page)))

    told = await shell(now, script, tmp_path)

    assert '"accepted":1' in told, "the pings of the page that comes first"


async def test_her_rights_end_with_a_copy_and_a_receipt(now: Mall, tmp_path: Path) -> None:
    told = await shell(now, "\n".join(commands(page) for page in (*FIRST, "apps/rights.md")), tmp_path)

    receipt = json.loads(told.splitlines()[-1])
    assert receipt["erased"]["shoppers"] == 1
    assert receipt["erased_at"] is not None
    assert (tmp_path / "copy.zip").read_bytes().startswith(b"PK")
