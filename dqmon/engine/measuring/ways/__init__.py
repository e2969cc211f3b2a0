"""Ways to a metric's value, cheapest first; each is one file with a function `steps`, and is proved equal to the plain statement.

Which one is taken depends on what the engine can do (`Capabilities`) and on what is known of the table (`TableFacts`), never
on the engine's name. Ways can be left out by name, so that the benchmark shows what each one saves.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

from dqmon.core.metric_kinds import MetadataMetric
from dqmon.engine.measuring.ways.way import Answer, Question, Steps, Way

if TYPE_CHECKING:
    from collections.abc import Collection

    from dqmon.core.capabilities import Capabilities
    from dqmon.core.measurement import MetricRequest

__all__ = ["WAYS", "Answer", "Question", "Steps", "Way", "has_ways", "steps", "wants_facts"]

WAYS = ("catalogue", "footers", "distinct_values", "ordered", "bitmap", "hashes", "copies")
"""The names of all ways, in the order in which they are tried: files of this folder."""

_METRICS: dict[str, tuple[str, ...]] = {
    "row_count": ("catalogue", "footers"),
    **dict.fromkeys(("missing_count", "non_missing_count"), ("catalogue", "footers", "distinct_values")),
    **dict.fromkeys(("null_ratio", "complete_key_count"), ("catalogue", "footers")),
    **dict.fromkeys(
        ("keyed_rows", "distinct_keys", "surplus_rows", "duplicated_keys"), ("catalogue", "ordered", "bitmap", "hashes", "copies")
    ),
    **dict.fromkeys(("distinct_count", "distinct_ratio"), ("catalogue", "ordered", "bitmap")),
    "invalid_range_count": ("footers", "distinct_values"),
    "unlisted_count": ("footers", "distinct_values"),
    "listed_count": ("distinct_values",),
    **dict.fromkeys(("invalid_pattern_count", "invalid_format_count", "invalid_length_count"), ("distinct_values",)),
    **dict.fromkeys(("min", "max", "latest_instant", "future_count"), ("footers",)),
}
"""The ways that each metric may take, by the metric's name, in the order of WAYS."""


def has_ways(request: MetricRequest, allowed: Collection[str]) -> bool:
    """True when the request may be answered in another way than by its own statement. Segments are never."""
    return not request.segment_by and any(name in allowed for name in _METRICS.get(request.metric.name, ()))


_CHEAP = frozenset(
    ("row_count", "missing_count", "non_missing_count", "null_ratio", "complete_key_count", "min", "max", "latest_instant", "future_count")
)
"""What a scan that is needed anyway answers for next to nothing."""


def wants_facts(request: MetricRequest, caps: Capabilities) -> bool:
    """True when what is certain of the table may save more than looking it up costs, which on a server is about a small grouping."""
    metric = request.metric
    if isinstance(metric, MetadataMetric):
        return metric.needs_facts
    return caps.is_file or metric.name not in _CHEAP or (metric.name == "row_count" and caps.row_count.is_exact)


def steps(question: Question, allowed: Collection[str]) -> Steps:
    """The steps of the first way that leads to the value; None at the end when there is none."""
    for name in _METRICS.get(question.request.metric.name, ()):
        if name in allowed:
            found = yield from _way(name)(question)
            if found is not None:
                return found
    return None


@cache
def _way(name: str) -> Way:
    return cast("Way", import_module(f"{__name__}.{name}").steps)
