"""`dqmon validate`: the files, without any warehouse."""

from __future__ import annotations

from typing import Annotated

import typer

from dqmon.cli import options, output
from dqmon.cli.exit_codes import ExitCode


def command(
    asks: Annotated[bool, typer.Option("--check-links", help="Also ask whether each runbook is there.")] = False,
    is_inside: Annotated[bool, typer.Option("--allow-private", help="With --check-links: also on private addresses.")] = False,
    config: options.ConfigFile = None,
) -> None:
    """Reads all files and reports every problem.

    Each with its file and line. Asks no warehouse, sends nothing. A runbook that is not there is a warning.

    Exit codes: 0 valid (warnings included), 2 not valid.
    """
    from dqmon.config.project import load

    project = load(config)
    warnings = project.warnings
    if asks:
        from dqmon.engine.runbook_links import TIMEOUT_S, broken_links
        from dqmon.net import Outgoing

        warnings += broken_links(project, Outgoing(TIMEOUT_S, allow_private=is_inside))
    for warning in warnings:
        output.write(f"warning  {output.clean(warning)}")
    declared = len(project.checks)
    output.write(f"valid: {declared} {'check' if declared == 1 else 'checks'} declared, {len(warnings)} warnings")
    raise typer.Exit(ExitCode.OK)
