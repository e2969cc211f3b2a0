"""`dqmon backtest`: what a check would have said of values that are known."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from dqmon.cli import options, output
from dqmon.errors import UsageError

if TYPE_CHECKING:
    from dqmon.engine.backtest import Replayed
    from dqmon.exporters.chart import Panel

CheckId = Annotated[str | None, typer.Argument(metavar="[CHECK]", help="A check's id: its stored history is replayed.")]
Series = Annotated[str | None, typer.Option("--series", metavar="FILE", help="A CSV file: series_id, timestamp, value; - is stdin.")]
Output = Annotated[str, typer.Option("--output", metavar="FILE", help="With --series: where the verdicts go; - is stdout.")]
Method = Annotated[str | None, typer.Option("--method", metavar="NAME", help="With --series: how the band is found; else the default.")]
Days = Annotated[int, typer.Option("--days", metavar="N", min=1, help="With a check: judge the last N days, by all before.")]
Plot = Annotated[str | None, typer.Option("--plot", metavar="FILE", help="With a check: draw values, bands and alerts there, as SVG.")]
HEADINGS = ("FIRED", "VERDICT", "EXPECTED", "WHY")


def command(
    *,
    check: CheckId = None,
    series: Series = None,
    output_file: Output = "-",
    method: Method = None,
    days: Days = 90,
    plot: Plot = None,
    config: options.ConfigFile = None,
) -> None:
    """Judges known values, each by those before it.

    `dqmon backtest CHECK` replays what the store has of a check: its alerts, and how many a year they make. `dqmon backtest --series
    FILE.csv --output verdicts.csv` judges any series as an anomaly check with default options does, without a project; it writes
    series_id, timestamp, is_anomaly, expected_low, expected_high, score (above 1 is outside of the band). Nothing is recorded, nobody
    is told.
    """
    if (check is None) == (series is None):
        raise UsageError("name a check, or a file with --series FILE.csv; one of them")
    if series is not None:
        if plot is not None:
            raise UsageError("--plot draws a check; with --series the band is in the verdicts")
        _judge_series(series, output_file, method)
        return
    if method is not None or output_file != "-":
        raise UsageError("--method and --output belong to --series; a check is replayed with the options that it has")
    _replay_check(check or "", days, output.Target(plot) if plot else None, config)


def _judge_series(path: str, target: str, method: str | None) -> None:
    from dqmon.cli.series_csv import read_series, verdict_file
    from dqmon.engine.backtest import replay_series, score

    found = read_series(path)
    with verdict_file(target) as file, output.Progress() as progress:
        for number, (name, rows) in enumerate(found.items(), 1):
            if progress is not None:
                progress(number, len(found), name)
            for row, judged in zip(rows, replay_series((row.point for row in rows), method), strict=True):
                file.write(name, row.written_at, judged, score(judged))


def _replay_check(check: str, days: int, plot: output.Target | None, config: str | None) -> None:
    from dqmon.app import open_app

    with open_app(config) as app:
        replayed = app.backtest(check, days)
    # Of a day without any row no segment is known, so that there is a point of none; beside segments it says nothing.
    found = [one for one in replayed if one.judged] or replayed[:1]
    if plot is not None:
        from dqmon.exporters.chart import chart

        plot.write(chart([_panel(check, one) for one in found]))
    for line in chain.from_iterable(_lines(check, one) for one in found):
        output.write(line)


def _lines(check: str, found: Replayed) -> Iterator[str]:
    """The alerts of one segment, and how many they are."""
    name, alerts, judged, days = _title(check, found), found.alerts, found.judged, found.days
    if not judged:
        learning = "no point was judged" if found.points else "there is no point in these days"
        yield f"{name}: {learning}; more history comes with --days, or by `dqmon backfill`"
        return
    points = f"{len(judged):,} {'point' if len(judged) == 1 else 'points'} of {days:,.3g} days"
    bad = sum(point.is_bad for point in judged)
    a_year = f", about {len(alerts) * 365.25 / days:.3g} a year" if alerts else ""
    yield f"{name}: {len(alerts)} {'alert' if len(alerts) == 1 else 'alerts'} in {points}{a_year}; {bad} of the points were bad"
    rows = [(output.instant(p.at), p.judgement.verdict.value, p.judgement.expected.text, p.judgement.reason) for p in alerts]
    yield from output.table(rows, HEADINGS) if rows else ()


def _panel(check: str, found: Replayed) -> Panel:
    from dqmon.exporters.chart import Dot, Panel

    dots = (
        Dot(p.at, p.value, p.judgement.expected.low, p.judgement.expected.high, p.judgement.reason if p.is_bad else None)
        for p in found.points
        if p.value is not None
    )
    unit = found.points[-1].judgement.observed.unit.value if found.points else ""
    return Panel(_title(check, found), unit, tuple(dots))


def _title(check: str, found: Replayed) -> str:
    return output.clean(check if found.segment == "{}" else f"{check} {found.segment}")
