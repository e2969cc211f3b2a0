"""dq_fragments: what was measured of each file or child table that a table is made of, so that only changed ones are read again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

import sqlalchemy as sa

from dqmon.core.metric import Value
from dqmon.core.plain import Json
from dqmon.store.schema import Instant, JsonText, SafeText, big_id, metadata, safe_text
from dqmon.store.writes import chunks, one_writer

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy.engine import Connection

    from dqmon.core.table import TableRef

fragments = sa.Table(
    "dq_fragments",
    metadata,
    big_id(),
    sa.Column("warehouse", SafeText, nullable=False),
    sa.Column("dataset", SafeText, nullable=False),
    sa.Column("fragment", SafeText, nullable=False, comment="the file or child table"),
    sa.Column("proof", SafeText, nullable=False, comment="what the warehouse said of the fragment before it was read"),
    sa.Column("basis", SafeText, nullable=False, comment="dqmon's version and the table's columns: other ones make other values"),
    sa.Column("state", JsonText, nullable=False, comment="{series: {segment: value}}"),
    sa.Column("measured_at", Instant, nullable=False),
    sa.Index(None, "warehouse", "dataset"),
)

State: TypeAlias = dict[str, dict[str, Value]]
"""Values by series (`series.series`) and the segment's stored text."""


@dataclass(frozen=True, slots=True)
class FragmentState:
    """All that is kept of one fragment; it counts only for the same proof and basis."""

    fragment: str
    proof: str
    basis: str
    state: State
    measured_at: datetime


def states(connection: Connection, table: TableRef) -> dict[str, FragmentState]:
    """What is kept of the table's fragments, by their names."""
    f = fragments.c
    named = (f.warehouse == safe_text(table.warehouse)) & (f.dataset == safe_text(table.dataset))
    rows = connection.execute(sa.select(f.fragment, f.proof, f.basis, f.state, f.measured_at).where(named))
    return {row.fragment: FragmentState(row.fragment, row.proof, row.basis, _decoded(row.state), row.measured_at) for row in rows}


def save(connection: Connection, table: TableRef, changed: Collection[FragmentState], current: Collection[str]) -> None:
    """Keeps the states of `changed` fragments in place of their earlier ones, and forgets fragments that are not `current`."""
    one_writer(connection)
    f = fragments.c
    named = (f.warehouse == safe_text(table.warehouse)) & (f.dataset == safe_text(table.dataset))
    known = {safe_text(name) for name in current}
    there = connection.scalars(sa.select(f.fragment).where(named)).all()
    outdated = {name for name in there if name not in known} | {safe_text(state.fragment) for state in changed}
    for part in chunks(sorted(outdated)):
        connection.execute(sa.delete(fragments).where(named, f.fragment.in_(part)))
    rows = [
        {
            "warehouse": table.warehouse,
            "dataset": table.dataset,
            "fragment": state.fragment,
            "proof": state.proof,
            "basis": state.basis,
            "state": _coded(state.state),
            "measured_at": state.measured_at,
        }
        for state in changed
    ]
    if rows:
        connection.execute(sa.insert(fragments), rows)


def _coded(state: State) -> Json:
    return {series: {segment: _code(value) for segment, value in values.items()} for series, values in state.items()}


def _decoded(state: Mapping[str, Mapping[str, Json]]) -> State:
    return {series: {segment: _value(code) for segment, code in values.items()} for series, values in state.items()}


def _code(value: Value) -> Json:
    """The value itself where JSON has its type, else `[type, text]`."""
    match value:
        case None | int() | str():
            return value
        case float() | Decimal():
            return [type(value).__name__, str(value)]
        case datetime():
            return ["datetime", value.isoformat()]
        case _:
            raise TypeError(f"a {type(value).__name__} is no value that fragments are merged from")


def _value(code: Json) -> Value:
    match code:
        case ["float", str(text)]:
            return float(text)
        case ["Decimal", str(text)]:
            return Decimal(text)
        case ["datetime", str(text)]:
            return datetime.fromisoformat(text)
        case None | int() | str():
            return code
        case _:
            raise ValueError(f"{code!r} is no kept value")
