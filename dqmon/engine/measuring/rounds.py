"""Requests on their ways to an answer, in rounds: all ask for what they need next, and get it from the same few statements."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dqmon.core.measurement import Failure, FailureKind, Measurement, MetricRequest
from dqmon.core.metric import MetricKind
from dqmon.engine.measuring.ways import Answer, Question, Steps, steps

if TYPE_CHECKING:
    from dqmon.core.metric import Metric, Value


@dataclass(slots=True)
class _Walk:
    """One request on its way: its steps, what it waits for, and what was measured for it so far."""

    steps: Steps
    waits: tuple[MetricRequest, ...] = ()
    used: tuple[Measurement, ...] = ()


class Rounds:
    """`wanted` is what must be measured next, empty at the end; `take` gives it back. `ended` has what was found on a way.

    A request whose way ends without an answer, or over a metric that cannot be measured, wants itself: then its own
    statement decides, and its failure is its own. A way that ran out of time is the end: the plain statement takes longer.
    """

    def __init__(self, requests: Iterable[MetricRequest], questions: Mapping[MetricRequest, Question], ways: Collection[str]) -> None:
        self.ended: dict[MetricRequest, tuple[Answer | Failure, tuple[Measurement, ...]]] = {}
        self._walks: dict[MetricRequest, _Walk] = {}
        self._plain: list[MetricRequest] = []
        for request in requests:
            if request in questions:
                self._start(questions[request], ways)
            else:
                self._plain.append(request)
        # A table that is read anyway is counted by that statement, so that its bad rows and all of its rows are of the same moment.
        read = {request.table for request in self.wanted}
        for question in [q for r, q in questions.items() if r in self.ended and r.table in read and q.facts.source == "catalogue"]:
            if question.facts.rows is not None:
                del self.ended[question.request]
                self._start(replace(question, facts=replace(question.facts, rows=None)), ways)

    @property
    def wanted(self) -> tuple[MetricRequest, ...]:
        """The distinct requests of this round: helpers of the ways, and what has no way."""
        return tuple(dict.fromkeys((*self._plain, *(wait for walk in self._walks.values() for wait in walk.waits))))

    @property
    def waiting(self) -> Mapping[MetricRequest, tuple[MetricRequest, ...]]:
        """What each request on its way waits for; it wants itself if its way does not tell."""
        return {request: walk.waits for request, walk in self._walks.items()}

    def take(self, measured: Mapping[MetricRequest, tuple[Measurement, ...]]) -> None:
        """Ends the round with the measurements of all that was wanted."""
        self._plain = []
        for request, walk in tuple(self._walks.items()):
            found = [m for wait in walk.waits for m in measured[wait]]
            failures = {m.failure.kind: m.failure for m in found if m.failure}
            walk.used = (*walk.used, *found)
            if FailureKind.TIMEOUT in failures:
                self._end(request, failures[FailureKind.TIMEOUT])
            elif failures:
                self._leave(request)
            else:
                self._advance(request, {m.request.metric: m.value for m in found})

    def _start(self, question: Question, ways: Collection[str]) -> None:
        self._walks[question.request] = _Walk(steps(question, ways))
        self._advance(question.request, None)

    def _advance(self, request: MetricRequest, values: dict[Metric, Value] | None) -> None:
        walk = self._walks[request]
        try:
            metrics = next(walk.steps) if values is None else walk.steps.send(values)
        except StopIteration as end:
            if end.value is None:
                self._leave(request)
            else:
                self._end(request, end.value)
        else:
            walk.waits = tuple(_asked(request, metric) for metric in metrics)

    def _end(self, request: MetricRequest, found: Answer | Failure) -> None:
        self.ended[request] = found, self._walks.pop(request).used

    def _leave(self, request: MetricRequest) -> None:
        del self._walks[request]
        self._plain.append(request)


def _asked(request: MetricRequest, metric: Metric) -> MetricRequest:
    """A further metric of the rows of a request; a sample is one of the table, whatever rows the request is of."""
    if metric.kind is MetricKind.SAMPLED:
        request = replace(request, where=None, partition=None, fragment=None)
    return replace(request, metric=metric)
