"""The way of a shopper and of tills over HTTP, to `./vicino serve`."""

import contextlib
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from offers.consent import PURPOSES
from tests.faults.races.town import WAVE, place_of, skus_of, store_of
from tests.faults.races.visit import Undone

TIMEOUT_S = 20.0
BUSY = 429
UNANSWERED = (aiohttp.ClientError, TimeoutError, ConnectionError)


class OverHttp:
    """Phones and tills. It knows coupons as phones do: from the inbox."""

    def __init__(self, session: aiohttp.ClientSession, url: str, keys: dict[str, str]) -> None:
        self._session, self._url, self._keys = session, url, keys
        self._codes: dict[str, str] = {}  #: by decision
        self._coupons: defaultdict[int, set[str]] = defaultdict(set)  #: decisions, by wave

    async def arrive(self, shopper: int) -> str:
        device = {"platform": "android", "consents": {purpose: {"granted": True} for purpose in PURPOSES}}
        installed = await self._post("/v1/devices", device, self._keys["app_key"], f"install-{shopper}")
        token: str = installed["access_token"]
        seen = [(sku, ago) for sku in skus_of(shopper) for ago in (2, 1)]
        views = [{"kind": "view", "sku": sku, "at": _time(ago)} for sku, ago in seen]
        await self._post("/v1/events", {"events": views}, token)
        lat, lon = place_of(store_of(shopper))
        fix = {"lat": lat, "lon": lon, "fixed_at": _time(0), "accuracy_m": 6.0}
        await self._post("/v1/pings", {"fixes": [fix]}, token)
        return token

    async def look(self, who: str, shopper: int, number: int) -> None:
        view = {"kind": "view", "sku": skus_of(shopper)[number], "at": _time(0)}
        await self._post("/v1/events", {"events": [view]}, who)

    async def leave(self, who: str, shopper: int) -> None:
        for item in (await self._ask("GET", "/v1/inbox", None, who))["items"]:
            self._codes[item["decision_id"]] = item["code"]
            self._coupons[shopper // WAVE].add(item["decision_id"])

    async def coupons(self, shopper: int) -> list[str]:
        return sorted(self._coupons[shopper // WAVE])

    async def back(self) -> bool:
        with contextlib.suppress(*UNANSWERED):
            async with self._session.get(f"{self._url}/readyz") as answer:
                return answer.status == 200
        return False

    async def redeem(self, decision_id: str, key: str) -> bool:
        body = {"code": self._codes[decision_id]}
        answer = await self._ask("POST", "/v1/redemptions", body, self._keys["till_key"], key)
        return "redeemed_at" in answer

    async def _post(self, path: str, body: Any, credential: str, key: str = "") -> Any:
        return await self._ask("POST", path, body, credential, key)

    async def _ask(self, method: str, path: str, body: Any, credential: str, key: str = "") -> Any:
        """The answer, of a coupon that was redeemed before too. Raises Undone."""
        headers = {"Authorization": f"Bearer {credential}"} | ({"Idempotency-Key": key} if key else {})
        data = None if body is None else json.dumps(body).encode()
        try:
            async with self._session.request(method, self._url + path, data=data, headers=headers) as answer:
                told = await answer.json()
        except UNANSWERED as error:
            raise Undone from error
        if answer.status == BUSY or answer.status >= 500:
            raise Undone
        assert answer.status in (200, 201, 409), told
        return told


def _time(ago_s: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=ago_s)).isoformat()
