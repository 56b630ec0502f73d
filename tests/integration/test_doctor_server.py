"""`./vicino doctor server`: what a server needs is looked at, and what is not well has a remedy."""

from pathlib import Path

import asyncpg

from server.config import Config
from server.doctor.health import Finding, examine_server
from server.ids import new_id
from server.kafka.cluster import Cluster
from server.kafka.topics import Topics, set_up
from server.standin.fcm import StandinFcm


async def found(config: Config, url: str) -> dict[str, Finding]:
    findings = await examine_server(config, url)
    assert all(one.well or one.remedy for one in findings)
    return {one.what: one for one in findings}


async def test_a_server_that_has_what_it_needs_is_well_but_for_commits_that_are_not_durable(
    database_url: str, tmp_path: Path
) -> None:
    told = await found(Config(data_dir=tmp_path), database_url)

    assert {name for name, one in told.items() if not one.well} == {"PostgreSQL"}
    assert "synchronous_commit is off" in told["PostgreSQL"].told  # tests need no durable one


async def test_a_database_out_of_reach_is_told_as_that(tmp_path: Path) -> None:
    nowhere = Config(data_dir=tmp_path, kafka="127.0.0.1:1")
    for address in ("127.0.0.1:1/nothing", "127.0.0.1:1/nothing?sslmode=bogus"):
        told = await found(nowhere, f"postgresql://nobody@{address}")

        assert not told["PostgreSQL"].well
        assert "VICINO_DATABASE_URL" in told["PostgreSQL"].remedy
        assert set(told) == {
            "PostgreSQL",
            "disk",
            "FCM",
            "Kafka",
        }  # nothing is told of what was not looked at
        assert "VICINO_KAFKA" in told["Kafka"].remedy


async def test_a_schema_that_is_behind_is_told_with_its_remedy(database_url: str, tmp_path: Path) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "DELETE FROM schema_migrations WHERE version = (SELECT max(version) FROM schema_migrations)"
    )
    await connection.close()

    told = await found(Config(data_dir=tmp_path), database_url)

    assert told["schema"].told == "1 migrations are missing"


async def test_credentials_that_others_can_read_or_that_are_none_are_told(
    database_url: str, tmp_path: Path
) -> None:
    async with StandinFcm() as fcm:
        path = fcm.service_account_file(tmp_path / "account.json")
        path.chmod(0o600)
        assert (await found(Config(fcm_credentials=path), database_url))["FCM"].well
        path.chmod(0o644)
        assert "chmod 600" in (await found(Config(fcm_credentials=path), database_url))["FCM"].remedy
    path.write_text("{}")
    path.chmod(0o600)
    assert not (await found(Config(fcm_credentials=path), database_url))["FCM"].well


async def test_kafka_is_well_when_it_is_set_up_and_has_three_copies(
    database_url: str, kafka: str, tmp_path: Path
) -> None:
    prefix = new_id("test")
    config = Config(data_dir=tmp_path, kafka=kafka, kafka_topics=prefix)
    assert "kafka setup" in (await found(config, database_url))["Kafka"].remedy

    await set_up(Cluster(servers=kafka), Topics(prefix), database_url, parts=4, replicas=1, journal_days=1)

    assert (await found(config, database_url))["Kafka"].told == "1 copies of each record"
    assert (await found(Config(), database_url))["Kafka"].remedy == "set VICINO_KAFKA"
    nowhere = Config(kafka="127.0.0.1:1", kafka_topics=prefix)
    assert "VICINO_KAFKA" in (await found(nowhere, database_url))["Kafka"].remedy
