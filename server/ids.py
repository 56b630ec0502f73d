"""Ids that nobody can guess; those that follow from what they name are `offers.ids.derived_id`."""

import secrets

from offers.ids import named


def new_id(prefix: str) -> str:
    """`new_id("dev")` is "dev_" and 26 characters of 128 random bits."""
    return named(prefix, secrets.randbits(128))
