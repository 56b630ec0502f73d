"""Nominatim, asked through geopy.

Only the configured host is ever asked: no redirect is followed and no proxy of the environment is used.
Requests go out one a second at most, which is what the public Nominatim's usage policy asks for.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import SplitResult

import aiohttp
import msgspec
import yarl
from geopy.adapters import AdapterHTTPError, AioHTTPAdapter
from geopy.exc import GeocoderParseError, GeocoderServiceError, GeocoderTimedOut, GeopyError
from geopy.extra.rate_limiter import AsyncRateLimiter
from geopy.geocoders import Nominatim
from msgspec import Struct

from server.imports.geocoding import Ask, Found, NotFound

_USER_AGENT = "vicino-store-import"
#: An answer for one place has a few hundred bytes.
_MAX_ANSWER_BYTES = 64 * 1024


@asynccontextmanager
async def asking(url: SplitResult, *, min_delay_s: float, timeout_s: float) -> AsyncIterator[Ask]:
    """How to ask the Nominatim at `url`, at a bounded rate, while the block lasts."""
    async with Nominatim(
        scheme=url.scheme,
        domain=url.netloc + url.path.rstrip("/"),
        user_agent=_USER_AGENT,
        timeout=timeout_s,
        proxies={},
        adapter_factory=_OneHostAdapter,
    ) as nominatim:
        limited = AsyncRateLimiter(
            nominatim.geocode,
            min_delay_seconds=min_delay_s,
            # A failure is told to the person who imports, who has the file and can try again.
            max_retries=0,
            error_wait_seconds=min_delay_s,
            swallow_exceptions=False,
        )

        async def ask(address: str) -> Found | NotFound:
            return await _located(limited, address)

        yield ask


async def _located(limited: AsyncRateLimiter, address: str) -> Found | NotFound:
    try:
        location = await limited(address)
    except GeocoderTimedOut:
        return NotFound(code="geocoder_failed", detail="the geocoder did not answer in time")
    except GeopyError as error:
        return NotFound(code="geocoder_failed", detail=f"the geocoder failed: {_one_line(error)}")
    if location is None:
        return NotFound(code="no_place_found", detail="the geocoder knows no such address")
    return Found(lat_deg=location.latitude, lon_deg=location.longitude)


class _Place(Struct, frozen=True, kw_only=True, gc=False):
    """What of a place in Nominatim's answer is read."""

    lat: str
    lon: str
    display_name: str = ""


class _OneHostAdapter(AioHTTPAdapter):  # type: ignore[misc] # geopy has no types
    """geopy's own adapter, save that it follows no redirect, bounds the answer, and reads only
    places in it."""

    async def get_json(
        self,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109 - geopy's signature
        headers: dict[str, str],
    ) -> Any:
        with self._normalize_exceptions():
            async with self.session.get(
                yarl.URL(url, encoded=True),
                timeout=aiohttp.ClientTimeout(total=timeout),
                headers=headers,
                allow_redirects=False,
                ssl=self.ssl_context,
            ) as response:
                # One byte beyond the limit tells a long answer from one that just fits.
                answer = await _at_most(response.content, _MAX_ANSWER_BYTES + 1)
                if response.status >= 400:
                    raise AdapterHTTPError(
                        f"it answered {response.status}",
                        status_code=response.status,
                        headers=response.headers,
                        text=answer.decode(errors="replace"),
                    )
                if response.status != 200:
                    raise GeocoderServiceError(f"it answered {response.status}")
                return _places(answer)


async def _at_most(stream: aiohttp.StreamReader, limit_bytes: int) -> bytes:
    answer = bytearray()
    while len(answer) < limit_bytes and (part := await stream.read(limit_bytes - len(answer))):
        answer += part
    return bytes(answer)


def _places(answer: bytes) -> list[dict[str, Any]]:
    """The places of an answer. Raises GeocoderParseError.

    Positions are checked here, since geopy would turn a longitude of 181 into -179.
    """
    if len(answer) > _MAX_ANSWER_BYTES:
        raise GeocoderParseError("its answer is too long")
    try:
        places = msgspec.json.decode(answer, type=list[_Place])
        on_earth = all(abs(float(place.lat)) <= 90 and abs(float(place.lon)) <= 180 for place in places)
    except (ValueError, RecursionError) as error:  # msgspec's own errors are ValueErrors, too
        raise GeocoderParseError("its answer is no list of places") from error
    if not on_earth:
        raise GeocoderParseError("its answer is no position on Earth")
    return [msgspec.to_builtins(place) for place in places]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
