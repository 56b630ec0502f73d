"""Errors on their way to a client: RFC 9457 problem details."""

from http import HTTPStatus
from typing import Any, Self

import msgspec
from aiohttp import web


class Problem(Exception):  # noqa: N818 - RFC 9457's word
    """An answer that is not a success: a status, a reason code, and what to do about it.

    `code` is stable and for programs; `detail` is for people and names the field and the remedy.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        field: str | None = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        title = HTTPStatus(status).phrase
        body: dict[str, Any] = {"type": f"urn:vicino:{code}", "title": title, "status": status}
        body |= {"code": code, "detail": detail}
        if field is not None:
            body["field"] = field
        self.status = status
        self.body = body | more
        self.headers = headers

    def at(self, status: int) -> Self:
        """The same with another status."""
        self.status = status
        self.body |= {"title": HTTPStatus(status).phrase, "status": status}
        return self

    def response(self) -> web.Response:
        """The answer that tells it."""
        return web.Response(
            body=msgspec.json.encode(self.body),
            status=self.status,
            headers=self.headers,
            content_type="application/problem+json",
        )


def bad_json(error: Exception) -> Problem:
    """400 for a body that is no JSON at all, nested without end, or not UTF-8."""
    return Problem(400, "bad_json", f"the body is not valid JSON: {error}")


def not_acceptable(error: msgspec.ValidationError) -> Problem:
    """422 for JSON of the wrong shape; msgspec's message ends in the path of the field."""
    message, _, path = str(error).partition(" - at `")
    field = path.rstrip("`").removeprefix("$").removeprefix(".") or None
    return Problem(422, "bad_field", message, field=field)
