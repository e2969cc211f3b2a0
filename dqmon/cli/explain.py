"""`dqmon explain`: why this verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from dqmon.cli import options, output
from dqmon.cli.incidents import flapping_row

if TYPE_CHECKING:
    from dqmon.core.alert import Alert
    from dqmon.core.plain import Json
    from dqmon.core.result import ResultRecord
    from dqmon.engine.incidents.explain import Explanation

Row = tuple[str, str]


def command(
    check: options.CheckArgument,
    at: Annotated[str | None, typer.Option("--at", metavar="INSTANT", help="The verdict as of then, not the newest.")] = None,
    config: options.ConfigFile = None,
) -> None:
    """Tells why a check has its verdict.

    What was measured, what was expected, its alert, its incident, and who was told. Everything is read from the store;
    the warehouse is not asked.
    """
    moment = options.instant(at)
    from dqmon.app import open_app
    from dqmon.engine.incidents.explain import explain

    with open_app(config) as app, app.database.read() as connection:
        found = explain(connection, check, moment, [declared.id for declared in app.project.checks])
    for title, lines in sections(found):
        output.write(title)
        for line in output.table(lines):
            output.write(line)


def sections(found: Explanation) -> Iterator[tuple[str, Sequence[Row]]]:
    """What is printed: a title and rows of two cells."""
    first = found.results[0]
    yield f"{output.clean(found.check_id)}  slot {output.instant(first.scheduled_at)}", list(_about(first))
    for record in found.results:
        yield _title(record), list(_verdict(record))
    if found.earlier:
        yield "Before", [(_when(record), f"{record.verdict.upper()}  {_observed(record)}") for record in found.earlier]
    yield "Alert, as it is now", [row for alert in found.alerts for row in _alert(alert)] or [("alert", "none: it never had a bad outcome")]
    yield "Incident", list(_incident(found))
    shown = dict.fromkeys(record.reproduce for record in found.results if record.reproduce)
    if shown:
        yield "To see it for yourself", [("", line) for sql in shown for line in sql.splitlines()]
    statements = dict.fromkeys(sql for record in found.results for sql in record.sql)
    yield "SQL that ran", [("", line) for sql in statements for line in sql.splitlines()] or [("", "none was sent")]


def _about(record: ResultRecord) -> Iterator[Row]:
    yield "declared", f"{record.source_path}:{record.source_line}"
    for name, value in (("meaning", record.description), ("owner", record.owner), ("runbook", record.runbook)):
        if value:
            yield name, value
    if record.is_ad_hoc:
        yield "run", "ad hoc (--at or --no-alerts): alerts and baselines ignore it"
    if record.as_of:
        yield "contents", "those of the table when it was measured, not those of the slot"


def _title(record: ResultRecord) -> str:
    from dqmon.cli.report import label, word

    text = label(record).removeprefix(record.check_id).strip()
    return f"{word(record)}  {record.severity.value}" + (f"  {output.clean(text)}" if text else "")


def _verdict(record: ResultRecord) -> Iterator[Row]:
    yield "reason", record.reason
    yield "measured", f"{_observed(record)} at {output.instant(record.measured_at)}"
    if record.expected_text:
        yield "expected", record.expected_text
    if record.expected_low is not None and record.expected_high is not None:
        yield "band", f"{record.expected_low:,.6g} to {record.expected_high:,.6g}"
    if record.caused_by:
        yield "caused by", record.caused_by
    for way in record.ways:
        yield "known by", way
    for place, line in enumerate(record.baseline):
        yield "" if place else "baseline", line


def _observed(record: ResultRecord) -> str:
    if record.observed_value is None:
        return "nothing"
    value: Json = record.observed_value
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    share = f" of {record.rows_tested} ({100 * record.ratio:.4g} %)" if record.ratio is not None and record.rows_tested else ""
    return f"{text or 'no'}{share} {record.unit or ''}".rstrip()


def _when(record: ResultRecord) -> str:
    return f"{record.partition_start:%Y-%m-%d %H:%M}Z" if record.partition_start else output.instant(record.scheduled_at)


def _alert(alert: Alert) -> Iterator[Row]:
    if alert.since is None and alert.fired_at is None and not alert.streak:
        yield alert.key.kind.value, "quiet: no bad outcome"
        return
    if alert.state.value == "resolved" and alert.resolved_at:
        yield alert.key.kind.value, f"resolved {output.instant(alert.resolved_at)}"
        return
    outcomes = f"{alert.streak} {'outcome' if alert.streak == 1 else 'outcomes'} in a row"
    since = f", since {output.instant(alert.since)}" if alert.since else ""
    yield alert.key.kind.value, f"{alert.state.value}, {outcomes}{since}"
    if alert.is_flapping:
        yield flapping_row(alert)
    if alert.last_good_at:
        yield "last good", output.instant(alert.last_good_at)
    for key, member in alert.members.items():
        yield "open", " ".join(part for part in (key.partition, key.segment if key.segment != "{}" else "", member.reason) if part)


def _incident(found: Explanation) -> Iterator[Row]:
    from dqmon.engine.incidents.explain import channel_words

    if found.story is None:
        yield "", "none: the check never fired, so nobody was told"
        return
    incident = found.story.incident
    end = f", resolved {output.instant(incident.resolved_at)}" if incident.resolved_at else ""
    yield incident.id, f"{incident.state.value}, {incident.severity.value}, opened {output.instant(incident.opened_at)}{end}"
    if incident.root.check_id != found.check_id:
        yield "root", str(incident.root)
    for member in incident.members.values():
        if member.key.check_id == found.check_id and member.caused_by:
            yield "inhibited", f"caused by {member.caused_by}, so nobody was told of it by itself"
    words = channel_words(found.story)
    yield from words or [("channels", "no route has told of it yet")]
