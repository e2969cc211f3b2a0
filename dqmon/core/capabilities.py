"""What an engine can do, as data: the planner and the metrics ask here, never for an engine's name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Said:
    """Whether what the engine's metadata says is exact enough to stand in for reading the table; `because` says why, or why not."""

    is_exact: bool
    because: str


@dataclass(frozen=True, slots=True)
class Gap:
    """What an engine cannot do. `what`: a check type, or `type: part of a case's name` of tests/cases; `raises`: the class of
    `dqmon.errors` that the user sees; `because`: the engine's reason. The contract suite fails when a gap has gone.
    """

    what: str
    raises: str
    because: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Facts about one engine.

    max_expressions: select-list entries that one statement may have.
    max_parameters: bound values that one statement may have.
    has_nan: float columns can hold NaN, which the engine tells from NULL.
    is_file: one process opens a file; connections are kept for one batch only, so that loaders get in.
    has_typed_timestamps: False when timestamps are text (SQLite).
    has_typed_columns: False when a column of any type may hold values of another one (SQLite).
    has_quantiles: an aggregate finds the value at a quantile; where none does, rows are numbered by value first (`dqmon.sql.ranks`).
    is_columnar: a statement reads the columns that it names only, so that a second one over few columns costs little.
    key_ways: the ways to the copies of a key (`dqmon.engine.measuring.ways`: ordered, bitmap, hashes, copies) that were measured to pay
      here, and whose functions the engine has.
    grammar: the name that sqlglot has for the engine's SQL; empty is its neutral one.
    row_count, last_change: whether the catalogue says exactly how many rows a table has, and when they changed last.
    has_samples: a part of a table's blocks, chosen by chance, can be read (TABLESAMPLE SYSTEM).
    attributed_after_s: seconds after which the engine's history surely tells what a statement cost (`Session.attributed`); None: never.
    gaps: what the engine cannot do.
    """

    max_expressions: int = 500
    max_parameters: int = 10_000
    has_nan: bool = True
    is_file: bool = False
    has_typed_timestamps: bool = True
    has_typed_columns: bool = True
    has_quantiles: bool = True
    is_columnar: bool = False
    key_ways: frozenset[str] = frozenset()
    grammar: str = ""
    row_count: Said = Said(is_exact=False, because="the catalogue says nothing of it")
    last_change: Said = Said(is_exact=False, because="the catalogue says nothing of it")
    has_samples: bool = False
    attributed_after_s: int | None = None
    gaps: tuple[Gap, ...] = ()
