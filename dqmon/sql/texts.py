"""Texts of columns as plain characters: whatever collation, padding or enumeration the engine gives the column.

Two texts are equal when all their code points are; nothing is normalised, trimmed or folded unless it is asked for.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from dqmon.core.table import TypeGroup
from dqmon.errors import QueryFailed
from dqmon.sql.arguments import arguments
from dqmon.sql.columns import MOMENTS, stored
from dqmon.sql.integers import integer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.sql import ColumnElement
    from sqlalchemy.sql.compiler import SQLCompiler

    from dqmon.core.capabilities import Capabilities

_ESCAPE = "\\"


def exact_text(column: ColumnElement[Any]) -> ColumnElement[str]:
    """The value's text, which compares character by character."""
    return ExactText(column)


def characters(column: ColumnElement[Any], caps: Capabilities) -> ColumnElement[str]:
    """The exact text of a value whose characters are the same on every engine.

    These are texts, integers, and what the engine has no better type for (UUID, JSON; moments where they are text).
    QueryFailed for other types: how many digits or which words stand for them is each engine's own choice.
    """
    group = stored(column).group
    if group in (TypeGroup.TEXT, TypeGroup.INTEGER, TypeGroup.OTHER) or (group in MOMENTS and not caps.has_typed_timestamps):
        return exact_text(column)
    raise QueryFailed(
        f"column {stored(column).column!r} is {group.value}; a text is needed, since each engine writes a {group.value} in its own way"
    )


def length(text: ColumnElement[str]) -> ColumnElement[int]:
    """Characters (code points) of a text; 0 for the empty one."""
    return sa.func.length(text, type_=sa.Integer())


def code_point(text: ColumnElement[str], position: int) -> ColumnElement[int]:
    """The code point at a position (from 1); 0 past the end."""
    return CodePoint(sa.func.substr(text, integer(position), integer(1)))


def matches_like(text: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
    r"""SQL's LIKE over the whole text, case-sensitive: `%` any characters, `_` one, `\` takes the next one as it is."""
    like = text.like(sa.literal(pattern, sa.String()), escape=_ESCAPE if _ESCAPE in pattern else None)
    return Like(like, text.op("GLOB", is_comparison=True)(sa.literal(_glob(pattern), sa.String())))


def fully_matches(text: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
    """True when the whole text matches one of dqmon's own regular expressions.

    These are written so that all engines read them alike (no `.`, `^`, `$`, escapes of classes, look-arounds) and that
    a backtracking engine needs no more steps than the text is long.
    """
    return FullyMatches(text, sa.literal(pattern, sa.String()))


def folded(text: ColumnElement[str], values: Iterable[str]) -> tuple[ColumnElement[str], tuple[str, ...]]:
    """A text and values without their case, so that they compare equal when only case differs.

    Each letter that occurs in a value stands for all letters of the same Unicode case folding; a folding of several
    letters (ß is ss) is left out. Independent of the engine's collations.
    """
    distinct = tuple(values)
    capital, small = _case_pairs("".join(distinct))
    table = str.maketrans(capital, small)
    if not capital:
        return text, distinct
    return Translate(text, sa.literal(capital, sa.String()), sa.literal(small, sa.String())), tuple(
        value.translate(table) for value in distinct
    )


@lru_cache(256)
def _case_pairs(letters: str) -> tuple[str, str]:
    """All letters that fold like one of `letters`, and beside each what it folds to."""
    wanted = sorted({letter.casefold() for letter in letters} & _same_folding().keys())
    pairs = [(letter, target) for target in wanted for letter in _same_folding()[target]]
    return "".join(letter for letter, _ in pairs), "".join(target for _, target in pairs)


@cache
def _same_folding() -> Mapping[str, tuple[str, ...]]:
    """The letters that fold to a letter; https://www.unicode.org/reports/tr44/#CaseFolding.txt, as Python has it."""
    found: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    for letter in map(chr, range(_LAST_CASED + 1)):
        target = letter.casefold()
        if target != letter and len(target) == 1:
            found[target] += (letter,)
    return dict(found)


_LAST_CASED = 0x1E943
"""The last code point with a case (Adlam); a test compares with all of Unicode."""


def _glob(pattern: str) -> str:
    """SQLite's GLOB of a LIKE, since its LIKE ignores case."""
    found, is_escaped = "", False
    for c in pattern:
        if c == _ESCAPE and not is_escaped:
            is_escaped = True
            continue
        wild = None if is_escaped else {"%": "*", "_": "?"}.get(c)
        found += wild or (f"[{c}]" if c in "*?[" else c)
        is_escaped = False
    return found


class ExactText(FunctionElement[str]):
    """A value's text without a collation."""

    type = sa.Text()
    inherit_cache = True
    name = "exact_text"


@compiles(ExactText)
def _cast(element: ExactText, compiler: SQLCompiler, **kw: Any) -> str:
    (column,) = element.clauses
    return compiler.process(sa.cast(column, sa.Text()), **kw)


@compiles(ExactText, "duckdb")
@compiles(ExactText, "postgresql")
def _cast_in_c(element: ExactText, compiler: SQLCompiler, **kw: Any) -> str:
    return f'({_cast(element, compiler, **kw)} COLLATE "C")'


@compiles(ExactText, "sqlite")
def _cast_in_binary(element: ExactText, compiler: SQLCompiler, **kw: Any) -> str:
    # A cast alone keeps the column's own collation (https://sqlite.org/datatype3.html, section 7.1).
    return f"({_cast(element, compiler, **kw)} COLLATE BINARY)"


class CodePoint(FunctionElement[int]):
    """The code point of the first character."""

    type = sa.Integer()
    inherit_cache = True
    name = "code_point"


@compiles(CodePoint)
def _ascii(element: CodePoint, compiler: SQLCompiler, **kw: Any) -> str:
    return f"ascii({compiler.process(element.clauses, **kw)})"


@compiles(CodePoint, "sqlite")
def _unicode(element: CodePoint, compiler: SQLCompiler, **kw: Any) -> str:
    return f"ifnull(unicode({compiler.process(element.clauses, **kw)}), 0)"


class Like(FunctionElement[bool]):
    """A LIKE, and the GLOB that means the same."""

    type = sa.Boolean()
    inherit_cache = True
    name = "like"


@compiles(Like)
def _as_like(element: Like, compiler: SQLCompiler, **kw: Any) -> str:
    return f"({compiler.process(next(iter(element.clauses)), **kw)})"


@compiles(Like, "sqlite")
def _as_glob(element: Like, compiler: SQLCompiler, **kw: Any) -> str:
    _, glob = element.clauses
    return f"({compiler.process(glob, **kw)})"


class FullyMatches(FunctionElement[bool]):
    """True when the whole text matches the pattern (text, pattern), which is of the kind that `fully_matches` takes."""

    type = sa.Boolean()
    inherit_cache = True
    name = "fully_matches"


@compiles(FullyMatches)
def _anchored(element: FullyMatches, compiler: SQLCompiler, **kw: Any) -> str:
    text, pattern = arguments(element, compiler, kw)
    return f"({text} ~ ('^(?:' || {pattern} || ')$'))"


@compiles(FullyMatches, "duckdb")
def _regexp_full_match(element: FullyMatches, compiler: SQLCompiler, **kw: Any) -> str:
    return f"regexp_full_match({compiler.process(element.clauses, **kw)})"


@compiles(FullyMatches, "sqlite")
def _dqmon_fully_matches(element: FullyMatches, compiler: SQLCompiler, **kw: Any) -> str:
    return f"dqmon_fully_matches({compiler.process(element.clauses, **kw)})"


class Translate(FunctionElement[str]):
    """A text with each character of the second argument replaced by the one beside it in the third."""

    type = sa.Text()
    inherit_cache = True
    name = "translate"


@compiles(Translate)
def _translate(element: Translate, compiler: SQLCompiler, **kw: Any) -> str:
    return f"translate({compiler.process(element.clauses, **kw)})"


@compiles(Translate, "sqlite")
def _dqmon_translate(element: Translate, compiler: SQLCompiler, **kw: Any) -> str:
    return f"dqmon_translate({compiler.process(element.clauses, **kw)})"
