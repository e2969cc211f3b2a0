"""Moving what is kept of a check to its new id (`was:` in check files)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.store import groups, meta
from dqmon.store.alerts import alerts, events
from dqmon.store.incidents import incidents, members
from dqmon.store.results import results
from dqmon.store.writes import one_writer

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_ID_COLUMNS = (results.c.check_id, alerts.c.check_id, events.c.check_id, members.c.check_id, incidents.c.root_check_id)
"""Measurements are kept by table and metric, and need no move; messages keep the words that were sent."""


def pending(connection: Connection, former: Mapping[str, str]) -> dict[str, str]:
    """Of old ids and their new ones, those that have something to move: results of the old id, none of the new."""

    def has_results(check_id: str) -> bool:
        return connection.execute(sa.select(results.c.id).where(results.c.check_id == check_id).limit(1)).first() is not None

    return {old: new for old, new in former.items() if has_results(old) and not has_results(new)}


def move(connection: Connection, former: Mapping[str, str]) -> None:
    """Gives results, alerts, their events, incidents and open groups of each old id the new one; a second time moves nothing.

    An id that has results already keeps its own, and those of the old id stay under the old one.
    """
    one_writer(connection)
    for old, new in pending(connection, former).items():
        for column in _ID_COLUMNS:
            changed = {"revision": meta.next_revision(connection)} if column.table is results else {}
            connection.execute(sa.update(column.table).where(column == old).values({column.name: new, **changed}))
        for group in groups.open_groups(connection):
            keys, told = (tuple(_renamed(name, old, new) for name in names) for names in (group.alert_keys, group.told_members))
            if (keys, told) != (group.alert_keys, group.told_members):
                groups.save(connection, (replace(group, alert_keys=keys, told_members=told),))


def _renamed(name: str, old: str, new: str) -> str:
    """`old`, `old#error` and `old [partition]` with the new id; any other name as it is."""
    rest = name.removeprefix(old)
    return new + rest if name.startswith(old) and (not rest or rest.startswith(("#error", " ["))) else name
