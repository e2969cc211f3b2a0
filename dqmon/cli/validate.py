"""`dqmon validate`: the files, without any warehouse."""

from __future__ import annotations

import typer

from dqmon.cli import options, output
from dqmon.cli.exit_codes import ExitCode


def command(config: options.ConfigFile = None) -> None:
    """Reads all files and reports every problem.

    Each with its file and line. Asks no warehouse, sends nothing.

    Exit codes: 0 valid (warnings included), 2 not valid.
    """
    from dqmon.config.project import load

    project = load(config)
    for warning in project.warnings:
        output.write(f"warning  {output.clean(warning)}")
    declared = len(project.checks)
    output.write(f"valid: {declared} {'check' if declared == 1 else 'checks'} declared, {len(project.warnings)} warnings")
    raise typer.Exit(ExitCode.OK)
