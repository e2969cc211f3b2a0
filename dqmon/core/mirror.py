"""What the mirror keeps in a warehouse: tables of rows told apart by keys, and how far each has been copied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dqmon.core.table import TypeGroup


@dataclass(frozen=True, slots=True)
class Target:
    """A table to be kept: its columns in order, and those that tell its rows apart, which are never NULL."""

    name: str
    columns: Mapping[str, TypeGroup]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """How far a table has been copied: all rows of lower revisions of the store, and those of `revision` up to `row_id`."""

    revision: int = 0
    row_id: str = ""


START = Position()
"""Of a table that nothing was copied to."""
