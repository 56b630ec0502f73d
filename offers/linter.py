"""What is doubtful about an offer's copy: urgency that is not true, and text that a phone would cut. Pure.

An offer that presses because it says so, and not because it ends, misleads (Directive 2005/29/EC, annex I,
no. 7). The one end that a text may name is `{until}`, which is the coupon's own; how many are left, nobody
can say in a text that was written before.
"""

import re
from collections.abc import Iterator, Mapping

from offers.problem import Problem

#: What iPhones show of a notification on the lock screen, in characters; beyond it they cut.
IOS_TITLE, IOS_BODY = 50, 178
#: The same of Android's, expanded: `notifications.render` cuts there itself.
ANDROID_TITLE, ANDROID_BODY = 65, 240
#: As much room does a filled-in placeholder take, as a rule.
_FILLED = {"product": 16, "discount": 7, "distance_m": 3, "store": 20, "until": 5}

#: Phrases that press, by language; in every text they are looked for in all languages.
_PRESSING: dict[str, tuple[str, ...]] = {
    "en": (
        *(
            "last chance",
            "hurry",
            "act now",
            "act fast",
            "don't miss",
            "ends soon",
            "ending soon",
            "only today",
        ),
        *(
            "today only",
            "limited time",
            "while stocks last",
            "final hours",
            "before it's too late",
            "almost gone",
        ),
    ),
    "fi": (
        "viimeinen tilaisuus",
        "kiirehdi",
        "vain tänään",
        "nopeasti",
        "päättyy pian",
        "viimeiset kappaleet",
    ),
    "sv": ("sista chansen", "skynda", "endast idag", "bara idag", "slutar snart", "så långt lagret räcker"),
    "de": (
        "letzte chance",
        "nur heute",
        "beeil",
        "schnell zugreifen",
        "endet bald",
        "solange der vorrat reicht",
    ),
    "fr": ("dernière chance", "dépêchez", "vite", "aujourd'hui seulement", "se termine bientôt"),
    "es": ("última oportunidad", "date prisa", "solo hoy", "sólo hoy", "termina pronto", "hasta agotar"),
    "it": ("ultima occasione", "affrettati", "solo oggi", "termina presto", "fino a esaurimento"),
}
_PHRASES = re.compile(
    "|".join(rf"\b{re.escape(phrase)}" for phrases in _PRESSING.values() for phrase in phrases), re.IGNORECASE
)
_COUNTED = re.compile(r"\b(?:only|just|vain|bara|nur|seulement|solo|sólo)\s+\d+\b", re.IGNORECASE)
#: A time of day, a date, or so many minutes, hours or days. A price has neither a unit of time nor a colon.
_TIMES = re.compile(
    r"\b\d{1,2}:\d{2}\b|\b\d{1,2}\s?(?:am|pm)\b|\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}[./]\d{1,2}[./](?:\d{2}|\d{4})?"
    r"|\b\d+\s?(?:minutes?|mins?|hours?|hrs?|days?|minuutti\w*|tunti\w*|tuntia|päivä\w*|minuter|timmar|dagar"
    r"|minuten|stunden|tage|heures?|jours?|minutos|horas|días|minuti|ore|giorni)\b",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


def lint(messages: Mapping[str, tuple[str, str]]) -> list[Problem]:
    """Warnings about the (title, body) templates of each locale. None keeps an offer from going out."""
    return [
        problem
        for locale, texts in messages.items()
        for part, text in zip(("title", "body"), texts, strict=True)
        for problem in _of_text(f"message.{locale}.{part}", part, text)
    ]


def _of_text(field: str, part: str, text: str) -> Iterator[Problem]:
    bare = _PLACEHOLDER.sub(" ", text)
    if found := _PHRASES.search(bare) or _COUNTED.search(bare):
        detail = f"“{found[0]}” presses; what ends when is said by {{until}}, which is true"
        yield Problem(field=field, code="false_urgency", detail=detail)
    if found := _TIMES.search(bare):
        detail = f"“{found[0].strip()}” names a time; the one that holds is the coupon's own: {{until}}"
        yield Problem(field=field, code="fixed_expiry", detail=detail)
    shown = len(_PLACEHOLDER.sub(lambda match: "x" * _FILLED.get(match[1], 0), text))
    for platform, most in (
        ("iOS", IOS_TITLE if part == "title" else IOS_BODY),
        ("Android", ANDROID_TITLE if part == "title" else ANDROID_BODY),
    ):
        if shown > most:
            detail = f"some {shown} characters when filled in; {platform} shows {most}"
            yield Problem(field=field, code="cut_off", detail=detail)
