"""The protocol of ANOMALY.md: incidents found, days with a false alert, and how well scores rank."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from labelled import WARM_UP, Labelled
from numpy.typing import NDArray

Said: TypeAlias = tuple[NDArray[np.bool_], NDArray[np.float64]]
"""Of each point of a series: is it alerted, and its score."""

AFTER = 7
"""Points after an incident at which a false alert is blamed on it."""


@dataclass
class Score:
    """found and missed incidents, days with a false alert, all days; recall and delays by kind, false days by cause."""

    found: int = 0
    missed: int = 0
    false_days: int = 0
    days: int = 0
    kinds: dict[str, list[int | None]] = field(default_factory=lambda: defaultdict(list))
    causes: Counter[str] = field(default_factory=Counter)
    recall_at_1: float = 0.0

    @property
    def precision(self) -> float:
        """Of incidents and false days, the share of incidents."""
        return self.found / max(1, self.found + self.false_days)

    @property
    def recall(self) -> float:
        """The share of incidents with an alert inside."""
        return self.found / max(1, self.found + self.missed)

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    @property
    def false_per_100(self) -> float:
        """Days with a false alert per 100 days of series."""
        return 100 * self.false_days / max(1, self.days)

    def recall_of(self, kind: str) -> float:
        """The share of incidents of a kind that were found."""
        delays = self.kinds[kind]
        return sum(delay is not None for delay in delays) / max(1, len(delays))

    def delay_of(self, kind: str) -> float:
        """Points until the first alert, of incidents of a kind that were found."""
        delays = [delay for delay in self.kinds[kind] if delay is not None]
        return float(np.mean(delays)) if delays else float("nan")


def score(series: Sequence[Labelled], said: Sequence[Said]) -> Score:
    """What was said of the series, scored together."""
    total = Score()
    tops: list[float] = []
    false_tops: list[float] = []
    for one, (alerted, scores) in zip(series, said, strict=True):
        _count(total, one, alerted)
        tops += [float(scores[i.start : i.end + 1].max()) for i in one.incidents]
        scored, days = one.is_scored, one.days
        by_day: dict[int, float] = {}
        for place in np.flatnonzero(scored):
            by_day[int(days[place])] = max(by_day.get(int(days[place]), 0.0), float(scores[place]))
        false_tops += by_day.values()
    allowed = int(total.days / 100)
    ranked = sorted(false_tops, reverse=True)
    threshold = ranked[allowed] if allowed < len(ranked) else -1.0
    total.recall_at_1 = float(np.mean([top > threshold for top in tops])) if tops else 0.0
    return total


def _count(total: Score, one: Labelled, alerted: NDArray[np.bool_]) -> None:
    after = np.zeros(len(alerted), np.bool_)
    for incident in one.incidents:
        hits = np.flatnonzero(alerted[incident.start : incident.end + 1])
        total.kinds[incident.kind].append(int(hits[0]) if len(hits) else None)
        total.found += bool(len(hits))
        total.missed += not len(hits)
        after[incident.end + 1 : incident.end + 1 + AFTER] = True
    scored, days = one.is_scored, one.days
    total.days += len(np.unique(days[scored]))
    wrong = np.flatnonzero(alerted & scored)
    _, first = np.unique(days[wrong], return_index=True)
    total.false_days += len(first)
    total.causes.update(one.benign.get(int(place), "after an incident" if after[place] else "none") for place in wrong[first])


def cold_alerts(said: Sequence[Said]) -> int:
    """Alerts within the warm-up."""
    return int(sum(alerted[:WARM_UP].sum() for alerted, _ in said))
