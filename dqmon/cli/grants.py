"""`dqmon grants`: the least rights that a warehouse's role needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dqmon.cli import options, output
from dqmon.errors import UsageError

if TYPE_CHECKING:
    from dqmon.app import App


def command(
    warehouse: Annotated[
        str | None,
        typer.Argument(metavar="[WAREHOUSE]", help="A warehouse of config/dqmon.yaml, or its type; else the only one that fits."),
    ] = None,
    config: options.ConfigFile = None,
) -> None:
    """Prints the statements that make a role which can only read.

    For the tables and patterns that the check files name, and those that ingestion sources read; what the query of a source of the
    type sql reads is not known. It connects to nothing; an administrator runs what it prints.
    """
    from dqmon.app import open_app
    from dqmon.core.table import TableRef
    from dqmon.engine.doctor import needs

    with open_app(config) as app:
        name = _chosen(app, warehouse)
        targets = (placed.target for placed in app.project.placed)
        declared = {target for target in targets if isinstance(target, TableRef) and target.warehouse == name}
        # Also the tables of others that checks compare with.
        sources = [source.options for source in app.project.settings.ingestion.values() if source.options.warehouse == name]
        read = {app.project.facts.table(name, text) for options in sources for text in options.reads()}
        tables = sorted(declared | read | needs(app.project.checks, app.now()).get(name, {}).keys())
        for line in app.warehouses[name].grants(tables).splitlines():
            output.write(output.clean(line))


def _chosen(app: App, word: str | None) -> str:
    """The name of the one warehouse that is meant and has grants."""
    known = {name: warehouse for name, warehouse in app.warehouses.items() if warehouse.grants(())}
    found = [name for name, warehouse in known.items() if word is None or word in (name, warehouse.type)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"which one: {', '.join(found)}? Write dqmon grants NAME")
    if word is not None and word in app.warehouses:
        raise UsageError(f"a {app.warehouses[word].type} warehouse has no roles: whoever may read the file may read all of it")
    there = ", ".join(known) or "none whose rights dqmon can list"
    raise UsageError(f"there is no warehouse {word!r}; there is {there}" if word else f"name a warehouse; there is {there}")
