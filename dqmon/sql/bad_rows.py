"""The rows that a rule finds bad, as a SELECT of where they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dqmon.core.metric_kinds import AggregateMetric
from dqmon.core.row_rule import Row

if TYPE_CHECKING:
    from sqlalchemy.sql import Select

    from dqmon.core.measurement import Segment
    from dqmon.core.row_rule import RowRule
    from dqmon.sql.source import Source


def bad_rows(rule: RowRule, source: Source, segment: Segment, position: str) -> Select[Any]:
    """The values of the column `position`, ascending, of the bad rows of one segment under the scan's filter.

    `source` is of a scan with the metrics of the rule's check. Raises UnsafeSql for SQL of the user, QueryFailed for a column
    whose type a rule cannot use.
    """
    caps, metrics = source.caps, source.scan.metrics
    written = {name: value for m in metrics if isinstance(m, AggregateMetric) for name, value in m.row_values(caps).items()}
    at: sa.ColumnClause[int] = sa.column(position, sa.BigInteger())
    within = [group.element == text for group, (_, text) in zip(source.groups, segment, strict=True)]
    # Which rows are bad may depend on the others under the filter, so that it is asked inside.
    is_bad = rule.is_bad(Row({**source.columns, **written}, caps, at))
    rows = (
        sa.select(at.label("dq_at"), is_bad.label("dq_is_bad")).select_from(source.table).where(*source.where, *within).subquery("dq_rows")
    )
    return sa.select(rows.c.dq_at).where(rows.c.dq_is_bad).order_by(rows.c.dq_at)
