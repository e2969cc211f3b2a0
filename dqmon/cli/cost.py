"""`dqmon cost`: what checks have cost, shared out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from dqmon.cli import options, output
from dqmon.cli.exit_codes import ExitCode
from dqmon.cli.units import amount, size

if TYPE_CHECKING:
    from dqmon.core.plain import Json
    from dqmon.engine.cost import CostReport, Line
    from dqmon.store.statements import Spent

By = Annotated[str, typer.Option("--by", metavar="WHAT", help="check, owner, day, warehouse or dataset.")]
Days = Annotated[int, typer.Option("--days", metavar="N", min=1, help="Today and the days before, in UTC; so many together.")]
Refresh = Annotated[bool, typer.Option("--refresh", help="First ask engines what statements have really cost.")]
HEADINGS = ("WAREHOUSE", "STATEMENTS", "SECONDS", "ROWS READ", "BYTES READ", "BYTES BILLED", "CREDITS", "BASIS")


def command(
    *,
    selectors: options.Selectors = None,
    exclude: options.Exclude = None,
    by: By = "check",
    days: Days = 7,
    refresh: Refresh = False,
    form: options.JsonFormat = "table",
    config: options.ConfigFile = None,
) -> None:
    """Shows what checks have cost.

    Each statement is shared out over the checks that it served. Credits are an estimate until the engine's own history has told
    them; where a warehouse has no price, seconds and bytes are what is known. Exit code 3 when an engine could not be asked.
    """
    from dqmon.app import open_app
    from dqmon.engine.cost import BY

    options.choice("--format", form, ("table", "json"))
    options.choice("--by", by, BY)
    chosen = options.selector(selectors, exclude)
    with open_app(config) as app:
        refreshed = app.refresh_cost() if refresh else None
        found = app.cost(chosen, by, days)
    if refreshed is not None:
        output.note(f"{refreshed.told} of {refreshed.asked} statements attributed by their engines")
        for problem in refreshed.problems:
            output.note(output.clean(problem))
    if form == "json":
        output.write(json.dumps(_document(found, by, days), indent=2, ensure_ascii=False))
    else:
        _table(found, by)
    raise typer.Exit(ExitCode.NOT_EVALUATED if refreshed is not None and refreshed.problems else ExitCode.OK)


def _table(found: CostReport, by: str) -> None:
    if not found.lines:
        output.write(f"no statement is recorded since {found.since} for what is selected; `dqmon plan` shows what a run would cost")
        return
    rows = [(line.key, *_cells(line)) for line in (*found.lines, *found.totals)]
    shown = [(key or "TOTAL", *cells) for key, *cells in rows]
    for text in output.table(shown, (by.upper(), *HEADINGS)):
        output.write(text)


def _cells(line: Line) -> tuple[str, ...]:
    spent = line.spent
    rows = "-" if spent.rows_read is None else f"{spent.rows_read:,.0f}"
    counts = (f"{spent.statements:,}", amount(spent.seconds), rows, size(spent.bytes_read), size(spent.bytes_billed))
    return line.warehouse, *counts, amount(spent.credits), _basis(spent)


def _basis(spent: Spent) -> str:
    """What the credits rest on: `seconds` where there are none."""
    if spent.credits is None:
        return "seconds"
    if not spent.attributed:
        return "estimate"
    return "attributed" if spent.attributed >= spent.credits else f"{spent.attributed / spent.credits:.0%} attributed"


def _document(found: CostReport, by: str, days: int) -> Json:
    return {
        "schema_version": 1,
        "by": by,
        "since": found.since.isoformat(),
        "days": days,
        "costs": [{by: line.key} | _line(line) for line in found.lines],
        "totals": [_line(line) for line in found.totals],
    }


def _line(line: Line) -> dict[str, Json]:
    spent = line.spent
    return {
        "warehouse": line.warehouse,
        "statements": spent.statements,
        "seconds": spent.seconds,
        "rows_read": spent.rows_read,
        "bytes_read": spent.bytes_read,
        "bytes_billed": spent.bytes_billed,
        "credits": spent.credits,
        "attributed_credits": spent.attributed,
        "basis": _basis(spent),
    }
