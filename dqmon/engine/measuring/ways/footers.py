"""Proof by file metadata: the footers of Parquet files have exact numbers of rows and NULLs, and typed least and greatest values.

They answer for row counts, completeness, ranges and freshness of whole tables without reading rows; what they say of all rows (no
NULL, none outside of the bounds) also under a filter. What a footer does not have, or may have rounded, as bounds of texts, or
that the values are no NaN, is not taken for known, so that the plain statement decides.

The proof is of the moment in which the footers were read. A file that is replaced before the statements of the same run is like
a change between any two statements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqmon.engine.measuring.ways.proof import proof

if TYPE_CHECKING:
    from dqmon.engine.measuring.ways.way import Question, Steps


def steps(question: Question) -> Steps:
    """What the footers prove."""
    return (yield from proof(question)) if question.facts.source == "footers" else None
