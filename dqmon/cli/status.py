"""`dqmon status`: how everything stands, on one screen."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import typer

from dqmon.cli import options, output
from dqmon.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from datetime import datetime

    from dqmon.app.status import Standing
    from dqmon.core.plain import Json
    from dqmon.core.silence import Quiet
    from dqmon.engine.status import Daemon, Status

    Row = tuple[str, str]

SHOWN = 5
"""Of the incidents and of the problems of a configuration; the rest is counted."""
LONGEST = 300
"""Characters of a line: reasons come from people and from vendors."""


def command(form: options.JsonFormat = "table", config: options.ConfigFile = None) -> None:
    """Shows on one screen how everything stands.

    The files as they are now, the daemon and what it made of them, checks by state (the words of the selector `state:`), open
    incidents, messages that wait or were given up, what cannot be reached, and silences. Reads the files and the store alone: no
    warehouse, source or channel is asked, and nothing is changed.

    Exit codes: 0 shown, whatever it says, 2 the files are not valid (shown all the same, unless they do not say where the store is),
    3 nothing was ever recorded.
    """
    options.choice("--format", form, ("table", "json"))
    from dqmon.app.status import standing

    found = standing(config)
    code = ExitCode.USAGE if found.problems else ExitCode.OK if found.status else ExitCode.NOT_EVALUATED
    if form == "json":
        output.write(json.dumps(document(found, code), indent=2, ensure_ascii=False))
    else:
        for line in output.table([(subject, text if len(text) <= LONGEST else f"{text[:LONGEST]}…") for subject, text in rows(found)]):
            output.write(line)
    if found.status is None:
        output.note("nothing was ever recorded; begin with `dqmon check` or `dqmon run`")
    raise typer.Exit(code)


def rows(found: Standing) -> Iterator[Row]:
    """What is printed: what is meant, and how it stands; a subject's further lines have none."""
    from dqmon.alerts.wording import count

    problems = [str(problem) for problem in found.problems]
    if problems:
        yield "files", f"not valid: {count(len(problems), 'problem')}; `dqmon validate` names all"
        yield from (("", text) for text in problems[:SHOWN])
    else:
        yield "files", "valid" + (f", with {count(found.warnings, 'warning')}; see `dqmon validate`" if found.warnings else "")
    yield "store", found.store
    if found.status is not None:
        yield from _daemon(found.status)
        yield from _work(found.status)
        yield from _troubles(found.status)
        yield from _silences(found.status, is_whole=not problems)


def _daemon(now: Status) -> Iterator[Row]:
    daemon, loaded = now.daemon, now.daemon.loaded
    yield "daemon", _alive(daemon, now.at)
    if loaded.refused_at is not None:
        stayed = "are" if daemon.is_alive else "were"
        yield "", f"refused the files of {output.instant(loaded.refused_at)}; those of {output.instant(loaded.at)} {stayed} in force"
        yield from (("", text) for text in loaded.problems[:SHOWN])
        if len(loaded.problems) > SHOWN:
            yield "", f"and {len(loaded.problems) - SHOWN} more"
    elif loaded.at is not None:
        yield "", f"{'has' if daemon.is_alive else 'had'} the files of {output.instant(loaded.at)}"


def _alive(daemon: Daemon, at: datetime) -> str:
    if daemon.seen_at is None:
        return "none has ever run on this store"
    if daemon.is_alive:
        return f"runs as {daemon.holder}, seen {_age(daemon.seen_at, at)} ago"
    if not daemon.holder:
        return f"none runs; the last one stopped {output.instant(daemon.seen_at)}"
    return f"none runs; {daemon.holder} gave no sign since {output.instant(daemon.seen_at)} and did not stop as it should"


def _work(now: Status) -> Iterator[Row]:
    from dqmon.alerts.wording import count

    states = ", ".join(f"{number:,} {word}" for word, number in now.states.items())
    yield "checks", f"{now.checks:,}: {states}" if now.checks else "none"
    yield "incidents", f"{len(now.incidents):,} open; see `dqmon incidents list`" if now.incidents else "none open"
    worst = sorted(now.incidents, key=lambda one: (-one.severity.rank, one.opened_at))
    for one in worst[:SHOWN]:
        alerts = count(len(one.open_members), "alert")
        yield "", f"{one.id}  {one.severity.value}, {one.state.value}, opened {_age(one.opened_at, now.at)} ago, {alerts}: {one.root}"
    if len(worst) > SHOWN:
        yield "", f"and {len(worst) - SHOWN:,} more"
    waiting, given_up = _by_channel(now.waiting), _by_channel(now.given_up)
    yield "messages", f"waiting: {waiting}; given up: {given_up}" + ("; see `dqmon alert deliveries`" if now.given_up else "")


def _troubles(now: Status) -> Iterator[Row]:
    for place, one in enumerate(now.troubles):
        what = {"channel": "takes nothing since", "source": "could not be read at"}.get(one.kind, "cannot be reached since")
        yield "" if place else "unreachable", f"{one.kind} {one.name} {what} {output.instant(one.since)}: {one.reason}"
    if not now.troubles:
        yield "unreachable", "nothing, as far as it was tried"


def _silences(now: Status, *, is_whole: bool) -> Iterator[Row]:
    for place, (quiet, end) in enumerate(now.quiet):
        yield "" if place else "silences", quiet.words(end, now.at)
    if not now.quiet:
        yield "silences", "none in force" if is_whole else "none made by hand is in force"


def document(found: Standing, code: ExitCode) -> Json:
    """The same as JSON; without `daemon` and what follows when nothing was ever recorded."""
    now = found.status
    problems = [{"path": one.path, "line": one.line, "message": one.message, "hint": one.hint} for one in found.problems]
    files: Json = {"path": str(found.path), "is_valid": not problems, "problems": problems, "warnings": found.warnings}
    return {"schema_version": 1, "exit_code": int(code), "store": found.store, "files": files, **(_document(now) if now else {})}


def _document(now: Status) -> dict[str, Json]:
    from dqmon.core.plain import plain

    daemon, loaded = now.daemon, now.daemon.loaded
    return {
        "at": plain(now.at),
        "daemon": {
            "is_alive": daemon.is_alive,
            "holder": daemon.holder or None,
            "seen_at": plain(daemon.seen_at),
            "loaded_at": plain(loaded.at),
            "refused_at": plain(loaded.refused_at),
            "problems": list(loaded.problems),
        },
        "checks": {"all": now.checks, **now.states},
        "incidents": [
            {
                "id": one.id,
                "state": one.state.value,
                "severity": one.severity.value,
                "opened_at": plain(one.opened_at),
                "root": str(one.root),
                "alerts": len(one.open_members),
            }
            for one in now.incidents
        ],
        "messages": {"waiting": dict(now.waiting), "given_up": dict(now.given_up)},
        "unreachable": [{"kind": one.kind, "name": one.name, "since": plain(one.since), "reason": one.reason} for one in now.troubles],
        "silences": [_silence(quiet, end) for quiet, end in now.quiet],
    }


def _silence(quiet: Quiet, end: datetime) -> Json:
    from dqmon.core.plain import plain
    from dqmon.core.silence import Silence

    if isinstance(quiet, Silence):
        about: dict[str, Json] = {"id": quiet.id, "incident_id": quiet.incident_id, "reason": quiet.reason, "by": quiet.by}
    else:
        about = {"maintenance": quiet.name}
    return {**about, "match": str(quiet.match), "until": plain(end)}


def _by_channel(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} of {name}" for name, number in counts.items()) or "none"


def _age(since: datetime, at: datetime) -> str:
    from dqmon.core.duration import format_duration

    return format_duration(max((at - since).total_seconds(), 0.0))
