"""Pagination by cursor: the cursor is the position of the last row given, opaque to clients."""

import base64
import binascii
from datetime import datetime

from aiohttp import web

from server.clock import from_us, to_us
from server.problems import Problem

PAGE = 50
PAGE_MOST = 200


def limit_of(request: web.Request) -> int:
    """The `limit` asked for, 1 to 200. Raises Problem 400."""
    text = request.query.get("limit", str(PAGE))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= PAGE_MOST:
        raise Problem(400, "bad_limit", f"limit is a number from 1 to {PAGE_MOST}", field="limit")
    return int(text)


def cursor_for(at: datetime, name: str) -> str:
    """The cursor after the row of that time and id."""
    return base64.urlsafe_b64encode(f"{to_us(at)} {name}".encode()).decode()


def position_of(request: web.Request) -> tuple[datetime | None, str]:
    """The position that `cursor` names; (None, "") without one. Raises Problem 400."""
    cursor = request.query.get("cursor")
    if cursor is None:
        return None, ""
    try:
        at_us, _, name = base64.urlsafe_b64decode(cursor).decode("ascii").partition(" ")
        return from_us(int(at_us)), name
    except (binascii.Error, ValueError, OverflowError):
        raise Problem(400, "bad_cursor", "take the cursor from the last answer", field="cursor") from None
