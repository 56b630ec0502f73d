"""Connections to one server, against servers on real sockets that answer as they are told."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from notifications.providers import connections
from notifications.providers.connections import ConnectionLost, Connections, Reply, Unreachable

REQUEST = b"POST /send HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\n{}"
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Answers the n-th request with the n-th of its answers; closes where there is none left."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.connections = 0
        self.heard: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while head := await _head(reader):
            self.heard.append(head + await reader.readexactly(2))
            if not self.answers:
                break
            writer.write(self.answers.pop(0))


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


@asynccontextmanager
async def running(serve: Serve, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The server's address and port."""
    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            await serve(reader, writer)
        except ConnectionError:
            pass  # the client has gone, as some of these tests want it to
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        for writer in writers:
            writer.close()
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def connected(serve: Serve) -> AsyncIterator[Connections]:
    async with running(serve) as authority:
        pool = Connections(f"http://{authority}", connect_timeout_s=5)
        try:
            yield pool
        finally:
            pool.close()


async def test_one_request_after_another_takes_the_same_connection() -> None:
    server = Server(FINE, FINE)
    async with connected(server) as pool:
        assert await pool.request(REQUEST) == Reply(status=200, retry_after=None, body=b"fine")
        await pool.request(REQUEST)
    assert (server.connections, server.heard) == (1, [REQUEST, REQUEST])


async def test_requests_side_by_side_take_one_each() -> None:
    server = Server(*[FINE] * 3)
    async with connected(server) as pool:
        await asyncio.gather(*(pool.request(REQUEST) for _ in range(3)))
    assert server.connections == 3


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nfi\r\n2\r\nne\r\n0\r\n\r\n",
            Reply(status=200, retry_after=None, body=b"fine"),
        ),
        (
            b"HTTP/1.1 429 Too Many\r\nretry-after: 17\r\nContent-Length: 0\r\n\r\n",
            Reply(status=429, retry_after="17", body=b""),
        ),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" + FINE, Reply(status=200, retry_after=None, body=b"fine")),
    ],
)
async def test_an_answer_is_read_in_each_form_it_may_have(answer: bytes, reply: Reply) -> None:
    async with connected(Server(answer, FINE)) as pool:
        assert await pool.request(REQUEST) == reply
        assert (await pool.request(REQUEST)).body == b"fine"


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _head(reader)
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n<title>502")

    async with connected(serve) as pool:
        assert await pool.request(REQUEST) == Reply(status=502, retry_after=None, body=b"<title>502")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nfine",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n" + b"x" * 400_000,
    ],
    ids=["none", "half a head", "half a body", "no HTTP", "endless"],
)
async def test_what_is_no_whole_answer_leaves_open_what_became_of_the_request(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _head(reader)
        writer.write(answer)

    async with connected(serve) as pool:
        with pytest.raises(ConnectionLost):
            await pool.request(REQUEST)


async def test_a_connection_that_is_to_be_closed_is_not_used_again() -> None:
    server = Server(FINE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), FINE)
    async with connected(server) as pool:
        await pool.request(REQUEST)
        await pool.request(REQUEST)
    assert server.connections == 2


async def test_a_connection_on_which_more_came_than_was_asked_for_is_not_used_again() -> None:
    server = Server(FINE + FINE, FINE)
    async with connected(server) as pool:
        await pool.request(REQUEST)
        await pool.request(REQUEST)
    assert server.connections == 2


async def test_a_connection_that_nobody_used_for_long_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(FINE, FINE)
    monkeypatch.setattr(connections, "IDLE_S", -1.0)
    async with connected(server) as pool:
        await pool.request(REQUEST)
        await pool.request(REQUEST)
    assert server.connections == 2


async def test_a_late_answer_is_nobody_elses() -> None:
    asked, late = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _head(reader)
        if not asked.is_set():
            asked.set()
            await late.wait()
            writer.write(FINE.replace(b"fine", b"late"))
        else:
            writer.write(FINE)

    async with connected(serve) as pool:
        impatient = asyncio.create_task(pool.request(REQUEST))
        await asked.wait()
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        late.set()
        assert (await pool.request(REQUEST)).body == b"fine"


async def test_closing_ends_what_is_under_way_and_what_comes_later() -> None:
    asked, never = asyncio.Event(), asyncio.Event()

    async def serve(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        asked.set()
        await never.wait()

    async with connected(serve) as pool:
        request = asyncio.create_task(pool.request(REQUEST))
        await asked.wait()
        pool.close()
        with pytest.raises(ConnectionLost):
            await request
        with pytest.raises(Unreachable):
            await pool.request(REQUEST)
        never.set()


class TestThroughAProxy:
    @pytest.fixture
    def trusted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
        """What serves as `localhost`, by a certificate that everybody here trusts."""
        certificate, key = _certificate(tmp_path)
        serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        serving.load_cert_chain(certificate, key)
        trusting = ssl.create_default_context(cafile=str(certificate))
        monkeypatch.setattr(ssl, "create_default_context", lambda: trusting)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        return serving

    async def test_a_server_with_tls_is_reached_through_the_environments_proxy(
        self, trusted: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[bytes] = []

        async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await _head(reader))
            host, port = asked[0].split()[1].decode().split(":")
            there = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_pass_on(reader, there[1]), _pass_on(there[0], writer))

        async with running(Server(FINE, FINE), tls=trusted) as authority, running(proxy) as at:
            monkeypatch.setenv("HTTPS_PROXY", f"http://user:p%40ss@{at}")
            pool = Connections(f"https://localhost:{authority.split(':')[1]}", connect_timeout_s=5)
            assert (await pool.request(REQUEST)).body == b"fine"
            assert (await pool.request(REQUEST)).body == b"fine"
            pool.close()
        [head] = asked
        assert head.startswith(b"CONNECT localhost:")
        assert b"Proxy-Authorization: Basic dXNlcjpwQHNz\r\n" in head

    async def test_a_proxy_that_refuses_was_sent_nothing(
        self, trusted: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await _head(reader)
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

        server = Server(FINE)
        async with running(server, tls=trusted) as authority, running(proxy) as at:
            monkeypatch.setenv("HTTPS_PROXY", f"http://{at}")
            pool = Connections(f"https://localhost:{authority.split(':')[1]}", connect_timeout_s=5)
            with pytest.raises(Unreachable):
                await pool.request(REQUEST)
        assert server.connections == 0

    async def test_a_certificate_of_nobody_we_trust_is_sent_nothing(
        self, trusted: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.undo()
        server = Server(FINE)
        async with running(server, tls=trusted) as authority:
            pool = Connections(f"https://localhost:{authority.split(':')[1]}", connect_timeout_s=5)
            with pytest.raises(Unreachable):
                await pool.request(REQUEST)
        assert server.heard == []


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path, key_path = folder / "certificate.pem", folder / "key.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path, key_path
