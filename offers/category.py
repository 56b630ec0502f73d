"""Categories as paths, and the words by which names and searches are compared."""

import re
from collections.abc import Iterator

#: A category as the names from the top down, e.g. `("Shoes", "Trainers")`.
Path = tuple[str, ...]

_WORD = re.compile(r"\w+")


def fold(path: Path) -> Path:
    """The category for comparing: letter case does not count."""
    return tuple(name.casefold() for name in path)


def path_from_text(text: str) -> Path:
    """`a > b > c` as its names."""
    return tuple(name for part in text.split(">") if (name := part.strip()))


def text_from_path(path: Path) -> str:
    """The inverse of `path_from_text`."""
    return " > ".join(path)


def within(path: Path, other: Path) -> bool:
    """Whether the category `path` is `other` or lies below it."""
    return fold(path)[: len(other)] == fold(other)


def prefixes(path: Path) -> Iterator[Path]:
    """The category and those above it, the narrowest first; not the empty one."""
    return (path[:length] for length in range(len(path), 0, -1))


def words_of(text: str) -> frozenset[str]:
    """The words by which names and searches are compared: case-folded, two letters or more, no plural s."""
    words = (word for word in _WORD.findall(text.casefold()) if len(word) > 1)
    return frozenset(word[:-1] if len(word) > 3 and word.endswith("s") else word for word in words)
