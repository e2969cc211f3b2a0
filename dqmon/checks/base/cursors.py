"""The cursors of loads: which there are, and which of two is farther."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from dqmon.checks.base.fields import as_decimal
from dqmon.checks.base.load_runs import ended, of_table
from dqmon.core.load_record import LoadStatus

if TYPE_CHECKING:
    from dqmon.core.judgement import LoadEvidence
    from dqmon.core.load_record import LoadRecord

Place: TypeAlias = Decimal | datetime

_LONGEST = 100
"""Characters of a number or time; a longer cursor is something else."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a successful load came: its cursor, and its rows where the tool says them."""

    load: LoadRecord
    cursor: str
    rows: int | None


def reached(evidence: LoadEvidence, table: str | None) -> tuple[Reached, ...]:
    """The successful loads that have a cursor (of the table), oldest first, from the newest reset or refresh on.

    Those set the cursor back on purpose, so that nothing before them is compared with what comes after.
    """
    loads = [load for load in ended(evidence, (LoadStatus.SUCCEEDED,)) if load.kind in ("load", "reset", "refresh")]
    starts = [place for place, load in enumerate(loads) if load.kind != "load"]
    loads = loads[starts[-1] + 1 :] if starts else loads
    parts = zip(loads, of_table(evidence, loads, table), strict=True)
    return tuple(Reached(load, part.cursor, part.rows) for load, part in parts if part is not None and part.cursor is not None)


def place(cursor: str) -> Place | None:
    """The cursor as a number or an instant (UTC where it names no zone), so that it can be compared; None of an opaque one."""
    if len(cursor) > _LONGEST:
        return None
    try:
        number = as_decimal(cursor.strip())
    except ValueError:
        number = None
    if isinstance(number, Decimal):
        return number
    try:
        at = datetime.fromisoformat(cursor.strip())
    except ValueError:
        return None
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        return None
