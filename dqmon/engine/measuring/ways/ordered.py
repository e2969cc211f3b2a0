"""A key that ascends along the rows, as they are read, is unique: one pass that keeps nothing, and stops at the first descent.

Numbers and times that a table was filled by mostly do. In DuckDB it takes a twentieth to a sixtieth of the grouping's processor
time and no memory, 1 ms where the first rows are in no order (3 M rows, two cores, November 2026). Not for PostgreSQL, where the
pass takes longer than a count of different values, and may begin in the middle of the table; nor for SQLite: twice the grouping.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqmon.engine.measuring.ways.key import answer, counts, key_of
from dqmon.sql.metrics import IsOutOfOrder

if TYPE_CHECKING:
    from dqmon.engine.measuring.ways.way import Question, Steps


def steps(question: Question) -> Steps:
    """No copies, when all keys ascend; else it cannot be told."""
    key = key_of(question, "ordered")
    if key is None:
        return None
    descent = IsOutOfOrder(key)
    values = yield (descent, *counts(question))
    return None if values[descent] else answer(question, values, (0, 0), "each key is greater than the one before it")
