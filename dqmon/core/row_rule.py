"""Rules that single rows can break, for frames and wherever bad rows are picked out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.sql import ColumnElement

    from dqmon.core.capabilities import Capabilities


@dataclass(frozen=True, slots=True)
class Row:
    """A row as SQL sees it: what a check type's metrics read of it by declared name, and where it stands.

    `position` orders the rows of one answer, so that of equal rows one is the first.
    """

    columns: Mapping[str, ColumnElement[Any]]
    caps: Capabilities
    position: ColumnElement[int]


@dataclass(frozen=True, slots=True)
class RowRule:
    """Which rows a check type finds bad. They are as many as the bad rows that the type's metrics count.

    says: completes "the row …". is_bad: true for a bad row; NULL is not bad.
    """

    says: str
    is_bad: Callable[[Row], ColumnElement[bool]]
