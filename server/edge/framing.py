"""Requests whose end or address two programs could read differently are refused, and the line hung up."""

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from aiohttp import HttpVersion11, web

from server.problems import Problem

_UNUSUAL = (b"transfer-encoding", b"content-encoding", b"\r\nconnection", b"\r\nexpect", b"\r\n ", b"\r\n\t")
#: What a header is written with.
_PRINTABLE = bytes(range(0x20, 0x7F)) + b"\t\r\n"
MOST = 16 << 10  #: bytes of a request that is read by itself
HEADS_MOST = 8192  #: heads whose reading is remembered: those of a phone are alike


class PlainRequest(NamedTuple):
    """What counts of a request with plain headers."""

    credential: str  #: the bearer token; empty: none
    body: bytes
    forwarded: str | None  #: X-Forwarded-For
    head: bytes  #: all before the empty line, printable ASCII


class HangUp(Problem):
    """A refusal after which nothing more is read from the connection."""

    def response(self) -> web.Response:
        response = super().response()
        response.force_close()
        return response


def refuse_ambiguous(request: web.Request) -> None:
    """Refuses an address of another host, and HTTP/1.0 with Transfer-Encoding (RFC 9112, 3.2.2 and 6.1).

    A proxy in front may take the host from the one place and we from the other; or may not know of chunks,
    and take the rest of the body for the next request.
    """
    if request.version < HttpVersion11 and "Transfer-Encoding" in request.headers:
        raise HangUp(
            400, "bad_framing", "HTTP/1.0 has no Transfer-Encoding: send Content-Length, or HTTP/1.1"
        )
    target = request.raw_path
    if target.startswith("/") or target == "*":
        return
    if urlsplit(target).netloc.lower() != request.headers.get("Host", "").lower():
        raise HangUp(400, "bad_target", "the address names another host than Host does: send the path alone")


def whole_request(data: bytes) -> PlainRequest | None:
    """`data` as a request, if it is exactly one, and a plain one."""
    end = data.find(b"\r\n\r\n")
    if end < 0 or len(data) > MOST or (read := _plain_head(head := data[: end + 2])) is None:
        return None
    credential, length, forwarded = read
    if length != len(data) - end - 4:
        return None
    return PlainRequest(credential, data[end + 4 :], forwarded, head)


@lru_cache(HEADS_MOST)
def _plain_head(head: bytes) -> tuple[str, int, str | None] | None:
    """The credential, the body's length and X-Forwarded-For of a head in which nothing is unusual."""
    plain = head.lower()
    if any(name in plain for name in _UNUSUAL) or plain.translate(None, _PRINTABLE):
        return None
    length, bearer = _only(plain, b"\r\ncontent-length: "), _only(plain, b"\r\nauthorization: bearer ")
    if length is None or not plain[length[0] : length[1]].isdigit():
        return None
    if bearer is None and plain.count(b"\r\nauthorization") > 1:
        return None
    forwarded = _only(plain, b"\r\nx-forwarded-for: ")
    if plain.count(b"\n") != plain.count(b"\r\n") or (forwarded is None and b"x-forwarded-for" in plain):
        return None
    credential = "" if bearer is None else head[bearer[0] : bearer[1]].decode("ascii")
    told = None if forwarded is None else head[forwarded[0] : forwarded[1]].decode("ascii")
    return credential, int(plain[length[0] : length[1]]), told


def _only(plain: bytes, name: bytes) -> tuple[int, int] | None:
    """Where the value of a header lies that is there once."""
    at = plain.find(name)
    if at < 0 or plain.count(name[2 : name.index(b":")]) != 1:
        return None
    return at + len(name), plain.index(b"\r\n", at + len(name))
