"""Headers of every answer that a browser might come by: it is not guessed at, kept, or fetched in the clear.

Answers to pings from raw bytes (`server/api/plain.py`) go to phones and have none of these.
"""

import re
import secrets
from typing import Final

from aiohttp import web

from server.api.cookie import is_https
from server.api.route import SERVICES

#: For two years, for all subdomains: once a browser has come by HTTPS it does not come otherwise.
HSTS = "max-age=63072000; includeSubDomains"


#: The request's name in the log. Digits of hexadecimal alone: nothing that says who somebody is can be one.
HEADER: Final = "X-Request-Id"
REQUEST_ID: Final = web.RequestKey("request_id", str)
_NAME = re.compile(r"[0-9a-f-]{8,64}")


def request_id_of(request: web.Request) -> str:
    """That which a proxy of ours has given it, or a new one."""
    told = request.headers.get(HEADER, "")
    if _NAME.fullmatch(told) and request.app[SERVICES].door.trusts(request.remote):
        return told
    return secrets.token_hex(8)


async def guard_answer(request: web.Request, response: web.StreamResponse) -> None:
    """What the handler has not said itself."""
    headers = response.headers
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Cache-Control", "no-store")
    headers.setdefault("Referrer-Policy", "no-referrer")
    if response.content_type != "text/html":  # pages have a policy of their own
        headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    if (name := request.get(REQUEST_ID)) is not None:
        headers[HEADER] = name
    if is_https(request):
        headers.setdefault("Strict-Transport-Security", HSTS)
