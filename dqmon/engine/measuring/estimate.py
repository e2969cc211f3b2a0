"""What statements are expected to cost before they are sent: the engine's own estimate, and how long they took last time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from dqmon import errors
from dqmon.core.cost import Cost
from dqmon.core.measurement import MetricRequest, Scan
from dqmon.core.spending import NOTHING_TOLD
from dqmon.engine.measuring.budget import Forecast
from dqmon.engine.measuring.planning import plan_scans
from dqmon.engine.measuring.sent import Behind
from dqmon.telemetry import Log

if TYPE_CHECKING:
    from dqmon.core.protocols import Session, Warehouse
    from dqmon.core.table import Column, TableRef
    from dqmon.sql.compile import CompiledScan

log = Log(__name__)


@dataclass(frozen=True, slots=True)
class Estimator:
    """`seconds`: how long the statement behind each of these requests took when it was last sent; `at`: when the next one is."""

    warehouse: Warehouse
    session: Session
    columns: Mapping[TableRef, tuple[Column, ...]]
    seconds: Mapping[MetricRequest, float]
    at: datetime

    def scans(self, requests: Sequence[MetricRequest], behind: Behind) -> list[tuple[Scan, CompiledScan | None, Cost]]:
        """The scans for `requests`, each with its statement, if it compiles as a whole, and cost. Raises ConnectFailed.

        A request that has never been measured itself takes as long as what it is measured for; some of the partitions that
        `seconds` has take their part of that, as engines do that prune.
        """
        planned = plan_scans(self.warehouse, self.columns, requests, self.at)
        wholes = Counter(map(_of_all_rows, self.seconds))
        return [(scan, compiled, self._cost(scan, compiled, behind, wholes)) for scan, compiled in planned]

    def forecast(self, behind: Behind) -> Forecast:
        """The same without the statements, for `engine.measuring.budget`."""
        return lambda requests: [(scan, cost) for scan, _, cost in self.scans(requests, behind)]

    def _cost(self, scan: Scan, compiled: CompiledScan | None, behind: Behind, wholes: Mapping[MetricRequest, int]) -> Cost:
        asked = [request.exact for request in scan.requests]
        served = dict.fromkeys(r for request in asked for r in (request, *behind.get(request, ())) if r in self.seconds)
        parts = Counter(map(_of_all_rows, served))
        known = (self.seconds[r] * parts[_of_all_rows(r)] / wholes[_of_all_rows(r)] for r in served)
        seconds = max(known, default=None)
        if seconds is not None and scan.sample is not None:
            seconds *= scan.sample / 100
        spent = NOTHING_TOLD
        if compiled is not None:
            try:
                spent = self.session.estimate(compiled.statement)
            except errors.ConnectFailed:
                raise
            except errors.WarehouseError as e:
                log.debug("no estimate", table=str(scan.table), error=str(e))
        return Cost(seconds, spent, self.warehouse.price.credits(seconds, spent))


def _of_all_rows(request: MetricRequest) -> MetricRequest:
    return replace(request, partition=None)
