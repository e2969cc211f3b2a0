"""Rows of SQL as ingestion sources read them: one session, bounded answers, values in the types of a LoadRecord."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from dqmon.core.calendar import at_wall_time
from dqmon.errors import SourceError, WarehouseError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from dqmon.core.protocols import Session, Warehouse

Between: TypeAlias = "Callable[[datetime, datetime], sa.Select[Any]]"
"""A statement about what happened between two times."""
ROW_LIMIT = 50_000
"""Rows of one answer; a tool that loads every minute makes 44,640 loads a month."""
TEXT_LIMIT = 2_000
"""Characters of an error that are kept."""
_SHORTEST = timedelta(seconds=1)


def required(source: str, option: str, warehouse: Warehouse | None) -> Warehouse:
    """The warehouse that the source reads. Raises SourceError when it is not configured."""
    if warehouse is None:
        msg = f"ingestion {source}: warehouse {option!r} is not configured"
        raise SourceError(msg)
    return warehouse


@contextmanager
def reading(source: str, what: str, warehouse: Warehouse) -> Iterator[Rows]:
    """The warehouse, open for reading `what`. All that it raises, and values that cannot be read (ValueError), leave as SourceError."""
    try:
        with warehouse.open() as session:
            yield Rows(session, warehouse.timeout_s)
    except (WarehouseError, ValueError) as e:
        msg = f"ingestion {source} ({what} in {warehouse.name}) cannot be read: {e}"
        raise SourceError(msg) from e


class Rows:
    """Asks one session. Raises WarehouseError, and ValueError for an answer that is too long."""

    def __init__(self, session: Session, timeout_s: float) -> None:
        self._session = session
        self._timeout_s = timeout_s

    def fetch(self, statement: sa.Select[Any]) -> Sequence[tuple[Any, ...]]:
        """All rows, ROW_LIMIT at most."""
        rows = self._session.fetch(statement.limit(ROW_LIMIT + 1), self._timeout_s)
        if len(rows) > ROW_LIMIT:
            msg = f"the answer has more than {ROW_LIMIT:,} rows"
            raise ValueError(msg)
        return rows


def in_halves(rows: Rows, between: Between, since: datetime, until: datetime, at_once: int = ROW_LIMIT) -> Iterator[tuple[Any, ...]]:
    """All rows of a time of any length: an answer of `at_once` rows, or too long a one, may lack some, and is asked for again in halves.

    Raises WarehouseError, and ValueError when the rows of a second are too many.
    """
    try:
        found = rows.fetch(between(since, until))
    except ValueError:
        found = ()
        is_whole = False
    else:
        is_whole = len(found) < at_once
    if is_whole:
        yield from found
        return
    if until - since < _SHORTEST:
        msg = f"there are more than {at_once:,} rows of one second, {since}"
        raise ValueError(msg)
    middle = since + (until - since) / 2
    yield from in_halves(rows, between, since, middle, at_once)
    yield from in_halves(rows, between, middle, until, at_once)


def instant(value: object, zone: str) -> datetime | None:
    """The value as aware UTC; wall times are those of `zone`, numbers seconds since 1970, a date is its midnight. Raises ValueError."""
    if value is None:
        return None
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if isinstance(value, datetime):
        try:
            return value.astimezone(UTC) if value.tzinfo else at_wall_time(value, zone).astimezone(UTC)
        except OverflowError:
            value = str(value)
    elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(float(value), UTC)
        except (ValueError, OverflowError, OSError):
            value = str(value)
    msg = f"{value!r} is no time between the years 1 and 9999"
    raise ValueError(msg)


def _parsed(value: str) -> datetime:
    try:
        return datetime.fromisoformat(value.strip())
    except ValueError:
        msg = f"{value[:100]!r} is no time; ISO 8601 is expected, such as 2026-11-20T06:00:00Z"
        raise ValueError(msg) from None


def count(value: object) -> int | None:
    """The value as a count; a whole number in another type is one. Raises ValueError."""
    if value is None:
        return None
    try:
        number = Decimal(-1 if isinstance(value, bool) else str(value).strip())
        # Not above what the store holds: int() of 1e999999999 would take for ever.
        if 0 <= number < 2**63 and number == int(number):
            return int(number)
    except ArithmeticError:
        pass
    msg = f"{str(value)[:100]!r} is no count"
    raise ValueError(msg)


def text(value: object) -> str | None:
    """The value as text without space around it, shortened to TEXT_LIMIT; None of an empty one."""
    return (str(value).strip()[:TEXT_LIMIT] or None) if value is not None else None
