"""What an engine can do, as data: the planner and the metrics ask here, never for an engine's name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Facts about one engine.

    max_expressions: select-list entries that one statement may have.
    max_parameters: bound values that one statement may have.
    has_nan: float columns can hold NaN, which the engine tells from NULL.
    is_file: one process opens a file; connections are kept for one batch only, so that loaders get in.
    has_typed_timestamps: False when timestamps are text (SQLite).
    has_typed_columns: False when a column of any type may hold values of another one (SQLite).
    is_columnar: a statement reads the columns that it names only, so that a second one over few columns costs little.
    key_ways: the ways to the copies of a key (`dqmon.engine.ways`: ordered, bitmap, hashes, copies) that were measured to pay here, and
      whose functions the engine has.
    grammar: the name that sqlglot has for the engine's SQL; empty is its neutral one.
    """

    max_expressions: int = 500
    max_parameters: int = 10_000
    has_nan: bool = True
    is_file: bool = False
    has_typed_timestamps: bool = True
    has_typed_columns: bool = True
    is_columnar: bool = False
    key_ways: frozenset[str] = frozenset()
    grammar: str = ""
