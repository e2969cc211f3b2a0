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

    Each with its file and line, those of checks/tests/ too. Asks no warehouse, sends nothing. A runbook that is not there is a warning.

    Exit codes: 0 valid (warnings included), 2 not valid.
    """
    from dqmon.alerts.wording import count
    from dqmon.config.project import load
    from dqmon.config.rule_tests import has_rule_tests, read_rule_tests

    project = load(config)
    tests = len(read_rule_tests(project)) if has_rule_tests(project) else 0
    warnings = project.warnings
    if asks:
        from dqmon.engine.telling.runbook_links import TIMEOUT_S, broken_links
        from dqmon.net import Outgoing

        warnings += broken_links(project, Outgoing(TIMEOUT_S, allow_private=is_inside))
    for warning in warnings:
        output.write(f"warning  {output.clean(warning)}")
    tested = f", {count(tests, 'rule test')}" if tests else ""
    output.write(f"valid: {count(len(project.checks), 'check')} declared{tested}, {count(len(warnings), 'warning')}")
    raise typer.Exit(ExitCode.OK)
