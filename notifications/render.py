"""An offer's message template becomes the title and body that a shopper reads. Pure.

Values are plain text: they are put in once, and nothing inside them is read as a placeholder again.
"""

import re
import unicodedata
from collections.abc import Mapping

#: What a template may name, in braces.
PLACEHOLDERS = frozenset({"product", "discount", "distance_m", "store", "until"})

#: About one line on Android; iOS cuts earlier by itself.
TITLE_CHARS = 65
#: What an expanded notification shows on both platforms.
BODY_CHARS = 240

ELLIPSIS = "…"

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_SPACES = re.compile(r"\s+")


def render(
    messages: Mapping[str, tuple[str, str]], locale: str | None, fallback: str, values: Mapping[str, str]
) -> tuple[str, str]:
    """The (title, body) for a shopper's `locale`, within the size limits of a notification.

    `messages` maps locales to (title, body) templates and holds at least one; `fallback` is the retailer's
    locale. A placeholder without a value disappears: a shopper never sees one.
    """
    title, body = messages[choose_locale(tuple(messages), locale, fallback)]
    return shorten(fill(title, values), TITLE_CHARS), shorten(fill(body, values), BODY_CHARS)


def choose_locale(available: tuple[str, ...], locale: str | None, fallback: str) -> str:
    """The best of `available`: en-GB, else en, else the retailer's own in the same manner, else the first.

    Tags compare as BCP 47 has it: without case, and with `_` read as `-`.
    """
    known = {_tag(name): name for name in reversed(available)}
    for wanted in (locale, fallback):
        parts = _tag(wanted).split("-") if wanted else []
        for length in range(len(parts), 0, -1):
            found = known.get("-".join(parts[:length]))
            if found is not None:
                return found
    return available[0]


def placeholders(template: str) -> set[str]:
    """The placeholders that a template names, known or not: for whoever checks it before it is published."""
    return set(_PLACEHOLDER.findall(template))


def fill(template: str, values: Mapping[str, str]) -> str:
    """`template` with its placeholders replaced, on one line, without control characters."""
    text = _PLACEHOLDER.sub(lambda match: values.get(match[1], ""), template)
    visible = "".join(" " if unicodedata.category(char) == "Cc" else char for char in text)
    return _SPACES.sub(" ", visible).strip()


def shorten(text: str, limit_chars: int) -> str:
    """`text` cut at a word to at most `limit_chars` characters, ellipsis included; whole where it fits."""
    if len(text) <= limit_chars:
        return text
    if limit_chars <= len(ELLIPSIS):
        return ""
    room = limit_chars - len(ELLIPSIS)
    # A word that ends exactly at the limit stays whole.
    at_word = text[:room] if text[room].isspace() else text[:room].rpartition(" ")[0]
    # Half the room wasted means one long word, or a script without spaces: cut inside it.
    kept = at_word if len(at_word) * 2 >= room else text[: _whole_character(text, room)]
    return kept.rstrip(" ,.;:-–") + ELLIPSIS


def _whole_character(text: str, at: int) -> int:
    """The nearest place at or before `at` that does not part an accent or a joined emoji from its base."""
    while at > 0 and (_joins(text[at]) or text[at - 1] == "\u200d"):
        at -= 1
    return at


def _joins(char: str) -> bool:
    return unicodedata.category(char) in {"Mn", "Me", "Mc", "Cf"} or "\U0001f3fb" <= char <= "\U0001f3ff"


def _tag(locale: str) -> str:
    return locale.replace("_", "-").lower()
