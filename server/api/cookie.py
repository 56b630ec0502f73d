"""The session's cookie: how it is named, when it may be set, and what a request needs beside it.

A browser sends a cookie whoever made the request. So one that changes something also carries a token that no
other site can know (`Vicino-CSRF`), and its `Origin` has to be ours.
"""

import hmac
import ipaddress
from typing import Final

from aiohttp import web

from server.accounts.sessions import User, csrf_token
from server.api.route import SERVICES
from server.problems import Problem

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER: Final = "Vicino-CSRF"
#: On requests that a page makes by itself: they do not keep a session alive.
UNATTENDED_HEADER: Final = "Vicino-Unattended"


def is_https(request: web.Request) -> bool:
    """Whether the browser came by HTTPS: to us, or to a proxy of ours that says so."""
    if request.secure:
        return True
    told = request.headers.get("X-Forwarded-Proto", "")
    return told == "https" and request.app[SERVICES].door.trusts(request.remote)


def name_of(request: web.Request) -> str:
    """The cookie's name. By plain HTTP it cannot have the prefix that browsers guard; there it is only for
    this machine, whose ports share their cookies.
    """
    if is_https(request):
        return "__Host-vicino"
    return f"vicino-{request.url.port}"


def require_private(request: web.Request) -> None:
    """Raises Problem 403 where a password or cookie would cross a network in the clear."""
    if not (is_https(request) or (_is_loopback(request.url.host) and _is_loopback(request.remote))):
        detail = "sign in over HTTPS (a proxy in front tells it by X-Forwarded-Proto), or on this machine"
        raise Problem(403, "needs_https", detail)


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def token_in(request: web.Request) -> str | None:
    """The session's token, if the request carries one."""
    token = request.cookies.get(name_of(request))
    return token if token and token.isascii() else None


def keep(request: web.Request, response: web.Response, token: str) -> None:
    """Gives the browser the token. It goes when the browser is closed; the server ends it before."""
    response.set_cookie(
        name_of(request), token, path="/", secure=is_https(request), httponly=True, samesite="Strict"
    )


def forget(request: web.Request, response: web.Response) -> None:
    """Takes the token away again."""
    response.del_cookie(
        name_of(request), path="/", secure=is_https(request), httponly=True, samesite="Strict"
    )


def require_own_origin(request: web.Request) -> None:
    """Raises Problem 403 for what another site's page sent."""
    own = f"{'https' if is_https(request) else 'http'}://{request.host}"
    if (
        request.headers.get("Origin") != own
        or request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin"
    ):
        raise Problem(403, "foreign_origin", "this was sent by another site's page")


async def signed_in(request: web.Request) -> tuple[str, User] | None:
    """The session of a request and whose it is, if it has one that holds. Raises Problem 403 where it would
    change something and does not show that the console sent it.
    """
    token = token_in(request)
    if token is None:
        return None
    by_itself = UNATTENDED_HEADER in request.headers or "text/event-stream" in request.headers.get(
        "Accept", ""
    )
    user = await request.app[SERVICES].sessions.user(token, awake=not by_itself)
    if user is None:
        return None
    if request.method not in _SAFE:
        require_own_origin(request)
        shown = request.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(shown.encode(), csrf_token(token).encode()):
            raise Problem(403, "bad_csrf_token", "reload the page: it is of an older session")
    return token, user
