"""Requests whose end or address two programs could read differently are refused, and the line hung up."""

from urllib.parse import urlsplit

from aiohttp import HttpVersion11, web

from server.problems import Problem


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
    if urlsplit(target).netloc.lower() != request.host.lower():
        raise HangUp(400, "bad_target", "the address names another host than Host does: send the path alone")
