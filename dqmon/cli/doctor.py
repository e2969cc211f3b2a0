"""`dqmon doctor`: whether all that the checks need is there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from dqmon.cli import options, output
from dqmon.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from dqmon.engine.doctor import Finding


def command(form: options.JsonFormat = "table", config: options.ConfigFile = None) -> None:
    """Tries out all that the checks need.

    Warehouses, sources, channels and the store: connects, compares clocks, tries each right that the configured checks need and
    prints the missing GRANT, names what a role may do besides reading. Reads no row, changes nothing, sends no message.

    Exit codes: 0 no problem (warnings included), 2 configuration, 3 a problem.
    """
    options.choice("--format", form, ("table", "json"))
    from dqmon.app import open_app
    from dqmon.engine.doctor import Rating

    with open_app(config) as app:
        found = app.doctor()
    counted = Counter(finding.rating for finding in found)
    code = ExitCode.NOT_EVALUATED if counted[Rating.PROBLEM] else ExitCode.OK
    if form == "json":
        shown = {"schema_version": 1, "exit_code": int(code), "findings": [asdict(finding) for finding in found]}
        output.write(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        _print(found)
        output.write(f"{_count(counted[Rating.PROBLEM], 'problem')}, {_count(counted[Rating.WARNING], 'warning')}")
    raise typer.Exit(code)


def _print(found: Sequence[Finding]) -> None:
    rows = [(finding.rating.value, finding.subject, finding.text) for finding in found]
    remedies = [(finding, line) for finding in found for line in finding.remedy]
    for line in output.table(rows):
        output.write(line)
    if remedies:
        output.write("What to do:")
    for finding, line in remedies:
        output.write(f"  {output.clean(finding.subject)}: {output.clean(line)}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
