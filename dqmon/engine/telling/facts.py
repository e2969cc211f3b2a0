"""What a message says of alerts, read from the store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from dqmon.alerts.affected import LISTED_AFFECTED, affected
from dqmon.alerts.message import LISTED_ALERTS, SERIES_POINTS, Background, facts, reading
from dqmon.core.message import BlastRadius
from dqmon.core.verdict import Verdict
from dqmon.store import results
from dqmon.store.alerts import events_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.core.alert import Alert, AlertKey
    from dqmon.core.message import AlertFacts
    from dqmon.core.result import ResultRecord
    from dqmon.engine.environment import Environment

LOOK_BACK = 200
"""Results among which the last good one and the recent values are looked for."""


def alert_facts(
    connection: Connection, found: Sequence[Alert], root: AlertKey, newest: Mapping[str, tuple[ResultRecord, ...]] | None = None
) -> tuple[AlertFacts, ...]:
    """The facts of each alert that has a result, those first that a message lists; the rest without their past.

    newest: the newest results of their checks, where they were read before.
    """
    ordered = sorted(found, key=lambda a: (a.key != root, -a.severity.rank, -len(a.members), a.since is None, a.since, a.key))
    newest = results.latest(connection, {alert.key.check_id for alert in ordered}) if newest is None else newest
    pointed = results.by_ids(connection, {member.result_id for alert in ordered for member in alert.members.values()})
    told = []
    for place, alert in enumerate(ordered):
        known = tuple(pointed[m.result_id] for m in alert.members.values() if m.result_id in pointed)
        shown = known or newest.get(alert.key.check_id, ())
        if shown:
            past = background(connection, alert, shown[0]) if place < LISTED_ALERTS else Background()
            told.append(facts(alert, shown, past))
    return tuple(told)


def blast_radius(environment: Environment, connection: Connection, root: str, failing: Collection[str]) -> BlastRadius:
    """What is made from the node `root`, and what of it fails. `failing` are all checks with an open alert."""
    if not environment.lineage.descendants(root):
        return BlastRadius()
    checks = environment.checks
    bad = {checks[check_id].node for check_id in failing if check_id in checks}
    found = affected(root, environment.lineage, bad)
    listed = dict(found[:LISTED_AFFECTED])
    ids: dict[str, list[str]] = {node: [] for node in listed}
    for check in checks.values():
        if check.node in ids:
            ids[check.node].append(check.id)
    good = results.measured(connection, [check_id for of_node in ids.values() for check_id in of_node], Verdict.PASS)
    seen = []
    for node, item in listed.items():
        times = [good.get(check_id) for check_id in ids[node] if not item.is_failing or check_id in failing]
        seen.append(replace(item, last_good_at=_last_good(times, is_failing=item.is_failing)))
    return BlastRadius(tuple(seen), len(found) - len(listed))


def _last_good(times: Sequence[datetime | None], *, is_failing: bool) -> datetime | None:
    """Of what fails, until when all of it was good; else when anything of it was."""
    known = [at for at in times if at is not None]
    if is_failing and len(known) < len(times):
        return None
    return min(known, default=None) if is_failing else max(known, default=None)


def background(connection: Connection, alert: Alert, result: ResultRecord) -> Background:
    """What the store knows of the segment of `result` besides the alert."""
    past = [r for r in results.recent(connection, result.check_id, LOOK_BACK) if r.segment == result.segment]
    series = [point for r in reversed(past[:SERIES_POINTS]) if (point := reading(r)) is not None]
    last_good = next((r for r in past if r.verdict is Verdict.PASS), None)
    ended = () if alert.is_open else events_of(connection, result.check_id, 1)
    left = tuple(event.reason for event in ended if event.reason)
    return Background(tuple(series), last_good, left)
