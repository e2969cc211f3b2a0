"""A warehouse's budget of a day: what a run may still take, and what is left out, in stated steps, when it is not enough."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.cost import Budget, Cost, together
from dqmon.core.measurement import MetricRequest, Scan
from dqmon.core.metric import MetricKind
from dqmon.core.spending import Spending
from dqmon.engine.measuring.sent import AskedBy
from dqmon.store import statements
from dqmon.store.recall import durations

if TYPE_CHECKING:
    from dqmon.engine.environment import Environment

Forecast: TypeAlias = Callable[[Sequence[MetricRequest]], Sequence[tuple[Scan, Cost]]]
"""The scans for some requests, with what each is expected to cost."""


SAMPLE = 1.0
"""Percent of a table's rows in a sample."""

_SKIPPED = "skipped until 00:00 UTC"

Seconds: TypeAlias = Callable[[Collection[MetricRequest]], Mapping[MetricRequest, float]]
"""How long the statement behind each request took when it was last sent; without those that never were."""


@dataclass(frozen=True, slots=True)
class PurseMeans:
    """What is to be known of requests: how long they took, and whether values of a sample will do."""

    seconds: Seconds
    may_be_sampled: Callable[[MetricRequest], bool]


class Purse:
    """What one warehouse may still take today; safe to share between threads.

    What other runs take at the same time is seen when they have been recorded: a budget may be passed by what runs at once.
    """

    def __init__(self, warehouse: str, budget: Budget, spent: Cost, means: PurseMeans) -> None:
        self.warehouse = warehouse
        self.budget = budget
        self.seconds = means.seconds
        self.may_be_sampled = means.may_be_sampled
        self._spent = spent
        self._promised: list[Cost] = []
        self._lock = threading.Lock()

    def promise(self, costs: Sequence[Cost]) -> str | None:
        """Sets so much aside; or why it cannot, then nothing is."""
        with self._lock:
            reason = self.budget.refusal(together((self._spent, *self._promised)), together(costs))
            if reason is None:
                self._promised += costs
        return reason and f"budget of {self.warehouse} {reason}"

    def settle(self, promised: Cost) -> None:
        """What was set aside for a statement is free again: it has been paid, or was not sent."""
        with self._lock:
            self._promised.remove(promised)

    def pay(self, cost: Cost) -> None:
        """Counts what a statement really took."""
        with self._lock:
            self._spent = together((self._spent, cost))


@dataclass(frozen=True, slots=True)
class Ration:
    """The scans that may be sent, each with what was set aside for it, and why which requests are left out.

    `samples` has the requests in `granted` that are of a sample, with the reason.
    """

    granted: tuple[tuple[Scan, Cost], ...]
    refused: dict[MetricRequest, str]
    samples: Mapping[MetricRequest, str] = field(default_factory=dict)


def open_purses(environment: Environment, names: Iterable[str], asked: AskedBy, now: datetime) -> dict[str, Purse]:
    """The purses of those warehouses that have a budget, with what was recorded today (UTC), for what is `asked`. Raises StoreError."""
    limited = [name for name in names if name in environment.budgets]
    if not limited:
        return {}
    day, database = now.astimezone(UTC).date(), environment.database

    def seconds(requests: Collection[MetricRequest]) -> Mapping[MetricRequest, float]:
        with database.read() as connection:
            return durations(connection, requests)

    def may_be_sampled(request: MetricRequest) -> bool:
        checks = asked.get(request, ())
        return _has_samples(environment, request) and bool(checks) and all(_is_of_a_share(environment.checks[check]) for check in checks)

    with database.read() as connection:
        spent = {name: _cost(statements.spent_on(connection, name, day)) for name in limited}
    means = PurseMeans(seconds, may_be_sampled)
    return {name: Purse(name, environment.budgets[name], spent[name], means) for name in limited}


def ration(requests: Sequence[MetricRequest], forecast: Forecast, purse: Purse) -> Ration:
    """What of `requests` the purse allows. What needs no statement never comes here, so that it is always answered.

    1. All of them, if their statements together are allowed. 2. Else of several partitions the newest alone. 3. Else one statement
    after the other, in their order, each as a whole if that is allowed, else of a sample of the rows, as far as the checks that want
    it can be judged by one. What is left out says why.
    """
    planned = forecast(requests)
    reason = purse.promise([cost for _, cost in planned])
    if reason is None:
        return Ration(tuple(planned), {})
    newest = _newest(requests)
    older = [request for request in requests if request not in newest]
    if older:
        planned = forecast(tuple(newest))
        if purse.promise([cost for _, cost in planned]) is None:
            return Ration(tuple(planned), dict.fromkeys(older, f"{reason}; only the newest partition is read"))
    found = _one_by_one(planned, forecast, purse)
    return replace(found, refused=dict.fromkeys(older, f"{reason}; {_SKIPPED}") | found.refused)


def _one_by_one(planned: Iterable[tuple[Scan, Cost]], forecast: Forecast, purse: Purse) -> Ration:
    granted: list[tuple[Scan, Cost]] = []
    refused: dict[MetricRequest, str] = {}
    samples: dict[MetricRequest, str] = {}
    for scan, cost in planned:
        reason = purse.promise((cost,))
        if reason is None:
            granted.append((scan, cost))
            continue
        refused |= dict.fromkeys(scan.requests, f"{reason}; {_SKIPPED}")
        for part, less in forecast([replace(r, sample=SAMPLE) for r in scan.requests if purse.may_be_sampled(r)]):
            if purse.promise((less,)) is None:
                granted.append((part, less))
                samples |= dict.fromkeys(part.requests, f"of a sample of about {SAMPLE:g}% of the rows, since the {reason}")
    for request in samples:
        del refused[request.exact]
    return Ration(tuple(granted), refused, samples)


def _has_samples(environment: Environment, request: MetricRequest) -> bool:
    is_plain = request.metric.kind is MetricKind.AGGREGATE and request.fragment is None and not request.segment_by
    return is_plain and environment.warehouses[request.table.warehouse].capabilities.has_samples


def _is_of_a_share(check: Check) -> bool:
    """True when a sample can say that the check fails or passes, about: by a share of rows that may be bad, above none."""
    limits = [limit for limit in (check.warn_if, check.fail_if) if limit is not None]
    is_share = bool(limits) and all(limit.is_percent and limit.low > 0 and limit.operator not in ("=", "!=") for limit in limits)
    return is_share and isinstance(check.rule, DatasetCheck) and check.rule.can_be_sampled


def _newest(requests: Iterable[MetricRequest]) -> dict[MetricRequest, None]:
    """The requests of whole tables, and of partitions each one's newest; rows without a partition key go with the older ones."""
    found: dict[tuple[MetricRequest, str, int], MetricRequest] = {}
    kept: dict[MetricRequest, None] = {}
    for request in requests:
        part = request.partition
        if part is None:
            kept[request] = None
        elif part.start is not None and part.end is not None:
            # Hours, days, weeks and months, each a class of its own: clock changes make days of 23 to 25 hours.
            grain = round(math.log((part.end - part.start).total_seconds()))
            key = (replace(request, partition=None), part.column, grain)
            other = found.get(key)
            if other is None or other.partition is None or other.partition.end is None or other.partition.end < part.end:
                found[key] = request
    return kept | dict.fromkeys(found.values())


def _cost(spent: statements.Spent) -> Cost:
    whole = [None if count is None else round(count) for count in (spent.rows_read, spent.bytes_read, spent.bytes_billed)]
    return Cost(spent.seconds, Spending(whole[0], whole[1], whole[2]), spent.credits)
