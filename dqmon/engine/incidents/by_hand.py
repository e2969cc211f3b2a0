"""What people do by hand: acknowledge and close incidents, accept a schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqmon.alerts.correlate import acknowledge, close_by_hand
from dqmon.core.feedback import NOTE_LIMIT, Feedback, Label, Said
from dqmon.core.incident import Incident, IncidentState
from dqmon.core.table import Column, TableRef
from dqmon.engine.incidents.settle import settle
from dqmon.engine.telling.tell import tell_now
from dqmon.errors import NotifyError, UsageError
from dqmon.store import feedback, incidents, schemas

if TYPE_CHECKING:
    from dqmon.engine.environment import Environment


def acknowledge_incident(environment: Environment, incident_id: str, by: str) -> None:
    """Says that somebody is at the incident, and tells it at once.

    UsageError when there is none of that id, or it is resolved; NotifyError when the message was not delivered.
    """
    now = environment.clock()
    found = _unresolved(environment, incident_id)
    settle(environment, found.id, lambda incident: acknowledge(incident, by, now), now)
    _tell(environment)


def resolve_incident(environment: Environment, incident_id: str, by: str, *, still_failing: bool, label: Label | None = None) -> None:
    """Closes the incident until its checks have passed once. With `still_failing` the next failure opens a new one.

    `label` is kept as by `give_feedback`. Raises as `acknowledge_incident`.
    """
    now = environment.clock()
    found = _unresolved(environment, incident_id)
    if label is not None:
        give_feedback(environment, found.id, label.feedback, by, label.note)
    settle(environment, found.id, lambda incident: close_by_hand(incident, by, now), now, ends_alerts=still_failing)
    _tell(environment)


def give_feedback(environment: Environment, incident_id: str, word: Feedback, by: str, note: str = "") -> Incident:
    """Keeps what an incident was, open or resolved; a later word replaces it, note included. Baselines go by it from the next run on.

    Of the note NOTE_LIMIT characters are kept. Returns the incident. UsageError when there is none of that id.
    """
    found = _known(environment, incident_id)
    with environment.database.write() as connection:
        feedback.save(connection, Said(found.id, word, by, environment.clock(), note.strip()[:NOTE_LIMIT]))
    return found


def accept_schema(environment: Environment, table: TableRef, by: str) -> tuple[Column, ...]:
    """Takes the columns that the table has now for the accepted ones, and returns them. Raises WarehouseError."""
    with environment.warehouses[table.warehouse].open() as session:
        columns = session.columns(table)
    with environment.database.write() as connection:
        schemas.record(connection, {table: columns}, environment.clock())
        schemas.accept(connection, table, environment.clock(), by)
    return columns


def _known(environment: Environment, id_: str) -> Incident:
    with environment.database.read() as connection:
        found = incidents.get(connection, id_)
    if found is None:
        raise UsageError(f"there is no incident {id_!r}; `dqmon incidents list --state all` names them")
    return found


def _unresolved(environment: Environment, id_: str) -> Incident:
    found = _known(environment, id_)
    if found.state is IncidentState.RESOLVED:
        raise UsageError(f"the incident {found.id} is resolved already")
    return found


def _tell(environment: Environment) -> None:
    problem = tell_now(environment)
    if problem:
        raise NotifyError(problem)
