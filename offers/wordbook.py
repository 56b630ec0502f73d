"""Which names have which words in them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

import msgspec

from offers.category import Path

Name = TypeVar("Name", str, Path)


class Wordbook(msgspec.Struct, Generic[Name], frozen=True, kw_only=True):
    """Names by their words. Never changes; an edit shares what it leaves alone."""

    by_word: dict[str, dict[Name, None]]  #: the names in order

    @classmethod
    def build(cls, words_of: Mapping[Name, frozenset[str]]) -> "Wordbook[Name]":
        """Enters names by their words."""
        by_word: dict[str, dict[Name, None]] = {}
        for name, words in sorted(words_of.items(), key=lambda item: item[0]):
            for word in words:
                by_word.setdefault(word, {})[name] = None
        return cls(by_word=by_word)

    def edited(self, changes: Iterable[tuple[Name, frozenset[str], frozenset[str]]]) -> "Wordbook[Name]":
        """After some names have lost the first words and gained the second."""
        touched: dict[str, dict[Name, None]] = {}

        def names(word: str) -> dict[Name, None]:
            if word not in touched:
                touched[word] = dict(self.by_word.get(word, ()))
            return touched[word]

        for name, old, new in changes:
            for word in old - new:
                del names(word)[name]
            for word in new - old:
                names(word)[name] = None
        by_word = dict(self.by_word)
        for word, found in touched.items():
            if found:
                by_word[word] = dict.fromkeys(sorted(found))
            else:
                by_word.pop(word, None)
        return Wordbook(by_word=by_word)

    def __contains__(self, word: str) -> bool:
        return word in self.by_word

    def having(self, words: Iterable[str]) -> Iterator[Name]:
        """The names that have all of these words, in order."""
        found = sorted((self.by_word.get(word, {}) for word in words), key=len)
        if found:
            rarest, *others = found
            yield from (name for name in rarest if all(name in other for other in others))
