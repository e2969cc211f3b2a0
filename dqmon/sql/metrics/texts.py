"""Counts of rows by how their text is written, and by how long it is. No rows count 0.

The column is one of texts, integers, or of a type without characters that engines agree on; then QueryFailed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import sqlalchemy as sa

from dqmon.sql.conditions import matches
from dqmon.sql.formats import FormatName, is_format
from dqmon.sql.metrics.counts import ColumnCount
from dqmon.sql.texts import characters, length, matches_like

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.sql import ColumnElement

    from dqmon.core.capabilities import Capabilities

PatternRule: TypeAlias = Literal["regex", "like", "not_regex", "not_like"]


@dataclass(frozen=True, slots=True)
class InvalidPatternCount(ColumnCount):
    """Rows whose value is not missing and whose text does not match the pattern; for `not_regex` and `not_like`: does.

    A regular expression is found anywhere in the text, a LIKE is of the whole text.
    """

    name: ClassVar[str] = "invalid_pattern_count"

    rule: PatternRule = "regex"
    pattern: str = ""

    def counted(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities) -> ColumnElement[bool]:
        """The not missing that break the rule."""
        text = characters(columns[self.column], caps)
        found = matches(text, self.pattern) if self.rule in ("regex", "not_regex") else matches_like(text, self.pattern)
        broken = found if self.rule.startswith("not_") else sa.not_(found)
        return sa.and_(sa.not_(self._missing(columns, caps)), broken)


@dataclass(frozen=True, slots=True)
class InvalidFormatCount(ColumnCount):
    """Rows whose value is not missing and whose text does not have the named format."""

    name: ClassVar[str] = "invalid_format_count"

    format: FormatName = "uuid"

    def counted(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities) -> ColumnElement[bool]:
        """The not missing of another form."""
        text = characters(columns[self.column], caps)
        return sa.and_(sa.not_(self._missing(columns, caps)), sa.not_(is_format(text, self.format)))


@dataclass(frozen=True, slots=True)
class InvalidLengthCount(ColumnCount):
    """Rows whose value is not missing and has fewer than `min` or more than `max` characters (code points)."""

    name: ClassVar[str] = "invalid_length_count"

    min: int | None = None
    max: int | None = None

    def counted(self, columns: Mapping[str, ColumnElement[Any]], caps: Capabilities) -> ColumnElement[bool]:
        """The not missing outside of the bounds."""
        found = length(characters(columns[self.column], caps))
        tests = [found < self.min] if self.min is not None else []
        tests += [found > self.max] if self.max is not None else []
        return sa.and_(sa.not_(self._missing(columns, caps)), sa.or_(sa.false(), *tests))
