"""`dqmon check`: measures and judges now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dqmon.cli import example, options, output
from dqmon.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from datetime import datetime

    from dqmon.engine.on_demand import CheckReport


def command(
    *,
    selectors: options.Selectors = None,
    exclude: options.Exclude = None,
    form: options.JsonFormat = "table",
    output_file: Annotated[str | None, typer.Option("--output", metavar="FILE", help="Write the result there, not to stdout.")] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="INSTANT", help="Judge as of then, as 2013-02-10T12:00Z; tells nobody.")] = None,
    fail_on: Annotated[str, typer.Option("--fail-on", metavar="WHAT", help="What makes exit code 1: warn, fail or never.")] = "fail",
    min_severity: Annotated[str, typer.Option("--min-severity", metavar="SEVERITY", help="The least severity for exit code 1.")] = "info",
    no_alerts: Annotated[bool, typer.Option("--no-alerts", help="Only record: nobody is told, alerts stay as they are.")] = False,
    no_reuse: Annotated[bool, typer.Option("--no-reuse", help="Scan also what is proved not to have changed.")] = False,
    config: options.ConfigFile = None,
) -> None:
    """Measures and judges the checks now.

    Those concerned are told at once, unless a daemon runs, which then does.

    Exit codes: 0 nothing failed, 1 something failed, 2 usage or configuration, 3 something could not be evaluated,
    4 not recorded or not delivered, 130 interrupted.
    """
    options.choice("--format", form, ("table", "json"))
    options.choice("--fail-on", fail_on, ("warn", "fail", "never"))
    options.choice("--min-severity", min_severity, ("info", "warning", "error", "critical"))
    chosen, moment, target = options.selector(selectors, exclude), options.instant(at), output.Target(output_file)

    from dqmon.app import open_app
    from dqmon.cli import report as reports
    from dqmon.core.verdict import Severity

    with open_app(config) as app, output.Progress() as progress:
        report = app.check(chosen, moment, not no_alerts, progress, reuses=not no_reuse)
    code = reports.exit_code(report, fail_on, Severity(min_severity))
    target.write(reports.to_json(report, code) if form == "json" else _text(report, code, moment))
    for line in _notes(report):
        output.note(line)
    raise typer.Exit(code)


def _text(report: CheckReport, code: ExitCode, at: datetime | None) -> str:
    from dqmon.cli import report as reports

    found = output.table(reports.rows(report.records))
    details = [output.clean(line) for line in reports.details(report.records, at)]
    return "\n".join([*found, *(["", *details] if details else []), "", reports.summary(report, code)])


def _notes(report: CheckReport) -> list[str]:
    """What the reader should know beside the result, a line each."""
    from dqmon.core.verdict import Verdict

    verdicts = {record.verdict for record in report.records}
    lines = [*report.notes, *report.unresolved]
    if report.problem:
        lines.append(report.problem)
    if verdicts == {Verdict.SKIPPED}:
        lines.append("every check was skipped: nothing was judged")
    if (Verdict.ERROR in verdicts or report.unresolved) and (hint := example.hint()):
        lines.append(hint)
    return lines
