"""Series with what is known of their points: incidents that should be found, and days that look odd but are none."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dqmon.core.history import Point

WARM_UP = 14
"""Points that are never scored."""


@dataclass(frozen=True)
class Incident:
    """Points start to end (both inside) should be alerted, at one of them at least."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True)
class Labelled:
    """One series. neutral: points that count neither way. benign: why a good point looks odd, by place."""

    name: str
    group: str
    family: str
    points: tuple[Point, ...]
    incidents: tuple[Incident, ...]
    neutral: NDArray[np.bool_]
    benign: dict[int, str] = field(default_factory=dict)

    @property
    def days(self) -> NDArray[np.int64]:
        """The day of each point, since 1970."""
        return np.array([int(point.at.timestamp() // 86_400) for point in self.points])

    @property
    def is_scored(self) -> NDArray[np.bool_]:
        """Points at which an alert is a false one."""
        scored = ~self.neutral
        scored[:WARM_UP] = False
        for incident in self.incidents:
            scored[incident.start : incident.end + 1] = False
        return scored


def split(folder: Path) -> list[Labelled]:
    """The series of a folder with series.csv, labels.csv and meta.csv, as ANOMALY.md describes the development split."""
    meta = {row["series_id"]: row for row in _rows(folder / "meta.csv")}
    labels: dict[str, list[dict[str, str]]] = {}
    for row in _rows(folder / "labels.csv"):
        labels.setdefault(row["series_id"], []).append(row)
    points: dict[str, list[Point]] = {}
    for row in _rows(folder / "series.csv"):
        points.setdefault(row["series_id"], []).append(Point(_instant(row["timestamp"]), float(row["value"])))
    return [
        _labelled(name, meta[name]["group"].partition("_")[0], meta[name]["family"], tuple(found), labels.get(name, []))
        for name, found in points.items()
    ]


def _labelled(name: str, group: str, family: str, points: tuple[Point, ...], labels: list[dict[str, str]]) -> Labelled:
    times = np.array([point.at.timestamp() for point in points])
    neutral, benign, incidents = np.zeros(len(points), np.bool_), dict[int, str](), list[Incident]()
    for label in labels:
        start = int(np.searchsorted(times, _instant(label["start"]).timestamp()))
        end = int(np.searchsorted(times, _instant(label["end"]).timestamp(), "right")) - 1
        if end < start:
            continue
        if label["role"] == "benign":
            benign |= dict.fromkeys(range(start, end + 1), label["kind"])
        elif label["role"] == "incident" and start >= WARM_UP:
            incidents.append(Incident(start, end, label["kind"]))
        else:
            neutral[start : end + 1] = True
    return Labelled(name, group, family, points, tuple(incidents), neutral, benign)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
