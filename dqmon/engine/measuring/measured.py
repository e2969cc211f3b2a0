"""What measuring has found."""

from __future__ import annotations

from dataclasses import dataclass, field

from dqmon.core.measurement import Measurement, MetricRequest
from dqmon.core.table import Column, TableRef
from dqmon.engine.measuring.fragments import Pieces
from dqmon.engine.measuring.sent import Sent


@dataclass(slots=True)
class Measured:
    """Measurements by request (one for each segment), and the data statements that were sent for them."""

    by_request: dict[MetricRequest, tuple[Measurement, ...]] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    columns: dict[TableRef, tuple[Column, ...]] = field(default_factory=dict)
    pieces: dict[TableRef, Pieces] = field(default_factory=dict)

    @property
    def statements(self) -> int:
        """How many data statements were sent."""
        return len(self.sent)

    @property
    def tables(self) -> frozenset[TableRef]:
        """The tables that something was asked of."""
        return frozenset(request.table for request in self.by_request)

    def take(self, other: Measured) -> None:
        """Adds what was measured of other tables."""
        self.by_request.update(other.by_request)
        self.columns.update(other.columns)
        # A later look at the same table knows nothing of what an earlier one has read.
        self.pieces.update({table: pieces for table, pieces in other.pieces.items() if pieces.changed or table not in self.pieces})
        self.sent += other.sent
