"""Kafka by TLS and SASL: a broker whose listener takes nothing else; and what is told where it is not so."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from server.app import running
from server.config import Config
from server.doctor.health import examine_server
from server.errors import BadUse
from server.ids import new_id
from server.kafka.cluster import Cluster
from server.kafka.topics import KafkaUnfit, Topics, set_up
from server.working import KafkaAway
from tests.acceptance import mall as malls
from tests.acceptance.mall import mall
from tests.acceptance.scaled import PARTS
from tests.conftest import data_folder
from tests.kafka.broker import Kafka, jars
from tests.kafka.secured import PASSWORD, USER, Issuer, Secured, permit


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with data_folder() as made:
        yield made


@pytest.fixture(scope="module")
def issuer(folder: Path) -> Issuer:
    return Issuer(folder, "ca")


@pytest.fixture(scope="module")
async def secured(folder: Path, issuer: Issuer) -> AsyncIterator[Kafka]:
    """A broker that wants TLS with a client's certificate, and SASL, at `secured_servers`."""
    jars()
    async with Kafka(folder / "kafka", secured=Secured(issuer, client_certificates=True)) as cluster:
        await permit(cluster.servers, "test")
        yield cluster


@pytest.fixture(scope="module")
def well(secured: Kafka, issuer: Issuer) -> Config:
    """The settings that it lets in."""
    certificate, key = issuer.issue("client")
    return Config(
        kafka=secured.secured_servers,
        kafka_tls="on",
        kafka_ca=issuer.ca,
        kafka_certificate=certificate,
        kafka_key=key,
        kafka_user=USER,
        kafka_password=PASSWORD,
    )


def but(config: Config, **changes: object) -> Config:
    return msgspec.structs.replace(config, **changes)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
async def test_the_topics_are_set_up_and_doctored_by_tls_and_sasl(
    well: Config, mechanism: str, database_url: str, tmp_path: Path
) -> None:
    config = but(well, kafka_sasl=mechanism, kafka_topics=new_id("test"), data_dir=tmp_path)

    await set_up(
        Cluster.of(config), Topics(config.kafka_topics), database_url, parts=2, replicas=1, journal_days=1
    )

    [told] = [one for one in await examine_server(config, database_url) if one.what == "Kafka"]
    assert told.told == "1 copies of each record"  # all else is well


async def test_a_ping_becomes_an_offer_over_tls_and_sasl(
    well: Config, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = malls.mall_config
    names = ("tls", "ca", "certificate", "key", "user", "password")
    settings = {f"kafka_{name}": getattr(well, f"kafka_{name}") for name in names}
    monkeypatch.setattr(malls, "mall_config", lambda *given: but(plain(*given), **settings))

    async with mall(database_url, tmp_path, kafka=well.kafka) as opened:
        shopper = await opened.shopper()
        await shopper.looks_at("T-1")
        assert (await shopper.ping(north_m=40))["accepted"] == 1
        [item] = await shopper.inbox()
        assert (await opened.till.post("/v1/redemptions", {"code": item["code"]}))["status"] == "redeemed"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kafka_password": "wrong"}, "VICINO_KAFKA_PASSWORD"),
        ({"kafka_user": "nobody"}, "VICINO_KAFKA_USER"),
        ({"kafka_sasl": "SCRAM-SHA-256"}, "VICINO_KAFKA_SASL"),
        ({"kafka_ca": None}, "VICINO_KAFKA_CA"),
        ({"kafka_user": None, "kafka_password": None}, "VICINO_KAFKA_USER"),
        ({"kafka_certificate": None, "kafka_key": None}, "VICINO_KAFKA_CERTIFICATE"),
        (
            {"kafka_tls": "off", "kafka_ca": None, "kafka_certificate": None, "kafka_key": None},
            "VICINO_KAFKA_TLS=on",
        ),
    ],
)
async def test_what_the_broker_does_not_let_in_is_told_with_the_setting(
    well: Config, changes: dict[str, object], told: str, database_url: str, tmp_path: Path
) -> None:
    config = but(well, **changes, data_dir=tmp_path)

    with pytest.raises(KafkaUnfit, match=told):
        await set_up(Cluster.of(config), Topics("t"), database_url, parts=2, replicas=1, journal_days=1)

    [finding] = [one for one in await examine_server(config, database_url) if one.what == "Kafka"]
    assert not finding.well
    assert told in finding.remedy


async def test_what_the_user_may_not_do_is_told_and_nothing_is_made(well: Config, database_url: str) -> None:
    config = but(well, kafka_topics="elsewhere")

    with pytest.raises(KafkaUnfit, match=r"(?i)authoriz"):
        await set_up(
            Cluster.of(config), Topics("elsewhere"), database_url, parts=2, replicas=1, journal_days=1
        )


async def test_a_server_with_the_wrong_password_stops_and_says_so(
    well: Config, secured: Kafka, database_url: str
) -> None:
    config = but(well, kafka_topics=new_id("test"), database_url=database_url, port=0)
    topics = Topics(config.kafka_topics)
    await set_up(Cluster.of(config), topics, database_url, parts=PARTS, replicas=1, journal_days=1)

    with pytest.raises(KafkaAway, match="VICINO_KAFKA_PASSWORD"):
        async with running(but(config, kafka_password="wrong"), role="edge"):
            pass
    with pytest.raises(KafkaAway, match="port for TLS in VICINO_KAFKA"):
        async with running(but(config, kafka=secured.servers), role="edge"):
            pass


async def test_a_certificate_that_another_authority_has_issued_is_not_believed(
    well: Config, tmp_path: Path
) -> None:
    trouble = await Cluster.of(but(well, kafka_ca=Issuer(tmp_path, "other").ca)).trouble()

    assert trouble is not None
    assert "VICINO_KAFKA_CA" in trouble.remedy


async def test_a_key_that_others_can_read_is_told(well: Config, database_url: str, tmp_path: Path) -> None:
    assert well.kafka_key is not None
    open_to_all = tmp_path / "key.pem"
    open_to_all.write_bytes(well.kafka_key.read_bytes())
    open_to_all.chmod(0o644)

    found = await examine_server(but(well, kafka_key=open_to_all, data_dir=tmp_path), database_url)

    assert [one.remedy for one in found if one.what == "Kafka"] == [f"chmod 600 {open_to_all}"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kafka_ca": Path("ca.pem")}, "VICINO_KAFKA_CA is for TLS: set VICINO_KAFKA_TLS=on"),
        ({"kafka_tls": "on", "kafka_ca": Path("no.pem")}, "VICINO_KAFKA_CA: no.pem cannot be read"),
        ({"kafka_tls": "on", "kafka_ca": Path(__file__)}, "holds no certificate"),
        ({"kafka_tls": "on", "kafka_key": Path(__file__)}, "VICINO_KAFKA_CERTIFICATE: a key is of no use"),
        ({"kafka_tls": "on", "kafka_certificate": Path(__file__)}, "no certificate and its key"),
        ({"kafka_user": "me"}, "VICINO_KAFKA_PASSWORD: SASL needs both"),
        ({"kafka_password": "me"}, "VICINO_KAFKA_USER: SASL needs both"),
        ({"kafka_user": "me", "kafka_password": "me", "kafka_sasl": "PLAIN"}, "needs VICINO_KAFKA_TLS=on"),
    ],
)
def test_settings_that_do_not_go_together_are_told_by_name(changes: dict[str, object], told: str) -> None:
    with pytest.raises(BadUse, match=told):
        Cluster.of(but(Config(kafka="127.0.0.1:9092"), **changes))


def test_a_password_is_in_no_representation() -> None:
    config = Config(kafka="127.0.0.1:9092", kafka_user="me", kafka_password="hidden words")
    assert "hidden" not in repr(Cluster.of(config))
