"""`server.config`: the environment, or the one line that says what is wrong with it."""

from pathlib import Path

import pytest

from server.config import REPOSITORY, Config
from server.errors import BadUse


def test_an_empty_environment_gives_the_defaults() -> None:
    config = Config.from_env({})
    assert (config.host, config.port, config.log, config.database_url) == ("127.0.0.1", 8080, "text", None)
    assert config.data_dir == REPOSITORY / ".vicino"


def test_every_variable_is_read_into_its_field() -> None:
    config = Config.from_env(
        {
            "VICINO_DATABASE_URL": "postgresql://me@host/db",
            "VICINO_DATA_DIR": "data",
            "VICINO_PORT": "0",
            "VICINO_LOG": "json",
            "VICINO_FCM_CREDENTIALS": "account.json",
            "VICINO_JOURNAL_DAYS": "7",
            "VICINO_FAULT": "sent:2",
        }
    )
    assert config == Config(
        database_url="postgresql://me@host/db",
        data_dir=Path("data"),
        port=0,
        log="json",
        fcm_credentials=Path("account.json"),
        journal_days=7,
        fault="sent:2",
    )


def test_an_empty_variable_counts_as_absent() -> None:
    assert Config.from_env({"VICINO_KAFKA": "", "VICINO_PORT": ""}) == Config()


def test_other_programs_variables_and_the_tests_own_are_none_of_its_business() -> None:
    assert Config.from_env({"PATH": "x", "VICINO_TEST_REQUIRE": "all"}) == Config()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("VICINO_PORT", "eighty", "VICINO_PORT: expected an integer from 0 to 65535 (0: any free port)"),
        ("VICINO_PORT", "65536", "VICINO_PORT: expected an integer from 0 to 65535 (0: any free port)"),
        ("VICINO_LOG", "xml", "VICINO_LOG: expected text or json"),
        (
            "VICINO_DATABASE_URL",
            "mysql://u:secret@h/d",
            "VICINO_DATABASE_URL: expected postgresql://user:password@host:port/database",
        ),
        ("VICINO_PROT", "1", "VICINO_PROT: no such setting; did you mean VICINO_PORT?"),
        ("VICINO_ZZZZZZZZ", "1", "VICINO_ZZZZZZZZ: no such setting"),
        ("VICINO_FAULT", "before_commit", "VICINO_FAULT: expected PLACE:N, as in before_commit:3"),
        ("VICINO_KAFKA", "one", "VICINO_KAFKA: expected host:port, with commas between"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_that_names_the_variable(
    name: str, value: str, message: str
) -> None:
    with pytest.raises(BadUse) as refused:
        Config.from_env({name: value})
    assert str(refused.value) == message
