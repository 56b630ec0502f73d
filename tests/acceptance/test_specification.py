"""Schemathesis reads `/openapi.json` and asks everything of it, as each kind of caller."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from tests.acceptance.mall import mall

#: What must never be: a 5xx, an answer or a status that is not described.
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
RUNS_S = 240  #: a run may take as long on a machine that does other things
EXAMPLES = 3  #: of each operation and phase


@pytest.mark.timeout(RUNS_S + 60)
@pytest.mark.parametrize("kind", ["app", "device", "server", "till"])
async def test_whatever_is_asked_is_answered_as_described(
    database_url: str, tmp_path: Path, kind: str
) -> None:
    async with mall(database_url, tmp_path) as opened:
        shopper = await opened.shopper()
        credential = shopper._credential if kind == "device" else opened.keys[f"{kind}_key"]
        async with opened.session.get(f"{opened.vicino.url}/openapi.json") as answer:
            described = json.loads(await answer.read())
        wanted = [
            operation["operationId"]
            for operations in described["paths"].values()
            for operation in operations.values()
            if {kind: []} in operation["security"] or not operation["security"]
        ]
        assert len(wanted) > 2
        chosen = [f"--include-operation-id={name}" for name in wanted if name != "delete_v1_me"]
        process = await asyncio.create_subprocess_exec(
            *(str(Path(sys.executable).with_name("schemathesis")), "run"),
            f"{opened.vicino.url}/openapi.json",
            *("--checks", CHECKS, "--phases", "examples,fuzzing,stateful", "--max-examples", str(EXAMPLES)),
            *("--seed", "7", "--max-time", str(RUNS_S // 2), "--no-color", "--workers", "1"),
            *("--request-timeout", "30", "--suppress-health-check", "all", "--warnings", "off"),
            *("-H", f"Authorization: Bearer {credential}", *chosen),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await asyncio.wait_for(process.communicate(), RUNS_S)

    text = told.decode(errors="replace")
    assert process.returncode == 0, text[-6000:]
    assert "passed" in text, text[-2000:]
