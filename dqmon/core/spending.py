"""What one statement took of the warehouse, as far as the engine tells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spending:
    """None is "the engine does not tell".

    rows_read, bytes_read: what the engine went through, not what it returned. bytes_billed: where bytes are paid for.
    statement_id: the engine's own id of the statement, under which its history tells more later.
    """

    rows_read: int | None = None
    bytes_read: int | None = None
    bytes_billed: int | None = None
    statement_id: str | None = None


NOTHING_TOLD = Spending()
"""Of an engine that says nothing of its statements."""
