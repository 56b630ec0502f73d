"""Requests whose end or address two programs could read differently are refused, and the line hung up."""

from urllib.parse import urlsplit

from aiohttp import HttpVersion11, web

from server.problems import Problem

_UNUSUAL = (b"transfer-encoding", b"content-encoding", b"\r\nconnection", b"\r\nexpect", b"\r\n ", b"\r\n\t")
MOST = 16 << 10  #: bytes of a request that is read by itself


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


def whole_request(data: bytes) -> tuple[str, bytes] | None:
    """The credential and the body of `data`, if that is exactly one plain request with a bearer token."""
    end = data.find(b"\r\n\r\n")
    if end < 0 or len(data) > MOST:
        return None
    head = data[: end + 2]
    plain = head.lower()
    if any(name in plain for name in _UNUSUAL):
        return None
    length, bearer = _only(plain, b"\r\ncontent-length: "), _only(plain, b"\r\nauthorization: bearer ")
    if length is None or bearer is None or not plain[length[0] : length[1]].isdigit():
        return None
    body = data[end + 4 :]
    if int(plain[length[0] : length[1]]) != len(body):
        return None
    return head[bearer[0] : bearer[1]].decode("latin-1"), body


def _only(plain: bytes, name: bytes) -> tuple[int, int] | None:
    """Where the value of a header lies that is there once."""
    at = plain.find(name)
    if at < 0 or plain.count(name[2 : name.index(b":")]) != 1:
        return None
    return at + len(name), plain.index(b"\r\n", at + len(name))
