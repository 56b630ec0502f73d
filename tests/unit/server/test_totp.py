"""The second factor's codes, by the vectors of RFC 6238, appendix B (cut to six digits)."""

import pytest
from cryptography.exceptions import InvalidTag

from server.accounts.totp import base32, code_at, opened, sealed, step_of, uri

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("at_s", "code"),
    [
        (59, b"287082"),
        (1_111_111_109, b"081804"),
        (1_111_111_111, b"050471"),
        (1_234_567_890, b"005924"),
        (2_000_000_000, b"279037"),
        (20_000_000_000, b"353130"),
    ],
)
def test_codes_are_those_of_the_standard(at_s: int, code: bytes) -> None:
    assert code_at(SECRET, at_s // 30) == code


def test_a_phone_that_is_half_a_minute_off_is_understood_and_one_that_is_more_is_not() -> None:
    now_us = 1_234_567_890 * 1_000_000
    code = code_at(SECRET, 1_234_567_890 // 30).decode()

    assert step_of(SECRET, code, now_us) == 1_234_567_890 // 30
    assert step_of(SECRET, code, now_us + 30_000_000) is not None
    assert step_of(SECRET, code, now_us - 30_000_000) is not None
    assert step_of(SECRET, code, now_us + 61_000_000) is None
    assert step_of(SECRET, "nonsense ☃", now_us) is None


def test_the_address_for_authenticator_apps_names_the_account() -> None:
    assert uri(SECRET, "ada@example.org") == (
        f"otpauth://totp/Vicino:ada%40example.org?secret={base32(SECRET)}&issuer=Vicino"
    )


def test_a_secret_is_kept_sealed_and_opens_for_its_own_account_alone() -> None:
    kept = sealed(SECRET, b"the retailer's", "usr_1")

    assert SECRET not in kept
    assert kept != sealed(SECRET, b"the retailer's", "usr_1")
    assert opened(kept, b"the retailer's", "usr_1") == SECRET
    for of, account in ((b"another's", "usr_1"), (b"the retailer's", "usr_2")):
        with pytest.raises(InvalidTag):
            opened(kept, of, account)
    with pytest.raises(InvalidTag):
        opened(kept[:-1] + bytes([kept[-1] ^ 1]), b"the retailer's", "usr_1")
