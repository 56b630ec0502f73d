"""The token endpoint of the stand-in: the JWT bearer grant of RFC 7523, for one account of its own."""

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
#: What google-auth writes as the audience, whatever token endpoint it talks to.
GOOGLE_TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
SUFFICIENT_SCOPES = frozenset(
    {
        "https://www.googleapis.com/auth/firebase.messaging",
        "https://www.googleapis.com/auth/cloud-platform",
    }
)
_MICROSECONDS = 1_000_000


def new_key() -> rsa.RSAPrivateKey:
    """The private key of a service account. It takes most of a second; tests share one."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class TokenEndpoint:
    """Issues access tokens to whoever signs with the account's key, and knows which are still good."""

    def __init__(
        self,
        project_id: str,
        *,
        token_ttl_s: int,
        now_us: Callable[[], int],
        key: rsa.RSAPrivateKey | None = None,
    ) -> None:
        self.email = f"vicino@{project_id}.iam.gserviceaccount.com"
        #: The scopes that each grant asked for, in order.
        self.grants: list[frozenset[str]] = []
        self._project_id = project_id
        self._token_ttl_s = token_ttl_s
        self._now_us = now_us
        self._key = key or new_key()
        self._tokens: dict[str, tuple[int, frozenset[str]]] = {}

    def grant(self, form: dict[str, str], token_url: str) -> tuple[int, dict[str, Any]]:
        """The HTTP status and JSON body for a token request."""
        if form.get("grant_type") != GRANT_TYPE:
            return 400, {"error": "unsupported_grant_type", "error_description": "Invalid grant_type"}
        try:
            claims = jwt.decode(
                form.get("assertion", ""),
                self._key.public_key(),
                algorithms=["RS256"],
                audience=[GOOGLE_TOKEN_URL, token_url],
                issuer=self.email,
                options={"require": ["exp", "iat", "iss", "aud"]},
            )
        except jwt.InvalidTokenError as error:
            return 400, {"error": "invalid_grant", "error_description": f"Invalid JWT: {error}"}
        scopes = frozenset(str(claims.get("scope", "")).split())
        self.grants.append(scopes)
        token = f"ya29.standin-{secrets.token_urlsafe(24)}"
        self._tokens[token] = (self._now_us() + self._token_ttl_s * _MICROSECONDS, scopes)
        return 200, {"access_token": token, "expires_in": self._token_ttl_s, "token_type": "Bearer"}

    def scopes_of(self, authorization: str | None) -> frozenset[str] | None:
        """The scopes of the bearer token in an Authorization header; None where it is no good (any more)."""
        token = (authorization or "").removeprefix("Bearer ")
        expires_at_us, scopes = self._tokens.get(token, (0, frozenset[str]()))
        return scopes if self._now_us() < expires_at_us else None

    def revoke_all(self) -> None:
        """Every token given out so far is refused from now on."""
        self._tokens.clear()

    def write_service_account(self, path: Path, token_url: str) -> Path:
        """Writes a service-account file, readable by its owner alone, that leads to this endpoint."""
        private_key = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        account = {
            "type": "service_account",
            "project_id": self._project_id,
            "private_key_id": "standin",
            "private_key": private_key.decode(),
            "client_email": self.email,
            "client_id": "0",
            "token_uri": token_url,
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(account, indent=2), encoding="utf-8")
        return path
