"""A store, checks and a graph, into which tests commit verdicts at times of their choosing; step 2 tells of them."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dqmon.checks.completeness import Completeness
from dqmon.checks.freshness import Freshness
from dqmon.checks.last_success import LastSuccess
from dqmon.checks.row_count import RowCountCheck
from dqmon.checks.schema_drift import SchemaDrift
from dqmon.core.check import Check, PipelineRef, Schedule, SourceLine
from dqmon.core.delivery import Delivery, DeliveryState
from dqmon.core.incident import Group, Incident, IncidentState
from dqmon.core.judgement import Expected
from dqmon.core.lineage import Edge, Exposure, of_edges
from dqmon.core.message import DeliveryKind
from dqmon.core.result import CheckResult
from dqmon.core.route import Route
from dqmon.core.table import TableRef
from dqmon.core.verdict import Severity, Verdict
from dqmon.engine.environment import Environment
from dqmon.engine.measuring.asked import Run, Task
from dqmon.engine.run import RunOutcome, commit
from dqmon.engine.telling.notify import notify_once
from dqmon.store import deliveries, groups, incidents
from dqmon.store.database import Database
from dqmon.store.schema import metadata

T0 = datetime(2026, 3, 1, 8, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
RULES = {rule.type: rule for rule in (Completeness, Freshness, LastSuccess, RowCountCheck, SchemaDrift)}
EVERY = Schedule(None, 300, "UTC")


def check(node: str, kind: str, severity: Severity = Severity.ERROR, schedule: Schedule | None = EVERY) -> Check:
    """A check on a node of the graph; its id is `node.kind`, without the warehouse `main`."""
    is_table = ":" in node
    warehouse, _, name = node.partition(":")
    table = TableRef(warehouse, None, None, name) if is_table else None
    pipeline = None if is_table else PipelineRef(*node.split("/"))
    return Check(
        id=f"{node.removeprefix('main:')}.{kind}",
        rule=RULES[kind].model_construct(),
        table=table,
        pipeline=pipeline,
        source=SourceLine("checks/a.yaml", 1),
        severity=severity,
        error_severity=severity,
        schedule=schedule,
    )


class Loud:
    """A channel that takes every message as one request; nothing is sent in these tests."""

    type = "loud"
    pages = True

    def parts(self, message):
        return ("post",)


class World:
    """`parents`: edges by child. Every message goes to one channel, without group_wait."""

    def __init__(
        self, path: Path, checks: Iterable[Check], parents: Mapping[str, Collection[str]], exposures: Iterable[Exposure] = ()
    ) -> None:
        self.database = Database(f"sqlite:///{path}/store.db")
        self.database.prepare()
        self.checks = {item.id: item for item in checks}
        numbers = itertools.count(1)
        self.new_id = lambda: f"{next(numbers):06}"
        self.now = T0
        self.route = Route("rest", None, ("loud",), group_wait_s=0)
        edges = [Edge(child, parent) for child, found in parents.items() for parent in found]
        self.environment = Environment(
            "test",
            self.database,
            {},
            {},
            {"loud": Loud()},
            self.checks,
            (self.route,),
            of_edges(edges, exposures),
            3600.0,
            lambda: self.now,
            self.new_id,
        )

    def reset(self) -> None:
        """As new."""
        with self.database.write() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())

    def commit(self, verdicts: Mapping[str, Verdict], at: datetime, slot: datetime | None = None) -> None:
        """Transaction 1: each check's result of a slot, measured and committed at `at`."""
        self.now, run = max(self.now, at), Run(self.new_id())
        slot = slot or at
        tasks = tuple(Task(self.checks[check_id], slot) for check_id in verdicts)
        found = tuple(self._result(self.checks[check_id], verdict, at, slot, run) for check_id, verdict in verdicts.items())
        with self.database.write() as connection:
            commit(connection, (RunOutcome(run, tasks, found, (), (), at, at),), at)

    def _result(self, item: Check, verdict: Verdict, at: datetime, slot: datetime, run: Run) -> CheckResult:
        severity = item.warn_severity if verdict is Verdict.WARN else item.severity
        reason = f"{item.id} is {verdict}"
        return CheckResult(self.new_id(), item, None, (), verdict, severity, None, Expected(), reason, (), run.id, slot, at, 0.0)

    def run(self, verdicts: Mapping[str, Verdict], at: datetime, slot: datetime | None = None) -> None:
        """Both transactions at that time."""
        self.until(at)
        self.commit(verdicts, at, slot)
        self.notify(at)

    def notify(self, at: datetime) -> datetime | None:
        """Step 2, until it has nothing more to do at that time; when it has. What it queued counts as sent."""
        self.now = max(self.now, at)
        while (due := notify_once(self.environment, at)) is not None and due <= at:
            continue
        d = deliveries.deliveries
        with self.database.write() as connection:
            connection.execute(d.update().where(d.c.state == DeliveryState.QUEUED).values(state=DeliveryState.SENT, sent_at=at))
        return due

    def until(self, end: datetime) -> int:
        """Step 2 at each time that it asks for, up to `end`; how often."""
        due, calls = self.notify(self.now), 1
        while due is not None and due <= end:
            due, calls = self.notify(due), calls + 1
        self.now = max(self.now, end)
        return calls

    def incidents(self, *, is_open: bool = True) -> dict[str, Incident]:
        """By the check id of the root; open ones or all."""
        with self.database.read() as connection:
            found = incidents.open_incidents(connection) if is_open else incidents.listed(connection, None, 1_000)
        return {str(incident.root): incident for incident in found}

    def groups(self) -> tuple[Group, ...]:
        """The open ones."""
        with self.database.read() as connection:
            return groups.open_groups(connection)

    def deliveries(self) -> tuple[Delivery, ...]:
        """All of them in order."""
        with self.database.read() as connection:
            return deliveries.after(connection, 0)

    def said(self, kind: DeliveryKind = DeliveryKind.TRIGGER) -> list[str]:
        """The checks of which messages of that kind were sent, in order, the one at the head of each."""
        return [d.message.alerts[0].check_id for d in self.deliveries() if d.kind is kind and d.state is DeliveryState.SENT]

    def unsaid(self) -> dict[str, str]:
        """Why nobody was told, by the check that the message would have been of."""
        return {d.message.alerts[0].check_id: d.reason for d in self.deliveries() if d.state is DeliveryState.NOT_SENT}

    def members(self) -> dict[str, str | None]:
        """The alerts in open incidents that have not left, and what they are caused by."""
        return {str(m.key): m.caused_by for i in self.incidents().values() if i.state is not IncidentState.RESOLVED for m in i.open_members}
