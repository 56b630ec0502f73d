"""What the demo keeps between runs, and which port it takes."""

import socket
import stat
from pathlib import Path

from server.demo.client import Keys
from server.demo.keys import FILE_NAME, read_keys, write_keys
from server.demo.ports import free_port

KEYS = Keys(retailer_id="ret_x", app_key="pk_x", server_key="sk_x", till_key="tk_x")


def test_keys_are_there_again_in_the_next_run(tmp_path: Path) -> None:
    write_keys(tmp_path, KEYS)
    assert read_keys(tmp_path) == KEYS


def test_only_the_owner_can_read_the_keys(tmp_path: Path) -> None:
    write_keys(tmp_path, KEYS)
    write_keys(tmp_path, KEYS)
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_without_a_file_there_are_no_keys(tmp_path: Path) -> None:
    assert read_keys(tmp_path) is None


def test_a_damaged_file_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('{"app_key": ')
    assert read_keys(tmp_path) is None


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port("127.0.0.1", port) > port
