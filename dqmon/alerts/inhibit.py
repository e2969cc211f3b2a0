"""Which alerts are symptoms of trouble upstream, which can be its cause, and how long a symptom waits to know. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dqmon.core.alert import HOLD, AlertEvent, AlertKey, AlertKind
from dqmon.core.lineage import Lineage
from dqmon.core.verdict import Dimension

LOOK_AGAIN = timedelta(seconds=5)
"""How often it is looked whether a symptom still has to wait."""
GRACE = timedelta(minutes=15)
"""What a load that works again is given to flow down: until then, a table that is still late says nothing new."""

_SYMPTOMS = frozenset({Dimension.TIMELINESS, Dimension.VOLUME})
_CAUSES = _SYMPTOMS | {Dimension.SCHEMA}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an alert's check stands: its node in the lineage, and the dimension that it speaks of."""

    node: str
    dimension: str
    is_pipeline: bool = False

    @property
    def can_cause(self) -> bool:
        """True when trouble here makes what is made from it late or thin: any of a pipeline, of a table all but its values."""
        return self.is_pipeline or self.dimension in _CAUSES

    def is_symptom(self, key: AlertKey) -> bool:
        """True for a table that is late or thin: that may be the fault of what it is made from. Values never are, nor errors."""
        return key.kind is AlertKind.DATA and not self.is_pipeline and self.dimension in _SYMPTOMS


@dataclass(frozen=True, slots=True)
class Watched:
    """A scheduled check upstream that could explain a symptom.

    rank: of the worst severity that it can have. measured_at: None when it never was. is_pending: bad, but not for long enough.
    """

    check_id: str
    rank: int
    measured_at: datetime | None
    is_pending: bool

    def is_older(self, event: AlertEvent) -> bool:
        """True when it has not been measured since the slot in which the symptom fired."""
        return self.measured_at is None or self.measured_at < event.slot


class Ancestry:
    """The ancestors of nodes, looked up once each; `parents` are all nodes that something is made from."""

    def __init__(self, lineage: Lineage) -> None:
        self.parents = frozenset[str]().union(*lineage.parents.values())
        self._lineage = lineage
        self._known: dict[str, frozenset[str]] = {}

    def of(self, node: str) -> frozenset[str]:
        """All that the node is made from, at any distance."""
        if node not in self._known:
            self._known[node] = self._lineage.ancestors(node)
        return self._known[node]


@dataclass(frozen=True, slots=True)
class Waits:
    """The symptoms that wait, each until when, and the checks to be run now because they wait for them."""

    until: dict[AlertKey, datetime]
    to_run: frozenset[str]


def waits(
    fired: Sequence[tuple[AlertEvent, str]],
    told: Mapping[str, int],
    watched: Mapping[str, Sequence[Watched]],
    ancestry: Ancestry,
    now: datetime,
) -> Waits:
    """Which of the symptoms in `fired` (with their nodes) must not be worked in yet.

    told: of each node the worst rank of an alert that can cause symptoms and is told, or is about to be. A symptom with such
    an ancestor that weighs at least as much does not wait: it is inhibited. Else it waits, at most HOLD after it fired, for
    ancestors whose checks are older than it or pending, and for symptoms upstream that wait themselves. One whose time is
    over takes those along. What could not weigh enough is not waited for.
    """
    known, until, to_run = dict(told), dict[AlertKey, datetime](), set[str]()
    waiting: dict[str, int] = {}
    late = {ancestor for event, node in fired if _is_over(event, now) for ancestor in ancestry.of(node)}
    for event, node in sorted(fired, key=lambda item: (len(ancestry.of(item[1])), item[0].key)):
        above, rank = ancestry.of(node), event.severity.rank
        if _weighs(above, known, rank):
            continue
        if node not in late and not _is_over(event, now):
            unsure = [w for at in sorted(above) for w in watched.get(at, ()) if w.rank >= rank and (w.is_pending or w.is_older(event))]
            if unsure or _weighs(above, waiting, rank):
                until[event.key] = min(now + LOOK_AGAIN, event.at + HOLD)
                to_run |= {w.check_id for w in unsure if w.is_older(event)}
                waiting[node] = max(rank, waiting.get(node, rank))
                continue
        known[node] = max(rank, known.get(node, rank))
    return Waits(until, frozenset(to_run))


def _is_over(event: AlertEvent, now: datetime) -> bool:
    """True when the symptom has waited for long enough; also when it fired in the future, since a clock was set back."""
    return abs(now - event.at) >= HOLD


def _weighs(nodes: Iterable[str], ranks: Mapping[str, int], rank: int) -> bool:
    return any(ranks.get(node, -1) >= rank for node in nodes)
