"""Tables that are made of files or child tables: only new and changed ones are read, and merged with what is kept of the others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dqmon.core.measurement import Measurement, MetricRequest, Segment, segment_key
from dqmon.core.metric import Metric, MetricKind, Value
from dqmon.core.version import version
from dqmon.engine.measuring.reuse import is_reusable
from dqmon.errors import TooManySegments
from dqmon.store.fragments import FragmentState
from dqmon.store.series import series

if TYPE_CHECKING:
    from dqmon.core.fragment import Fragment
    from dqmon.core.table import Column, TableRef

TOGETHER = 200
"""Fragments that one statement reads at most, so that its text stays small."""


def chunks(requests: Iterable[MetricRequest]) -> Iterator[list[MetricRequest]]:
    """The requests of at most TOGETHER fragments at a time."""
    by_fragment: dict[tuple[TableRef, Fragment | None], list[MetricRequest]] = {}
    for request in requests:
        by_fragment.setdefault((request.table, request.fragment), []).append(request)
    groups = list(by_fragment.values())
    for start in range(0, len(groups), TOGETHER):
        yield [request for group in groups[start : start + TOGETHER] for request in group]


@dataclass(slots=True)
class Pieces:
    """The fragments of one table as they are now, the states that still count, and which of these are new."""

    fragments: tuple[Fragment, ...]
    basis: str
    states: dict[str, FragmentState] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()
    changed: set[str] = field(default_factory=set)

    @property
    def to_save(self) -> tuple[FragmentState, ...]:
        """The states that the store has not, of fragments with a proof."""
        return tuple(self.states[name] for name in sorted(self.changed) if self.states[name].proof)

    @property
    def names(self) -> tuple[str, ...]:
        """All fragments."""
        return tuple(fragment.name for fragment in self.fragments)


def pieces(found: Sequence[Fragment], columns: Sequence[Column], known: Mapping[str, FragmentState]) -> Pieces:
    """The table's pieces; a state counts for the same proof, the same columns and the same version of dqmon."""
    facts = json.dumps([(column.name, column.type) for column in columns])
    basis = f"{version()} {hashlib.blake2b(facts.encode(), digest_size=8).hexdigest()}"
    states = {
        fragment.name: state
        for fragment in found
        if (state := known.get(fragment.name)) and (state.proof, state.basis) == (fragment.proof, basis) and fragment.proof
    }
    return Pieces(tuple(found), basis, states, frozenset(states))


class Merging:
    """What is known of fragments in one run; `takes` tells which requests are answered from them."""

    def __init__(self, tables: Mapping[TableRef, Pieces]) -> None:
        self.tables = tables

    def takes(self, request: MetricRequest) -> bool:
        """True when the request is of all rows of a table in fragments, and its metric can be merged."""
        return request.table in self.tables and request.slice is None and request.metric.is_mergeable and is_reusable(request)

    def first(self, request: MetricRequest) -> Iterator[MetricRequest]:
        """What must be read to tell whether the fragments' values can be merged; for an aggregate the values, too."""
        metric = request.metric
        return self._missing(request, (*metric.beside, *((metric,) if metric.kind is MetricKind.AGGREGATE else ())))

    def second(self, request: MetricRequest) -> Iterator[MetricRequest]:
        """What must still be read, once `first` was; nothing where the values do not merge."""
        is_read = request.metric.kind is MetricKind.AGGREGATE
        return iter(()) if is_read or not self.can_merge(request) else self._missing(request, (request.metric,))

    def can_merge(self, request: MetricRequest) -> bool:
        """True when the fragments' values tell the value of all rows."""
        if not request.metric.beside:
            return request.metric.is_mergeable
        by_segment = self._by_segment(request, request.metric.beside)
        return all(request.metric.can_merge(fragments) for fragments in by_segment.values())

    def learn(self, measurements: Iterable[Measurement]) -> None:
        """Keeps what was measured of fragments."""
        for measured in measurements:
            request = measured.request
            assert request.fragment is not None  # noqa: S101 - for the type checker
            known = self.tables[request.table]
            name = request.fragment.name
            if name not in known.states:
                known.states[name] = FragmentState(name, request.fragment.proof or "", known.basis, {}, measured.measured_at)
            known.states[name].state.setdefault(series(request), {})[segment_key(measured.segment)] = measured.value
            known.changed.add(name)

    def merged(self, request: MetricRequest) -> dict[Segment, Value]:
        """The value of each segment of all rows. Raises TooManySegments."""
        metrics = (request.metric, *request.metric.beside)
        found = {segment: request.metric.merge(values) for segment, values in self._by_segment(request, metrics).items()}
        if len(found) > request.max_segments:
            names = ", ".join(request.segment_by)
            many = f"segment_by [{names}] has {len(found)} value combinations, max_segments is {request.max_segments}"
            raise TooManySegments(f"{many}; raise it or drop a column")
        return found

    def way(self, request: MetricRequest) -> str | None:
        """In words, what was not read again."""
        known = self.tables[request.table]
        kept = len(known.kept - known.changed)
        return f"{kept} of {len(known.fragments)} files or child tables unchanged since they were measured" if kept else None

    def _missing(self, request: MetricRequest, metrics: Iterable[Metric]) -> Iterator[MetricRequest]:
        """What is not known of each fragment, or does not stand any more."""
        known = self.tables[request.table]
        for metric in metrics:
            own, others = series(replace(request, metric=metric)), [(m, series(replace(request, metric=m))) for m in metric.beside]
            for fragment in known.fragments:
                state = known.states.get(fragment.name)
                if state is None or not _stands(metric, state, own, others):
                    yield replace(request, metric=metric, fragment=fragment)

    def _by_segment(self, request: MetricRequest, metrics: Sequence[Metric]) -> dict[Segment, list[dict[Metric, Value]]]:
        """For each segment, the values of every fragment; `{}` stands for no rows where there are segments elsewhere."""
        known = self.tables[request.table]
        of = [known.states[fragment.name].state for fragment in known.fragments]
        keys = [series(replace(request, metric=metric)) for metric in metrics]
        texts = dict.fromkeys(text for state in of for key in keys for text in state[key])
        if request.segment_by and len(texts) > 1:
            texts.pop("{}", None)
        return {
            _segment(request, text): [{m: state[key].get(text, m.empty) for m, key in zip(metrics, keys, strict=True)} for state in of]
            for text in texts
        }


def _stands(metric: Metric, state: FragmentState, own: str, others: Iterable[tuple[Metric, str]]) -> bool:
    values = state.state.get(own)
    if values is None or type(metric).stands is Metric.stands:
        return values is not None
    beside = [(other, state.state.get(key, {})) for other, key in others]
    return all(metric.stands(value, {other: texts[text] for other, texts in beside if text in texts}) for text, value in values.items())


def _segment(request: MetricRequest, text: str) -> Segment:
    values = json.loads(text)
    return tuple((name, values.get(name)) for name in request.segment_by) if values or not request.segment_by else ()
