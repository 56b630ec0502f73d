"""Text that is meant to be taken for something else, and the fields that it can be put into."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support import REPOSITORY, shared_data

SOURCE = REPOSITORY / "server" / "console" / "src"
HERE = Path(__file__).parent
#: Each would run, or leave a mark, where text is taken for markup.
SHARP = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<svg/onload=alert(1)>",
    "javascript:alert(1)",
    "{{constructor.constructor('alert(1)')()}}",
    "</title><iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "'-alert(1)-'",
    '<a href="javascript:alert(1)">x</a>',
    "</textarea><script>alert(1)</script>",
    "<math><mtext><style><img src=x onerror=alert(1)></style></mtext></math>",
    "<b>bold</b>&lt;i&gt;&amp;",
    "${alert(1)}`'\"",
)


def naughty() -> list[str]:
    """The big list of naughty strings and the oddities beside it, and the sharp ones."""
    blns = json.loads(shared_data("badinput", "blns", "blns.json").read_text(encoding="utf-8"))
    extra = shared_data("badinput", "own", "strings_extra.jsonl").read_text(encoding="utf-8").splitlines()
    told = [text for text in (*blns, *map(json.loads, extra)) if isinstance(text, str)]
    # A browser's page holds no half of a character; the server is told them in other tests.
    return [*(text.encode(errors="replace").decode() for text in told), *SHARP]


def pages() -> dict[str, tuple[str, ...]]:
    """The pages of the console and the roles that have each, as its own table of them says."""
    entries = re.findall(r'\{ page: "(\w+)".*?roles: \[([^]]*)\]', (SOURCE / "shell.tsx").read_text())
    assert entries
    return {page: tuple(re.findall(r'"(\w+)"', roles)) for page, roles in entries}


def labels() -> Counter[str]:
    """How often a control is labelled so in the console's source, each of which is another field."""
    found: Counter[str] = Counter()
    for path in SOURCE.rglob("*.tsx"):
        text = path.read_text()
        for tag in re.findall(r"<(?:input|textarea|select)\b(?:[^<]|<(?=[^a-z/]))*", text):
            named = re.search(r'aria-label="([^"]+)"', tag)
            boxed = 'type="checkbox"' in tag  # its label is around it
            assert named or boxed or "{...attributes}" in tag, f"{path.name}: no label: {tag[:90]}"
            found.update([named.group(1)] if named else [])
        for label in re.findall(r'<\w*(?:Field|Tags)\b[^>]*?\blabel=("[^"]+"|\{[^}]*\})', text):
            found.update([label[1:-1]] if label.startswith('"') else re.findall(r'[?:] "([^"]+)"', label))
    assert found
    return found


def leaves(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in a body there is text."""
    if isinstance(body, str):
        yield path
    elif isinstance(body, dict | list):
        for key, value in body.items() if isinstance(body, dict) else enumerate(body):
            yield from leaves(value, (*path, key))


def with_text(body: Any, path: tuple[Any, ...], text: str) -> Any:
    """The body with that text there."""
    if not path:
        return text
    key, *rest = path
    copy = body.copy()
    copy[key] = with_text(body[key], tuple(rest), text)
    return copy


def filling() -> str:
    """The script that fills all fields of a page."""
    return (HERE / "fill_fields.js").read_text(encoding="utf-8").split("\n", 2)[2]
