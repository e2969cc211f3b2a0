"""`dqmon backfill`: measures past partitions, so that baselines begin with a history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from dqmon.cli import options, output
from dqmon.cli.exit_codes import ExitCode
from dqmon.cli.units import amount, size
from dqmon.core.cost import together
from dqmon.errors import UsageError

if TYPE_CHECKING:
    from dqmon.core.past_rows import PastRows
    from dqmon.engine.past.backfill import Backfill, Filled
    from dqmon.engine.past.load_totals import Brought
    from dqmon.engine.past.past_totals import Recorded, Regained

Days = Annotated[int, typer.Option("--days", metavar="N", min=1, help="How far back; partitions that are measured already are left out.")]
Chunk = Annotated[
    str | None, typer.Option("--chunk", metavar="DURATION", help="Measure so much time at once, as 30d; else all, unless that is large.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show the statements and what they would cost.")]


def command(
    *,
    selectors: options.Selectors = None,
    exclude: options.Exclude = None,
    days: Days = 90,
    chunk: Chunk = None,
    dry_run: DryRun = False,
    config: options.ConfigFile = None,
) -> None:
    """Measures past partitions, for a history on day one.

    What the baselines of the selected checks lack of the last days: all metrics of a table in one grouped scan, oldest partitions
    first, within the warehouse's budget. Row counts of whole tables come from what is still known of them: a Delta or Iceberg log,
    Snowflake's history of changes, kept loads. Nothing is judged and nobody is told. It may be stopped and started again at any
    time. Exit code 3 when something could not be measured.
    """
    chosen, length = options.selector(selectors, exclude), _duration(chunk)
    from dqmon.app import open_app
    from dqmon.engine.past.past_partitions import has_baseline

    with open_app(config) as app, output.Progress() as progress:
        checks = [check for check in app.select(chosen) if has_baseline(check)]
        if not checks:
            raise UsageError("no check that is selected compares with measured values of the past; `dqmon plan` names all checks")
        planned, whole = app.plan_backfill(checks, days, length), app.regain(checks, days)
        for line in [*_planned(planned, shows_sql=dry_run), *map(_whole, whole)]:
            output.write(output.clean(line) if not line.startswith("     | ") else line)
        filled = () if dry_run else tuple(app.backfill(planned, progress))
        recorded = () if dry_run else tuple(app.record(whole))
    for line in [*_done(filled), *map(_recorded, recorded)]:
        output.write(output.clean(line))
    has_problem = any(one.problem for one in planned) or any(one.problems for one in filled)
    has_problem |= any(not one.past.totals for one in recorded)
    raise typer.Exit(ExitCode.NOT_EVALUATED if has_problem else ExitCode.OK)


def _duration(text: str | None) -> timedelta | None:
    from dqmon.core.duration import parse_duration

    try:
        return None if text is None else timedelta(seconds=parse_duration(text))
    except ValueError as e:
        raise UsageError(f"--chunk {text!r}: {e}") from e


def _planned(planned: Sequence[Backfill], *, shows_sql: bool) -> Iterator[str]:
    """What is missing of each table, and what one statement for it would take."""
    for one in planned:
        table, partitions = str(one.past.table), one.past.partitions
        if one.problem:
            yield f"{table}  cannot be measured: {one.problem}"
        if not partitions:
            yield from () if one.problem else (f"{table}  all {one.known} partitions are measured already",)
            continue
        known = f", {one.known} more are measured already" if one.known else ""
        checks = {check for of in one.past.asked.values() for check in of}
        span = f"{partitions[0].start:%Y-%m-%d} to {partitions[-1].end:%Y-%m-%d}"
        yield f"{table}  {len(partitions)} partitions from {span}, for {_count(len(checks), 'check')}{known}"
        yield f"     {_count(one.chunks, 'chunk')} of {_count(len(one.sql), 'statement')}; {_cost(one)}"
        if shows_sql:
            yield from (f"     | {line}" for sql in one.sql for line in sql.splitlines())


def _cost(one: Backfill) -> str:
    """`each reads at most 1,200,000 rows, 9.6 MB, the last run took 0.42 s, about 0.0001 credits`."""
    rows, cost = one.cost.spent.rows_read if one.cost.spent.rows_read is not None else one.rows, one.cost
    said = [
        "each reads the rows of its time" if rows is None else f"each reads at most {rows:,} rows",
        None if cost.paid_bytes is None else size(cost.paid_bytes),
        None if cost.seconds is None else f"the last run took {cost.seconds:.2f} s",
        None if cost.credits is None else f"about {amount(cost.credits)} credits",
    ]
    return ", ".join(text for text in said if text)


def _whole(one: Regained) -> str:
    """What can be had of the past of a whole table, or why nothing can."""
    if one.problem:
        pipelines = [node for node in one.check.upstream if "/" in node]
        loads = f"; rows_loaded_anomaly of {pipelines[0]} judges by the loads that are known already" if pipelines else ""
        gone = f"is of the whole table, whose past is gone: {one.problem}"
        return f"{one.check.id}  {gone}; give it a partition:, or it learns from now on{loads}"
    if one.past is None:
        return f"{one.check.id}  its history reaches back so far already"
    span = f"{one.slots[0]:%Y-%m-%d} to {one.slots[-1]:%Y-%m-%d}"
    return f"{one.check.id}  {_count(len(one.slots), 'past run')} from {span}, rows {_source(one.past)}"


def _source(past: PastRows | Brought) -> str:
    return f"{'as in' if past.is_exact else 'estimated from'} {past.because}"


def _recorded(one: Recorded) -> str:
    """How many values of a whole table's past were recorded."""
    if not one.past.totals:
        return f"{one.check_id}  nothing recorded: {one.past.because}"
    if not one.points:
        return f"{one.check_id}  nothing recorded: {one.past.because} begins later"
    return f"{one.check_id}  {_count(one.points, 'value')} recorded, {_source(one.past)}"


def _done(filled: Sequence[Filled]) -> Iterator[str]:
    """What was measured of each table."""
    for table in dict.fromkeys(one.table for one in filled):
        mine = [one for one in filled if one.table == table]
        partitions, before, sent = (sum(getattr(one, name) for one in mine) for name in ("partitions", "before", "statements"))
        seconds = together(one.cost for one in mine).seconds or 0.0
        empty = f", {before} of them before the first row" if before else ""
        yield f"{table}  {partitions} partitions measured{empty}: {_count(sent, 'statement')}, {amount(seconds)} s"
        yield from (f"     {problem}" for one in mine for problem in one.problems)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
