"""`dqmon backtest`: what checks would have said of values that are known, and who would have been told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from dqmon.cli import options, output
from dqmon.errors import UsageError

if TYPE_CHECKING:
    from dqmon.app.commands import App
    from dqmon.engine.past.backtest import Replayed
    from dqmon.exporters.chart import Panel

Series = Annotated[str | None, typer.Option("--series", metavar="FILE", help="A CSV file: series_id, timestamp, value; - is stdin.")]
Output = Annotated[str, typer.Option("--output", metavar="FILE", help="With --series: where the verdicts go; - is stdout.")]
Method = Annotated[str | None, typer.Option("--method", metavar="NAME", help="With --series: how the band is found; else the default.")]
Days = Annotated[int, typer.Option("--days", metavar="N", min=1, max=10_000, help="Replay the last N days.")]
Values = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Beside today's: with that key on the checks; may be repeated.")
]
Plot = Annotated[str | None, typer.Option("--plot", metavar="FILE", help="With a check: draw values, bands and alerts there, as SVG.")]
HEADINGS = ("FIRED", "VERDICT", "EXPECTED", "WHY")


def command(
    *,
    selectors: options.Selectors = None,
    exclude: options.Exclude = None,
    values: Values = None,
    days: Days = 90,
    form: options.JsonFormat = "table",
    plot: Plot = None,
    series: Series = None,
    output_file: Output = "-",
    method: Method = None,
    config: options.ConfigFile = None,
) -> None:
    """Replays the past: who would have been told what.

    `dqmon backtest SELECTOR --set for=2` replays the stored measurements through judging, alerts, incidents and routes: results,
    messages and pages of today's configuration, beside those with the keys set; which known incidents it would have missed, and
    which alerts are new. `dqmon backtest CHECK`, of one check with a baseline, shows its alerts; `--plot` draws them. `--series
    FILE.csv --output verdicts.csv` judges any series as an anomaly check with default options does, without a project; it writes
    series_id, timestamp, is_anomaly, expected_low, expected_high, score (above 1 is outside of the band). Nothing is recorded, nobody
    is told, and no warehouse is asked.
    """
    options.choice("--format", form, ("table", "json"))
    if series is not None:
        if selectors or exclude or values:
            raise UsageError("--series judges a file; checks and --set belong to a replay of what the store has")
        if plot is not None:
            raise UsageError("--plot draws a check; with --series the band is in the verdicts")
        _judge_series(series, output_file, method)
        return
    if method is not None or output_file != "-":
        raise UsageError("--method and --output belong to --series; checks are replayed with the options that they have")
    if plot is not None and (len(selectors or ()) != 1 or exclude or values or form == "json"):
        raise UsageError("--plot draws one check as it is: dqmon backtest CHECK --plot FILE.svg")
    _replay(_Asked(tuple(selectors or ()), tuple(exclude or ()), tuple(values or ()), days, form), plot, config)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A replay's words."""

    selectors: tuple[str, ...]
    exclude: tuple[str, ...]
    values: tuple[str, ...]
    days: int
    form: str


def _replay(asked: _Asked, plot: str | None, config: str | None) -> None:
    from dqmon.app import open_app

    with open_app(config) as app:
        if plot is not None or _is_one_with_baseline(app, asked):
            _replay_check(app, asked.selectors[0], asked.days, output.Target(plot, "--plot") if plot else None)
            return
        from dqmon.app.backtests import backtest

        started = perf_counter()
        chosen = options.selector(list(asked.selectors), list(asked.exclude))
        with output.Progress() as progress:
            found = backtest(app, chosen, asked.days, asked.values, progress)
        seconds = perf_counter() - started
    from dqmon.alerts.wording import some
    from dqmon.cli.replayed import document, lines

    if asked.form == "json":
        output.write(json.dumps(document(found.trial, asked.values, seconds), indent=2, ensure_ascii=False))
        return
    for line in lines(found.trial, f"with {', '.join(asked.values)}", seconds):
        output.write(line)
    if found.untouched:
        output.note(f"Without any of these keys, so as they are: {some(found.untouched)}")


def _is_one_with_baseline(app: App, asked: _Asked) -> bool:
    """True when no more is asked than the alerts of one check that compares with its past."""
    from dqmon.core.check_type import DatasetCheck

    if len(asked.selectors) != 1 or asked.values or asked.exclude or asked.form == "json":
        return False
    check = app.environment.checks.get(asked.selectors[0])
    return check is not None and isinstance(check.rule, DatasetCheck) and check.rule.history_metric(check) is not None


def _judge_series(path: str, target: str, method: str | None) -> None:
    from dqmon.cli.series_csv import read_series, verdict_file
    from dqmon.engine.past.backtest import replay_series, score

    found = read_series(path)
    with verdict_file(target) as file, output.Progress() as progress:
        for number, (name, rows) in enumerate(found.items(), 1):
            if progress is not None:
                progress(number, len(found), name)
            for row, judged in zip(rows, replay_series((row.point for row in rows), method), strict=True):
                file.write(name, row.written_at, judged, score(judged))


def _replay_check(app: App, check: str, days: int, plot: output.Target | None) -> None:
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
