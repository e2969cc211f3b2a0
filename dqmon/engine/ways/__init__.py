"""Ways to a metric's value, cheapest first; each is one file with a function `steps`, and is proved equal to the plain statement.

Which one is taken depends on what the engine can do (`Capabilities`) and on what is known of the table (`TableFacts`), never
on the engine's name. Ways can be left out by name, so that the benchmark shows what each one saves.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

from dqmon.engine.ways.way import Answer, Question, Steps, Way

if TYPE_CHECKING:
    from collections.abc import Collection

    from dqmon.core.measurement import MetricRequest

__all__ = ["WAYS", "Answer", "Question", "Steps", "Way", "has_ways", "steps"]

WAYS = ("bounds",)
"""The names of all ways, in the order in which they are tried: files of this folder."""

_METRICS: dict[str, tuple[str, ...]] = {
    "invalid_range_count": ("bounds",),
}
"""The ways that each metric may take, by the metric's name, in the order of WAYS."""


def has_ways(request: MetricRequest, allowed: Collection[str]) -> bool:
    """True when the request may be answered in another way than by its own statement. Segments are never."""
    return not request.segment_by and any(name in allowed for name in _METRICS.get(request.metric.name, ()))


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
