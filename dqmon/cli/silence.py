"""`dqmon silence`: what nobody is told of for a time, and why."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from dqmon.cli import options, output
from dqmon.errors import UsageError

if TYPE_CHECKING:
    from dqmon.app import App
    from dqmon.core.selector import Selector
    from dqmon.core.silence import Quiet, Silence

GROUP = typer.Typer(name="silence", help="What nobody is told of for a time.", no_args_is_help=True)
For = Annotated[str, typer.Option("--for", metavar="DURATION", help="How long, such as 2h; 30d at most.")]
HEADINGS = ("SILENCE", "STATE", "FROM", "UNTIL", "MUTES", "REASON", "BY")
LISTED = 50
"""Checks that are named before the rest is counted."""


@GROUP.command()
def add(
    terms: Annotated[list[str], typer.Argument(metavar="SELECTOR...", help='What is not told, as in routes: main.orders, tag:x, "*".')],
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stands at every message that is not sent.")] = "",
    span: For = "",
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="The end, such as 2013-02-10T12:00Z.")] = None,
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="The start; else now.")] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Only name what would be muted.")] = False,
    by: options.By = "",
    config: options.ConfigFile = None,
) -> None:
    """Makes alerts quiet until an end: they are recorded, and told when it is over if they still fire."""
    from dqmon.app import open_app
    from dqmon.engine.incidents.silences import Span, silence

    with open_app(config) as app:
        match, made = app.alert_selector(terms), None
        if not preview:
            begin = options.instant(start, "--from") or app.now()
            made = silence(app.environment, match, Span(begin, _end(begin, span, until)), reason, options.who(by))
        for line in _muted(app, match):
            output.write(line)
    if made is not None:
        output.write(f"{made.id} mutes {output.clean(made.match)} until {output.instant(made.end)}")


@GROUP.command(name="list")
def list_silences(
    is_all: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="With --all, the newest so many.")] = 50,
    config: options.ConfigFile = None,
) -> None:
    """Lists the silences made by hand, and what the configuration keeps quiet, with the next window of each maintenance."""
    from dqmon.app import open_app
    from dqmon.store import silences

    with open_app(config) as app, app.database.read() as connection:
        now = app.now()
        found = silences.listed(connection, limit) if is_all else silences.not_over(connection, now)
        declared = app.project.quiet
    rows = [_row(one, now) for one in (*found, *declared)]
    rows = [row for row in rows if is_all or row[1] != "over"]
    for line in output.table(rows, HEADINGS):
        output.write(line)
    if not rows:
        output.note("nothing is silenced" + ("" if is_all else "; `dqmon silence list --all` shows what was"))


@GROUP.command()
def expire(
    silence: Annotated[str, typer.Argument(metavar="SILENCE", help="Its id, such as S-14.")],
    by: options.By = "",
    config: options.ConfigFile = None,
) -> None:
    """Ends a silence now; what still fires is told at once."""
    from dqmon.app import open_app
    from dqmon.engine.incidents import silences

    with open_app(config) as app:
        ended = silences.expire(app.environment, silence, options.who(by))
    output.write(f"{ended.id} is over: {output.clean(ended.match)}")


def length(text: str) -> timedelta:
    """The duration of `--for`. UsageError when it is none."""
    from dqmon.core.duration import parse_duration

    try:
        return timedelta(seconds=parse_duration(text))
    except ValueError as e:
        raise UsageError(f"--for: {e}") from e


def _end(begin: datetime, span: str, until: str | None) -> datetime:
    end = options.instant(until, "--until")
    if bool(span) is (end is not None):
        raise UsageError("write how long, by one of --for 2h and --until 2013-02-10T12:00Z")
    return end or begin + length(span)


def _muted(app: App, match: Selector) -> Iterable[str]:
    """The declared checks whose alerts the selector means, in which case, and whether one is open now; those come first."""
    from dqmon.cli.route import alerts_of
    from dqmon.engine.incidents.silences import would_mute
    from dqmon.engine.select import attributes

    opened = would_mute(app.environment, match)
    found: dict[str, list[str]] = {key.check_id: [] for key in sorted(opened)}
    for check in app.environment.checks.values():
        cases = [name for name, alert in alerts_of(check) if match.matches({**attributes(check), **alert})]
        if cases:
            found.setdefault(check.id, []).extend(cases)
    if not found:
        output.note(f"no check has an alert that {match} means")
        return
    now_open = {key.check_id for key in opened}
    rows = [("open now" if check_id in now_open else "", check_id, "; ".join(cases)) for check_id, cases in found.items()]
    yield from output.table(rows[:LISTED], ("", "CHECK", "WHEN"))
    if len(rows) > LISTED:
        yield f"  and {len(rows) - LISTED:,} more checks"


def _row(quiet: Quiet, now: datetime) -> tuple[str, ...]:
    from dqmon.core.silence import Silence

    if isinstance(quiet, Silence):
        return (quiet.id, _state(quiet, now), *map(output.instant, (quiet.start, quiet.end)), _what(quiet), quiet.reason, quiet.by)
    from dqmon.core.cron import next_fire

    end, span = quiet.until(now), timedelta(seconds=quiet.lasts_s)
    start = end - span if end else next_fire(quiet.schedule, 0.0, now)
    times = (output.instant(start), output.instant(start + span if start else None))
    return "maintenance", "active" if end else "coming", *times, str(quiet.match), quiet.name, "the configuration"


def _state(silence: Silence, now: datetime) -> str:
    if silence.expired_by:
        return f"over: ended by {silence.expired_by}"
    if silence.end <= now:
        return "over"
    return "active" if silence.start <= now else "coming"


def _what(silence: Silence) -> str:
    return f"incident {silence.incident_id}, {silence.match}" if silence.incident_id else str(silence.match)
