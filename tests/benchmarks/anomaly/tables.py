"""The figures of `make bench-anomaly` as tables of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

from labelled import Labelled
from scoring import Said, Score, cold_alerts, score

PAGE = Path(__file__).parents[3] / "docs/benchmarks.md"

FLOORS = {"F1": 0.65, "recall of total_drop": 1.0, "recall of stalled": 1.0}
"""What a release has to reach on our own series. Of two rows a day some days have none, so that not every drop can be told."""
MOST_FALSE = 1.0
"""Days with a false alert per 100 days, as above."""


@dataclass(frozen=True)
class Judged:
    """What a contender said of series, and the CPU milliseconds that a point took it."""

    series: list[Labelled]
    said: list[Said]
    ms_a_point: float

    @property
    def score(self) -> Score:
        """Scored together."""
        return score(self.series, self.said)

    def of(self, some: Sequence[Labelled]) -> Judged:
        """The same of some series."""
        names = {one.name for one in some}
        kept = [(one, said) for one, said in zip(self.series, self.said, strict=True) if one.name in names]
        return Judged([one for one, _ in kept], [said for _, said in kept], self.ms_a_point)

    def families(self) -> dict[str, Score]:
        """Scored by family."""
        names = dict.fromkeys(one.family for one in self.series)
        return {name: self.of([one for one in self.series if one.family == name]).score for name in names}


def page(found: Mapping[str, Mapping[str, Judged]], ablations: Mapping[str, Mapping[str, Judged]]) -> str:
    """All tables."""
    first = f"{datetime.now(UTC):%Y-%m-%d}; numpy {version('numpy')}, dqmon {version('dqmon')}; default options, no series tuned."
    contests = (contest(group, contenders) for group, contenders in found.items())
    return "\n\n".join([first, *contests, *(ablation(group, without) for group, without in ablations.items())])


def contest(group: str, contenders: Mapping[str, Judged]) -> str:
    """What the contenders reached on one group of series."""
    dqmon = next(iter(contenders.values()))
    points, count = sum(len(one.points) for one in dqmon.series), dqmon.score.found + dqmon.score.missed
    title = f"### {group}: {len(dqmon.series)} series, {points:,} points, {count} incidents"
    return "\n\n".join((title, _contenders(contenders), _kinds(contenders), _families(dqmon), _promise(dqmon), _causes(contenders)))


def ablation(group: str, without: Mapping[str, Judged]) -> str:
    """What each part pays on some of the series."""
    whole = next(iter(without.values()))
    title = f"### What each part of the default detector pays: {group}, {len(whole.series)} series"
    return f"{title}\n\n{_parts(without)}"


def _contenders(contenders: Mapping[str, Judged]) -> str:
    rows = []
    for name, judged in contenders.items():
        s = judged.score
        figures = (s.f1, s.precision, s.recall, s.false_per_100, s.recall_at_1)
        rows.append((name, *(f"{figure:.2f}" for figure in figures), str(cold_alerts(judged.said)), f"{judged.ms_a_point:.2f}"))
    return markdown(("", "F1", "precision", "recall", "FA100", "R@FA1", "cold alerts", "CPU ms a point"), rows)


def _kinds(contenders: Mapping[str, Judged]) -> str:
    scores = {name: judged.score for name, judged in contenders.items()}
    first = next(iter(scores.values()))
    header = ("recall by kind", "incidents", *scores, "dqmon's delay, points")
    rows = [
        (kind, str(len(delays)), *(f"{s.recall_of(kind):.2f}" for s in scores.values()), f"{first.delay_of(kind):.1f}")
        for kind, delays in sorted(first.kinds.items())
    ]
    return markdown(header, rows)


def _families(judged: Judged) -> str:
    """The families from the worst on."""
    ordered = sorted(judged.families().items(), key=lambda item: item[1].f1)
    rows = [(name, f"{s.f1:.2f}", f"{s.recall:.2f}", f"{s.false_per_100:.2f}") for name, s in ordered]
    return markdown(("dqmon by family, the worst first", "F1", "recall", "FA100"), rows)


def _promise(judged: Judged) -> str:
    """What `false_alerts_per_year` promises against what came, by the distance of points; whole days, for several alerts a day are one."""
    by_step: dict[timedelta, list[Labelled]] = {}
    for one in judged.series:
        by_step.setdefault(min(after.at - before.at for before, after in pairwise(one.points)), []).append(one)
    rows = [
        (f"every {step / timedelta(hours=1):g} h", str(len(some)), f"{365.25 / 100 * judged.of(some).score.false_per_100:.1f}")
        for step, some in sorted(by_step.items())
    ]
    return markdown(("a point", "series", "dqmon's days with a false alert a year, of 2 promised alerts"), rows)


def _causes(contenders: Mapping[str, Judged]) -> str:
    scores = {name: judged.score for name, judged in contenders.items()}
    causes = sorted({cause for s in scores.values() for cause in s.causes})
    return markdown(("days with a false alert", *causes), [(name, *(str(s.causes[c]) for c in causes)) for name, s in scores.items()])


def _parts(without: Mapping[str, Judged]) -> str:
    """The change of each figure when a part is missing: minus is what the part pays."""
    (_, whole), *rest = ((name, judged.score) for name, judged in without.items())
    rows = [("nothing", f"{whole.f1:.3f}", f"{whole.recall:.3f}", f"{whole.false_per_100:.2f}", f"{whole.recall_at_1:.3f}")]
    rows += [
        (name, f"{s.f1 - whole.f1:+.3f}", f"{s.recall - whole.recall:+.3f}", f"{s.false_per_100 - whole.false_per_100:+.2f}",
         f"{s.recall_at_1 - whole.recall_at_1:+.3f}")
        for name, s in sorted(rest, key=lambda item: item[1].f1)
    ]  # fmt: skip
    return markdown(("left out", "F1", "recall", "FA100", "R@FA1"), rows)


def exit_code(own: Judged) -> int:
    """1, with a line for each, when a floor is not reached."""
    missed = shortfalls(own.score)
    for line in missed:
        print(line)
    return 1 if missed else 0


def shortfalls(s: Score) -> list[str]:
    """The floors that are not reached, in words."""
    reached = {"F1": s.f1, "recall of total_drop": s.recall_of("total_drop"), "recall of stalled": s.recall_of("stalled")}
    found = [f"{name} is {reached[name]:.2f}, the floor is {floor:g}" for name, floor in FLOORS.items() if reached[name] < floor]
    if s.false_per_100 > MOST_FALSE:
        found.append(f"{s.false_per_100:.2f} days of 100 have a false alert, at most {MOST_FALSE:g} may")
    return found


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = (header, ["---"] * len(header), *rows)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write(text: str) -> None:
    """Puts the text between the page's marks."""
    begin, end = "<!-- bench-anomaly: written by make bench-anomaly -->", "<!-- end of bench-anomaly -->"
    head, _, rest = PAGE.read_text().partition(begin)
    _, found, tail = rest.partition(end)
    if not found:
        raise SystemExit(f"{PAGE} lacks the marks {begin} and {end}")
    PAGE.write_text(f"{head}{begin}\n\n{text}\n\n{end}{tail}")
