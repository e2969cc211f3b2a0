"""Keys of integers that lie close together: one bit for each possible key, and as many bits set as there are different keys."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dqmon.core.table import TypeGroup
from dqmon.engine.measuring.ways.key import answer, counts, key_of
from dqmon.sql.metrics import CompleteKeyCount, Greatest, Least, SurplusByBitmap

if TYPE_CHECKING:
    from dqmon.core.metric import Value
    from dqmon.engine.measuring.ways.way import Question, Steps

MOST_BITS = 2**28
"""Possible keys at most. DuckDB has one bitmap for each thread and copies it when it merges them: 32 MB, four times."""

SPREAD = 16
"""Possible keys for each row at most: with the least and the greatest one it takes a fifth of the grouping's processor time where they
are as many as the rows, and nine tenths at 40 times as many (3 M rows in no order, two cores, November 2026)."""

_LIMIT = 2**63
"""The statement counts places in signed integers of 64 bits."""


def steps(question: Question) -> Steps:
    """The surplus rows; when there are any, which keys have them cannot be told."""
    key = key_of(question, "bitmap")
    if key is None or any(question.column(name).group is not TypeGroup.INTEGER for name in key):
        return None
    lows, highs, rows = [Least(name) for name in key], [Greatest(name) for name in key], CompleteKeyCount(key)
    ends = yield (*lows, *highs, rows)
    spans = [_span(ends[low], ends[high]) for low, high in zip(lows, highs, strict=True)]
    held = ends[rows]
    if not isinstance(held, int) or math.prod(map(len, spans)) not in range(1, min(MOST_BITS, SPREAD * held) + 1):
        return None
    surplus = SurplusByBitmap(key, tuple(span[0] for span in spans), tuple(span[-1] for span in spans))
    values = yield (surplus, *counts(question))
    found = values[surplus]
    assert isinstance(found, int)  # noqa: S101 - for the type checker: counts are
    return answer(question, values, (found, None if found else 0), "a bitmap of the keys")


def _span(low: Value, high: Value) -> range:
    """The integers from the least to the greatest; none where there are none, or the engine could not count in them."""
    if not isinstance(low, int) or not isinstance(high, int) or low < -_LIMIT or high >= _LIMIT or high - low >= MOST_BITS:
        return range(0)
    return range(low, high + 1)
