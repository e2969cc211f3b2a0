"""`dqmon plan`: the statements that a check would run, and what they would cost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from dqmon.cli import options, output
from dqmon.cli.exit_codes import ExitCode
from dqmon.cli.units import amount, size
from dqmon.core.cost import Cost, together
from dqmon.errors import UsageError

if TYPE_CHECKING:
    from dqmon.core.plain import Json
    from dqmon.core.selector import Selector
    from dqmon.engine.planned import Estimate, PlannedCheck, PlannedStatement

HEADINGS = ("CHECK", "WAREHOUSE", "STATEMENTS", "SECONDS", "BYTES", "CREDITS", "RUNS/DAY", "SECONDS/DAY", "BYTES/DAY", "CREDITS/DAY")

Since = Annotated[str | None, typer.Option("--changed-since", metavar="REF", help="What has changed since that commit of git.")]
Days = Annotated[int, typer.Option("--days", metavar="N", min=1, max=10_000, help="With --changed-since: replay the last N days.")]


def command(
    *,
    selectors: options.Selectors = None,
    exclude: options.Exclude = None,
    form: options.JsonFormat = "table",
    since: Since = None,
    days: Days = 90,
    config: options.ConfigFile = None,
) -> None:
    """Shows a run's statements and their cost.

    Those that `dqmon check` would send, and which checks each one serves; then, as an estimate, each check's part of their cost, in
    a run and in a day of its schedule. With `--changed-since REF`: what the check files add, change and remove since that commit of
    git, what it costs, and how often it would have paged. Only catalogues are asked. Exit code 3 when a check cannot be measured.
    """
    options.choice("--format", form, ("table", "json"))
    chosen = options.selector(selectors, exclude)
    if since is not None:
        _changes(since, chosen, days, form, config)
    else:
        _run(chosen, form, config)


def _run(chosen: Selector, form: str, config: str | None) -> None:
    from dqmon.app import open_app

    with open_app(config) as app:
        count = len(app.select(chosen))
        found = app.plan(chosen)
        costs = app.cost_of(found)
    if count == 0:
        raise UsageError("nothing is selected; `dqmon plan` without a selector names all checks")
    sent = sum(1 for statement in found if statement.sql and statement.kind != "if needed")
    if form == "json":
        listed = [_statement(s) for s in found]
        totals = [{"warehouse": name, "per_run": _json(run), "per_day": _json(day)} for name, run, day in _totals(costs)]
        cost = {"basis": "estimate", "checks": [_check(c) for c in costs], "totals": totals}
        shown = {"schema_version": 1, "checks": count, "data_statements": sent, "statements": listed, "cost": cost}
        output.write(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        for number, statement in enumerate(found, 1):
            for line in _lines(number, statement):
                output.write(output.clean(line))
        for line in _cost_lines(costs):
            output.write(line)
        output.write(f"{sent} data statements for {count} checks; nothing was run")
    raise typer.Exit(ExitCode.NOT_EVALUATED if any(statement.kind == "none" for statement in found) else ExitCode.OK)


def _changes(ref: str, chosen: Selector, days: int, form: str, config: str | None) -> None:
    from dqmon.app import open_app
    from dqmon.app.changes import changed_since
    from dqmon.cli.changed import document, lines

    with open_app(config) as app, output.Progress() as progress:
        found = changed_since(app, ref, chosen, days, progress)
    if form == "json":
        output.write(json.dumps(document(found), indent=2, ensure_ascii=False))
    else:
        for line in lines(found):
            output.write(output.clean(line))
    raise typer.Exit(ExitCode.NOT_EVALUATED if found.unmeasured else ExitCode.OK)


def _lines(number: int, statement: PlannedStatement) -> Iterator[str]:
    words = "cannot be measured" if statement.kind == "none" else statement.kind
    what = f"{words}: {statement.remark}" if statement.remark else words
    cost = f"; {_words(statement.kind, statement.estimate)}" if statement.estimate else ""
    serves = f"{len(statement.checks)} {'check' if len(statement.checks) == 1 else 'checks'}"
    yield f"{number}  {statement.table}  {what}, for {serves}{cost}"
    yield from (f"     {check}" for check in statement.checks)
    yield from (f"     | {line}" for line in statement.sql.splitlines())


def _words(kind: str, estimate: Estimate) -> str:
    """`reads about 1,200,000 rows of 3 columns, 9.6 MB, took 0.42 s last time, about 0.0001 credits`."""
    rows = "all rows" if estimate.rows is None else f"about {estimate.rows:,} rows"
    columns = f" of {estimate.columns} {'column' if estimate.columns == 1 else 'columns'}" if estimate.columns else ""
    cost = estimate.cost
    said = [
        f"reads {rows}{columns}" if estimate.rows is not None or kind != "query" else "reads what it says",
        None if cost.paid_bytes is None else size(cost.paid_bytes),
        None if cost.seconds is None else f"took {cost.seconds:.2f} s last time",
        None if cost.credits is None else f"about {amount(cost.credits)} credits",
    ]
    return ", ".join(text for text in said if text)


def _cost_lines(costs: Sequence[PlannedCheck]) -> Iterator[str]:
    """Each check's part, and the sum of each warehouse; one line where nothing is known yet."""
    if not any(_is_known(check.cost) for check in costs):
        if costs:
            yield "What it costs is not known before the first run."
        return
    yield "Estimate of one run, and of a day by each check's schedule:"
    rows = [(c.check, c.warehouse, str(c.statements), *_cells(c.cost), _runs(c.runs_per_day), *_cells(c.per_day)) for c in costs]
    totals = [("TOTAL", name, "", *_cells(run), "", *_cells(day)) for name, run, day in _totals(costs)]
    yield from output.table([*rows, *totals], HEADINGS)


def _is_known(cost: Cost) -> bool:
    return any(value is not None for value in (cost.seconds, cost.paid_bytes, cost.credits))


def _totals(costs: Sequence[PlannedCheck]) -> Iterator[tuple[str, Cost, Cost]]:
    for name in dict.fromkeys(check.warehouse for check in costs):
        mine = [check for check in costs if check.warehouse == name]
        yield name, together(check.cost for check in mine), together(check.per_day for check in mine)


def _cells(cost: Cost) -> tuple[str, str, str]:
    return amount(cost.seconds), size(cost.paid_bytes), amount(cost.credits)


def _runs(per_day: float | None) -> str:
    return "on demand" if per_day is None else f"{per_day:,.2f}".removesuffix(".00")


def _statement(statement: PlannedStatement) -> Json:
    estimate = statement.estimate
    about = estimate and {"rows": estimate.rows, "columns": estimate.columns} | _json(estimate.cost) | {"shares": dict(estimate.shares)}
    return {
        "table": statement.table,
        "kind": statement.kind,
        "sql": statement.sql or None,
        "checks": list(statement.checks),
        "remark": statement.remark,
        "estimate": about,
    }


def _check(check: PlannedCheck) -> Json:
    day = {"runs_per_day": check.runs_per_day, "per_day": _json(check.per_day)}
    return {"check_id": check.check, "warehouse": check.warehouse, "statements": check.statements, "per_run": _json(check.cost)} | day


def _json(cost: Cost) -> dict[str, Json]:
    return {
        "seconds": cost.seconds,
        "bytes_read": cost.spent.bytes_read,
        "bytes_billed": cost.spent.bytes_billed,
        "credits": cost.credits,
    }
