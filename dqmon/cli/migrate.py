"""`dqmon migrate`: the store's tables."""

from __future__ import annotations

from typing import Annotated

import typer

from dqmon.cli import options, output


def command(
    default_warehouse: Annotated[
        str | None, typer.Option("--default-warehouse", metavar="NAME", help="The first warehouse is another one now: take it.")
    ] = None,
    config: options.ConfigFile = None,
) -> None:
    """Brings the store's tables up to date. Done before, it changes nothing."""
    from dqmon.app import open_app

    with open_app(config) as app:
        before, now = app.migrate(default_warehouse)
    output.write(f"the store is at version {now}" + ("" if before == now else f", it was {f'at {before}' if before else 'empty'}"))
