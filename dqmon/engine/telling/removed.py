"""Alerts of checks that the configuration does not have any more: they end after two cycles, and say why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.alerts.transition import close
from dqmon.core.result import OUTAGE
from dqmon.store import alerts
from dqmon.store.rhythm import last_gaps

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.core.alert import AlertKey
    from dqmon.engine.environment import Environment

CYCLES = 2
"""A check that is missing for so many cycles is removed; Grafana waits for two evaluations as well:
https://grafana.com/docs/grafana/latest/alerting/fundamentals/alert-rule-evaluation/stale-alert-instances
"""
SHORTEST, LONGEST = timedelta(minutes=1), timedelta(hours=1)
"""What a cycle is at least and at most. Patterns are applied anew every hour, so that two hours have seen the table missing twice."""
REASON = "removed: the configuration has no such check any more"


def end_removed(environment: Environment, now: datetime) -> None:
    """Ends the alerts whose checks have been missing for two cycles; step 2 tells of it as of any end. Only the leader calls it.

    A cycle is the time between the last two slots of the check; LONGEST when there are not two. Since when a check is missing is
    kept with its alert, so that a restart begins nothing anew; a check that is there again keeps its alert. While something that
    patterns need cannot be asked, nobody knows what is missing. Raises StoreError.
    """
    if environment.unresolved:
        return
    with environment.database.read() as connection:
        standing = alerts.standing(connection)
        gone = {key: at for key, at in standing.items() if key.check_id not in environment.checks and not _is_outage(key)}
        over = _over(connection, gone, now)
    back = {key for key, at in standing.items() if at is not None and key not in gone}
    new = {key for key, at in gone.items() if at is None}
    if not (new or over or back):
        return
    with environment.database.write() as connection:
        locked = alerts.lock(connection, new | over | back)
        alerts.save(connection, [replace(locked[key], missing_since=now) for key in sorted(new)])
        alerts.save(connection, [replace(locked[key], missing_since=None) for key in sorted(back)])
        ended = [close(locked[key], REASON, now) for key in sorted(over)]
        alerts.save(connection, [alert for alert, _ in ended])
        alerts.add_events(connection, [event for _, events in ended for event in events])


def _over(connection: Connection, gone: Mapping[AlertKey, datetime | None], now: datetime) -> set[AlertKey]:
    """Those that have been missing for long enough, also by a clock that was set back."""
    missing = {key: abs(now - at) for key, at in gone.items() if at is not None and abs(now - at) >= CYCLES * SHORTEST}
    gaps = last_gaps(connection, {key.check_id for key in missing})
    return {key for key, time in missing.items() if time >= CYCLES * min(LONGEST, max(SHORTEST, gaps.get(key.check_id, LONGEST)))}


def _is_outage(key: AlertKey) -> bool:
    """True for the alert of a warehouse, which belongs to no check."""
    return key.check_id.startswith(f"{OUTAGE}:")
