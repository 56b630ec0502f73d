"""The demo's retailer across runs: its keys lie in `demo.json` in the data directory, for the owner alone."""

import os
from pathlib import Path

import msgspec

from server.demo.client import Keys

FILE_NAME = "demo.json"


def read_keys(data_dir: Path) -> Keys | None:
    """The keys of the last run; None where there are none that can be read."""
    try:
        return msgspec.json.decode((data_dir / FILE_NAME).read_bytes(), type=Keys)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def write_keys(data_dir: Path, keys: Keys) -> None:
    """Keeps the keys, readable by nobody else at any moment."""
    part = data_dir / f"{FILE_NAME}.part"
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(keys)) + b"\n")
    part.replace(data_dir / FILE_NAME)
