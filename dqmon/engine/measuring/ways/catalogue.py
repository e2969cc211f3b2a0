"""Proof by catalogue: constraints that the engine enforces answer for completeness and uniqueness, under any filter.

A session tells only of constraints that hold for every row that it can see (`Session.facts`): NOT NULL, primary keys, unique
constraints and indexes. Keys that are declared but not enforced, as Snowflake's and BigQuery's are, must never be told of.
Where it also tells exactly how many rows there are (`TableFacts.rows`), that is their number, unless the table is read anyway
(`engine.measuring.rounds`). What a catalogue estimates (PostgreSQL's reltuples, DuckDB's estimated_size) is never a value: there without
`count(*)` there is no number of rows.

The proof is of the moment in which the catalogue was read. A constraint cannot be violated between it and the statements of the
same run; one that is dropped there is like a change between any two statements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqmon.engine.measuring.ways.proof import proof

if TYPE_CHECKING:
    from dqmon.engine.measuring.ways.way import Question, Steps


def steps(question: Question) -> Steps:
    """What the constraints prove."""
    return (yield from proof(question)) if question.facts.source == "catalogue" else None
