"""`dqmon plan`: the statements that a check would run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from dqmon.cli import options, output
from dqmon.cli.exit_codes import ExitCode
from dqmon.errors import UsageError

if TYPE_CHECKING:
    from dqmon.engine.preview import Estimate, PlannedStatement


def command(
    selectors: options.Selectors = None,
    exclude: options.Exclude = None,
    form: options.JsonFormat = "table",
    config: options.ConfigFile = None,
) -> None:
    """Shows the statements of a check run.

    Those that `dqmon check` would send, and which checks each one serves. Only catalogues are asked.
    Exit code 3 when a check cannot be measured.
    """
    options.choice("--format", form, ("table", "json"))
    chosen = options.selector(selectors, exclude)
    from dqmon.app import open_app

    with open_app(config) as app:
        count = len(app.select(chosen))
        found = app.plan(chosen)
    if count == 0:
        raise UsageError("nothing is selected; `dqmon plan` without a selector names all checks")
    statements = [statement for statement in found if statement.sql and statement.kind != "if needed"]
    if form == "json":
        listed = [
            {
                "table": s.table,
                "kind": s.kind,
                "sql": s.sql or None,
                "checks": list(s.checks),
                "remark": s.remark,
                "estimate": asdict(s.estimate) if s.estimate else None,
            }
            for s in found
        ]
        shown = {"schema_version": 1, "checks": count, "data_statements": len(statements), "statements": listed}
        output.write(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        for number, statement in enumerate(found, 1):
            for line in _lines(number, statement):
                output.write(output.clean(line))
        output.write(f"{len(statements)} data statements for {count} checks; nothing was run")
    raise typer.Exit(ExitCode.NOT_EVALUATED if any(statement.kind == "none" for statement in found) else ExitCode.OK)


def _lines(number: int, statement: PlannedStatement) -> Iterator[str]:
    words = "cannot be measured" if statement.kind == "none" else statement.kind
    what = f"{words}: {statement.remark}" if statement.remark else words
    cost = f"; {_cost(statement.estimate)}" if statement.estimate else ""
    serves = f"{len(statement.checks)} {'check' if len(statement.checks) == 1 else 'checks'}"
    yield f"{number}  {statement.table}  {what}, for {serves}{cost}"
    yield from (f"     {check}" for check in statement.checks)
    yield from (f"     | {line}" for line in statement.sql.splitlines())


def _cost(estimate: Estimate) -> str:
    """`reads about 1,200,000 rows of 3 columns, took 0.42 s last time`."""
    rows = "all rows" if estimate.rows is None else f"about {estimate.rows:,} rows"
    columns = f" of {estimate.columns} {'column' if estimate.columns == 1 else 'columns'}" if estimate.columns else ""
    return f"reads {rows}{columns}" + (f", took {estimate.seconds:.2f} s last time" if estimate.seconds is not None else "")
