"""What else happened when an incident opened: changed columns, loads, other incidents. It may be the cause; nothing proves it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.alerts.wording import cut, number, some
from dqmon.core.lineage import kind_of
from dqmon.store import incidents, loads, schemas

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dqmon.core.incident import Incident
    from dqmon.core.load_record import LoadRecord
    from dqmon.core.table import Column
    from dqmon.engine.environment import Environment

BEFORE, AFTER = timedelta(hours=24), timedelta(hours=1)
"""Around the opening: a daily load is among it."""
OTHERS_BEFORE = timedelta(hours=3)
"""Other incidents of a whole day would be noise."""
LISTED = 12
_LOADS = 3
"""Of one pipeline, the newest."""
_PIPELINES = 20
_ERROR_LIMIT = 200


def nearby(environment: Environment, connection: Connection, incident: Incident) -> tuple[tuple[datetime, str], ...]:
    """When and what, oldest first; of more than LISTED those that are nearest to the opening.

    Columns and loads are of the root's table or pipeline and of all that it is made from.
    """
    root = incident.members.get(incident.root)
    nodes = frozenset({root.node}) | environment.lineage.ancestors(root.node) if root else frozenset[str]()
    since, until = incident.opened_at - BEFORE, incident.opened_at + AFTER
    found = [*_columns(connection, nodes, since), *_loads(connection, nodes, since), *_others(connection, incident)]
    within = [moment for moment in found if moment[0] <= until]
    nearest = sorted(within, key=lambda moment: abs(moment[0] - incident.opened_at))[:LISTED]
    return tuple(sorted(nearest))


def _columns(connection: Connection, nodes: Collection[str], since: datetime) -> Iterator[tuple[datetime, str]]:
    places = {(warehouse, dataset) for warehouse, _, dataset in (node.partition(":") for node in nodes if kind_of(node) == "dataset")}
    for dataset, before, after in schemas.changed_since(connection, places, since):
        yield after.recorded_at, f"{dataset}: {_difference(before, after.columns)}"


def _difference(before: tuple[Column, ...], after: tuple[Column, ...]) -> str:
    """`column added: promo_id; type changed: amount from int to text`."""
    old, new = {column.name: column.type for column in before}, {column.name: column.type for column in after}
    said = {
        "added": [name for name in new if name not in old],
        "removed": [name for name in old if name not in new],
        "of another type": [f"{name} ({old[name]}, then {new[name]})" for name in new if old.get(name, new[name]) != new[name]],
    }
    texts = [f"{'column' if len(names) == 1 else 'columns'} {what}: {some(names)}" for what, names in said.items() if names]
    return "; ".join(texts) or "columns in another order, or nullable otherwise"


def _loads(connection: Connection, nodes: Collection[str], since: datetime) -> Iterator[tuple[datetime, str]]:
    for node in sorted(node for node in nodes if kind_of(node) == "pipeline")[:_PIPELINES]:
        source, _, pipeline = node.partition("/")
        whole = [record for record in loads.of_pipeline(connection, source, pipeline, since) if record.table is None]
        yield from ((_at(record), f"{node} {_ended(record)}") for record in whole[-_LOADS:])


def _at(record: LoadRecord) -> datetime:
    return record.finished_at or record.started_at or record.observed_at


def _ended(record: LoadRecord) -> str:
    """`succeeded, 1,204 rows`; `failed: disk full`."""
    rows = f", {number(record.rows)} {'row' if record.rows == 1 else 'rows'}" if record.rows is not None else ""
    return f"{record.status.value}{rows}" + (f": {cut(record.error, _ERROR_LIMIT)}" if record.error else "")


def _others(connection: Connection, incident: Incident) -> Iterator[tuple[datetime, str]]:
    for other in incidents.opened_between(connection, incident.opened_at - OTHERS_BEFORE, incident.opened_at + AFTER, LISTED):
        if other.id != incident.id:
            yield other.opened_at, f"another incident opened: {other.root} ({other.severity.value}, {other.state.value} by now)"
