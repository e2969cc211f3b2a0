"""A connection to an engine that keeps words of dqmon's beside each statement, in its log or history."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.sql.tables import NamedTable
from dqmon.warehouses.base.session import SqlSession

if TYPE_CHECKING:
    from sqlalchemy.sql import Select


class LabelledSession(SqlSession):
    """A session whose statements say for whom they are sent, by which run, and which table they are about."""

    _dataset: str | None = None

    def fetch(self, statement: Select[tuple[object, ...]], timeout_s: float) -> Sequence[tuple[object, ...]]:
        """As every session's; the first table that the statement names is among its words."""
        elements = sa.sql.visitors.iterate(statement) if isinstance(statement, sa.Select) else ()
        self._dataset = next((".".join(element.parts) for element in elements if isinstance(element, NamedTable)), None)
        try:
            return super().fetch(statement, timeout_s)
        finally:
            self._dataset = None

    def words(self) -> dict[str, str]:
        """What is said along with the next statement: `labels`, the warehouse, and the table if there is one."""
        return {**self.labels, "warehouse": self.name} | ({"dataset": self._dataset} if self._dataset else {})


def label_text(words: Mapping[str, str]) -> str:
    """The words as compact JSON, which engines' histories can parse; names of 255 characters leave it far below Snowflake's 2,000.

    https://docs.snowflake.com/en/sql-reference/parameters#query-tag
    """
    return json.dumps({"app": "dqmon", **words}, separators=(",", ":"), ensure_ascii=False)
