"""Rows that are late told from rows that are lost, by when their table was loaded last. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqmon.checks.base.load_runs import ended_at
from dqmon.core.load_record import LoadStatus
from dqmon.core.verdict import Dimension

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dqmon.core.result import CheckResult
    from dqmon.engine.judging.cause import Upstream


def late_rows(result: CheckResult, above: Sequence[Upstream]) -> str | None:
    """That too few rows of a partition may be late, not lost: a pipeline that its table is made from has not loaded since its end.

    above: those pipelines, none of them in trouble, whose records are known up to `known_at`. None where all have loaded since,
    where nobody could know of such a load, and for results that are not about too few rows. They are bad all the same: what is
    not there is not there.
    """
    if result.check.rule.dimension is not Dimension.VOLUME or result.partition is None or result.partition.end is None:
        return None
    low, value, due = result.expected.low, result.observed.value if result.observed else None, result.partition.end
    if low is None or not isinstance(value, int | float) or value >= low:
        return None
    for one in above:
        newest = max((ended_at(load) for load in one.ended if load.status is LoadStatus.SUCCEEDED), default=None)
        if newest is not None and one.known_at is not None and newest < due <= one.known_at:
            when = f"its newest load ended {newest:%Y-%m-%d %H:%M} UTC"
            return f"{one.node} has not loaded since this partition ended ({when}): the rows may be late, not lost"
    return None
