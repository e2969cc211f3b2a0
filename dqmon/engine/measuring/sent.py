"""A data statement that was sent, for whom, and what it took; shared out over the checks that asked for what it answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias

from dqmon.core.cost import Basis, Cost, shares
from dqmon.core.measurement import MetricRequest
from dqmon.core.table import TableRef
from dqmon.store.statements import Statement

Behind: TypeAlias = Mapping[MetricRequest, Sequence[MetricRequest]]
"""What is measured on the way to each request."""

AskedBy: TypeAlias = Mapping[MetricRequest, Sequence[str]]
"""The ids of the checks that asked for each request."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A statement, also one that failed. `served`: for each request in it, those of the checks for which it was measured."""

    table: TableRef
    kind: str
    at: datetime
    cost: Cost
    served: tuple[tuple[MetricRequest, ...], ...]


def behind(
    steps: Behind, themselves: Iterable[MetricRequest], before: Behind = MappingProxyType({})
) -> dict[MetricRequest, tuple[MetricRequest, ...]]:
    """For which requests each one is measured: `themselves` for themselves, those of `steps` for what they lead to.

    What itself only leads to something, by `before`, stands for that.
    """
    found = {request: {request: None} for request in themselves}
    for request, needs in steps.items():
        for need in needs:
            found.setdefault(need, {}).update(dict.fromkeys(before.get(request, (request,))))
    return {request: tuple(of) for request, of in found.items()}


def borne_by(served: Iterable[Iterable[MetricRequest]], asked_by: AskedBy) -> Mapping[str, float]:
    """The part of a statement that each check bears (`core.cost.shares`)."""
    return shares([[check for request in requests for check in asked_by.get(request, ())] for requests in served])


def statements(sent: Iterable[Sent], asked_by: AskedBy, run_id: str, at: datetime | None) -> Iterator[Statement]:
    """The statements of a run as they are kept; `at` stands for their times where the run's own clock stands still."""
    for one in sent:
        basis = Basis.SECONDS if one.cost.credits is None else Basis.ESTIMATE
        parts = borne_by(one.served, asked_by)
        yield Statement(run_id, one.table.warehouse, one.table.dataset, one.kind, at or one.at, one.cost, basis, parts)
