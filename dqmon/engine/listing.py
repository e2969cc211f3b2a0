"""What is there for patterns to match: tables of warehouses, pipelines of sources."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dqmon.core.load_record import PipelineInfo
from dqmon.core.table import TableRef
from dqmon.errors import SourceError, WarehouseError

if TYPE_CHECKING:
    from dqmon.core.protocols import Source, Warehouse


@dataclass(frozen=True, slots=True)
class Listing:
    """Tables with `is_view`, pipelines, and a line for each warehouse or source that could not be asked."""

    tables: tuple[tuple[TableRef, bool], ...] = ()
    pipelines: tuple[PipelineInfo, ...] = ()
    unreachable: tuple[str, ...] = ()


def list_targets(warehouses: Iterable[Warehouse], sources: Iterable[Source]) -> Listing:
    """Asks each for all that it has, in the order given. Raises nothing."""
    tables: list[tuple[TableRef, bool]] = []
    pipelines: list[PipelineInfo] = []
    unreachable: list[str] = []
    for warehouse in warehouses:
        try:
            with warehouse.open() as session:
                tables.extend(session.tables(None))
        except WarehouseError as e:
            unreachable.append(f"patterns are not applied: {e}")
    for source in sources:
        try:
            pipelines.extend(source.pipelines())
        except SourceError as e:
            unreachable.append(f"patterns are not applied: {e}")
    return Listing(tuple(tables), tuple(pipelines), tuple(unreachable))
