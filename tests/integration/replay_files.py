"""Traces and geofences for tests of `vicino replay`, and the program itself in a process of its own."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from tests import logbook
from tests.support import REPOSITORY

HEADER = "device,fixed_at,lat,lon,accuracy_m,speed_mps"
#: A thousandth of a degree of latitude is 111 m here.
HOME = {"type": "Point", "coordinates": [25.0, 60.0]}


def circle(name: str | None = "home", *, radius: float = 100, **more: Any) -> dict[str, Any]:
    properties = {"radius": radius} | ({} if name is None else {"external_id": name})
    return {"type": "Feature", "geometry": HOME, "properties": properties} | more


def fences(folder: Path, *features: dict[str, Any]) -> Path:
    path = folder / "fences.geojson"
    path.write_bytes(msgspec.json.encode({"type": "FeatureCollection", "features": features or (circle(),)}))
    return path


def trace(folder: Path, *rows: tuple[str, float, float], name: str = "trace.csv") -> Path:
    """A CSV file of (device, seconds, metres north of the fence's centre)."""
    path = folder / name
    lines = [f"{device},{seconds},{60 + metres / 111_412},25.0,5," for device, seconds, metres in rows]
    path.write_text("\n".join([HEADER, *lines, ""]), "utf-8")
    return path


async def vicino(
    *arguments: str, environment: dict[str, str] | None = None, stderr: int = asyncio.subprocess.PIPE
) -> tuple[int | None, bytes, bytes]:
    """Runs the program in a process of its own: its status, output and errors."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "server", *arguments),
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "TERM": "xterm"} | (environment or {}),
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
    )
    output, errors = await asyncio.wait_for(process.communicate(), timeout=60)
    logbook.note(errors or b"")
    return process.returncode, output, errors or b""
