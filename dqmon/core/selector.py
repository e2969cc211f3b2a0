"""One grammar to pick checks and alerts: in the CLI, in routes, in silences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KEYS = ("type", "tag", "owner", "severity", "kind", "state", "warehouse", "dimension", "id")


@dataclass(frozen=True, slots=True)
class Term:
    """`[not:][key:]value[,value…]`; `key` is empty for a bare term, which means dataset, pipeline or check id."""

    key: str
    values: tuple[str, ...]
    is_negated: bool = False

    def __str__(self) -> str:
        return f"{'not:' if self.is_negated else ''}{f'{self.key}:' if self.key else ''}{','.join(self.values)}"


@dataclass(frozen=True, slots=True)
class Selector:
    """Bare terms are or-ed with each other, keyed terms and-ed; no terms select everything."""

    terms: tuple[Term, ...] = ()

    def __str__(self) -> str:
        return " ".join(map(str, self.terms))

    def matches(self, attributes: Mapping[str, Iterable[str]]) -> bool:
        """True when `attributes` (keys of KEYS, and `""` with dataset, pipeline and check id) fit all terms."""

        def fits(term: Term) -> bool:
            found = tuple(attributes.get(term.key, ()))
            return any(_pattern(value).fullmatch(name) for value in term.values for name in found)

        bare = [term for term in self.terms if not term.key and not term.is_negated]
        rest = [term for term in self.terms if term.key or term.is_negated]
        return (not bare or any(map(fits, bare))) and all(fits(term) is not term.is_negated for term in rest)

    def uses(self, key: str) -> bool:
        """True when a term names `key`, so that its attribute must be looked up."""
        return any(term.key == key for term in self.terms)


def parse_selector(texts: Iterable[str]) -> Selector:
    """The selector of the given terms; ValueError names the term that is not understood.

    A text with blanks is several terms, so that `match: "severity:critical kind:data"` reads as in the CLI.
    """
    return Selector(tuple(_term(word) for text in texts for word in text.split()))


def _term(word: str) -> Term:
    is_negated = word.startswith("not:")
    rest = word.removeprefix("not:")
    key, colon, value = rest.partition(":")
    if not colon or key not in KEYS:
        if colon and re.fullmatch(r"[a-z_]+", key) and "." not in value and "/" not in value:
            msg = f"unknown selector key {key!r} in {word!r}; keys are {', '.join(KEYS)}"
            raise ValueError(msg)
        key, value = "", rest
    values = tuple(part for part in value.split(",") if part)
    if not values:
        msg = f"{word!r} has no value; write [key:]value[,value…]"
        raise ValueError(msg)
    return Term(key, values, is_negated)


@lru_cache(4096)
def _pattern(text: str) -> re.Pattern[str]:
    """`*` stands for any run of characters, everything else for itself."""
    return re.compile(".*".join(re.escape(piece) for piece in text.split("*")), re.DOTALL)
