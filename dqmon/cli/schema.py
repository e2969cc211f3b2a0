"""`dqmon schema`: the accepted columns of a dataset."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from dqmon.cli import options, output
from dqmon.errors import UsageError

if TYPE_CHECKING:
    from dqmon.core.check import Check
    from dqmon.core.table import Column, TableRef

GROUP = typer.Typer(name="schema", help="A dataset's accepted columns.", no_args_is_help=True)
Dataset = Annotated[str, typer.Argument(metavar="DATASET", help="[warehouse:][catalog.][schema.]table, as in a check file.")]


@GROUP.command()
def accept(dataset: Dataset, by: options.By = "", config: options.ConfigFile = None) -> None:
    """Takes the columns as they are now for the accepted ones.

    schema_drift compares with them from then on.
    """
    from dqmon.app import open_app

    with open_app(config) as app:
        app.accept_schema(dataset, options.who(by))
    output.write(f"accepted: {output.clean(dataset)} as it is now")


@GROUP.command()
def show(dataset: Dataset, config: options.ConfigFile = None) -> None:
    """Shows the accepted columns, and what was seen last."""
    from dqmon.app import open_app
    from dqmon.store import schemas

    with open_app(config) as app:
        table = table_of(dataset, app.environment.checks.values())
        with app.database.read() as connection:
            accepted = schemas.accepted_snapshot(connection, table)
            newest = schemas.newest(connection, table)
    if accepted is None or newest is None:
        raise UsageError(f"no columns of {table.dataset} are kept yet; its schema_drift check keeps them when it runs first")
    for line in output.table(_rows(accepted.columns), ("#", "COLUMN", "TYPE", "NULLABLE")):
        output.write(line)
    if newest.columns == accepted.columns:
        output.write(f"accepted {output.instant(accepted.accepted_at)} by {output.clean(accepted.accepted_by or 'nobody')}")
        return
    output.write(f"Seen since {output.instant(newest.recorded_at)}, not accepted:")
    for line in output.table(_rows(newest.columns)):
        output.write(line)


def table_of(text: str, checks: Iterable[Check]) -> TableRef:
    """The table of a check that `text` names, the schema may be left out. UsageError when there is none, or several."""
    tables = {check.table: None for check in checks if check.table}
    found = [table for table in tables if text in (str(table), table.dataset, table.name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{text!r} may be {' or '.join(map(str, found))}; write one of them")
    from difflib import get_close_matches

    near = get_close_matches(text, [table.dataset for table in tables], 1)
    raise UsageError(f"no check is about a dataset {text!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


def _rows(columns: Iterable[Column]) -> list[tuple[str, ...]]:
    return [(str(c.position), c.name, c.type, "null" if c.nullable else "not null") for c in columns]
