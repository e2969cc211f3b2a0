"""`dqmon test`: the project's own rule tests, on a virtual clock."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from dqmon.cli import options, output
from dqmon.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dqmon.engine.rehearsal.rule_tests import Tested

Paths = Annotated[list[str] | None, typer.Argument(metavar="[PATH]...", help="Files or folders of tests; by default all of checks/tests/.")]


def command(paths: Paths = None, config: options.ConfigFile = None) -> None:
    """Tries the rules on a virtual clock.

    The tests of checks/tests/ give values or rows for checks, and say what must come of them: states, incidents, who is told. Nothing
    is asked of a warehouse, nothing is recorded, nothing is sent.

    Exit codes: 0 all hold, 1 an expectation does not hold, 2 the configuration or a test file is wrong.
    """
    started = perf_counter()

    from dqmon.app.rule_tests import run_rule_tests

    tested = run_rule_tests(paths or (), config)
    for line in output.table([_row(one) for one in tested], ("", "TEST", "RUNS", "EXPECTATIONS")):
        output.write(line)
    failures = [failure for one in tested for failure in one.failures]
    for line in ("", *map(output.clean, failures)) if failures else ():
        output.write(line)
    output.write(f"\n{_summary(tested)} in {perf_counter() - started:.1f} s")
    raise typer.Exit(ExitCode.FAILED if failures else ExitCode.OK)


def _row(one: Tested) -> tuple[str, ...]:
    return "fail" if one.failures else "pass", one.test.name, f"{one.runs:,}", f"{len(one.test.expect):,}"


def _summary(tested: Sequence[Tested]) -> str:
    failed = sum(1 for one in tested if one.failures)
    tests = f"{len(tested):,} {'test' if len(tested) == 1 else 'tests'}"
    return f"{tests}, {failed:,} failed" if failed else f"{tests}, all passed"
