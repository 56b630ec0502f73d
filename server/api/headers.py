"""Headers of every answer that a browser might come by: it is not guessed at, kept, or fetched in the clear.

Answers to pings from raw bytes (`server/api/plain.py`) go to phones and have none of these.
"""

from aiohttp import web

from server.api.cookie import is_https

#: For two years, for all subdomains: once a browser has come by HTTPS it does not come otherwise.
HSTS = "max-age=63072000; includeSubDomains"


async def guard_answer(request: web.Request, response: web.StreamResponse) -> None:
    """What the handler has not said itself."""
    headers = response.headers
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Cache-Control", "no-store")
    headers.setdefault("Referrer-Policy", "no-referrer")
    if response.content_type != "text/html":  # pages have a policy of their own
        headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    if is_https(request):
        headers.setdefault("Strict-Transport-Security", HSTS)
