"""`dqmon incidents`: what is wrong, and what was said of it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from dqmon.cli import options, output, precision
from dqmon.cli.silence import For, length

if TYPE_CHECKING:
    from dqmon.core.alert import Alert
    from dqmon.core.feedback import Label, Said
    from dqmon.core.incident import Incident, IncidentMember
    from dqmon.engine.incidents.explain import Story

GROUP = typer.Typer(name="incidents", help="What is wrong, and who was told.", no_args_is_help=True)
GROUP.command(name="precision")(precision.command)
IncidentId = Annotated[str, typer.Argument(metavar="INCIDENT", help="Its id, or the beginning of it.")]
STATES = ("open", "acknowledged", "resolved", "all")
WORDS = ("real", "expected", "bad_threshold")
HEADINGS = ("INCIDENT", "STATE", "SEVERITY", "OPENED", "RESOLVED", "LABEL", "ALERTS", "ROOT")
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why, or how it was repaired, for those who meet it again.")]


@GROUP.command(name="list")
def list_incidents(
    state: Annotated[str, typer.Option("--state", metavar="STATE", help="open, acknowledged, resolved or all; else all unresolved.")] = "",
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="The newest so many.")] = 50,
    config: options.ConfigFile = None,
) -> None:
    """Lists incidents, newest first."""
    if state:
        options.choice("--state", state, STATES)
    from dqmon.app import open_app
    from dqmon.core.incident import IncidentState
    from dqmon.store import feedback, incidents

    with open_app(config) as app, app.database.read() as connection:
        if state:
            found = incidents.listed(connection, None if state == "all" else IncidentState(state), limit)
        else:
            found = incidents.open_incidents(connection)[::-1][:limit]
        said = feedback.of_incidents(connection, {incident.id for incident in found})
    for line in output.table([_row(incident, said.get(incident.id)) for incident in found], HEADINGS):
        output.write(line)
    if not found:
        output.note("no incidents" if state else "no open incidents; `dqmon incidents list --state all` shows those that are over")


@GROUP.command()
def show(
    incident: IncidentId,
    text: Annotated[bool, typer.Option("--messages/--no-messages", help="Print the messages themselves.")] = True,
    runbook: Annotated[bool, typer.Option("--runbook", help="Print the runbooks of its checks that are Markdown files.")] = False,
    config: options.ConfigFile = None,
) -> None:
    """Shows an incident's alerts and every message, sent or not sent, with the reason."""
    from dqmon.app import open_app
    from dqmon.engine.incidents.explain import story
    from dqmon.engine.telling.runbooks import guides

    with open_app(config) as app:
        with app.database.read() as connection:
            found = story(connection, incident)
        told = guides(app.environment.checks, found.incident) if runbook else ()
    for line in lines(found, with_text=text):
        output.write(line)
    for guide in told:
        output.write(f"Runbook {output.clean(guide.place)}")
        for line in guide.text.splitlines():
            output.write(f"  | {output.clean(line)}")
    if runbook and not told:
        output.note("no check of the incident has a runbook in Markdown")


@GROUP.command()
def ack(incident: IncidentId, by: options.By = "", config: options.ConfigFile = None) -> None:
    """Says that somebody is at it; alerts that join later inherit that."""
    from dqmon.app import open_app
    from dqmon.engine.incidents.by_hand import acknowledge_incident

    with open_app(config) as app:
        acknowledge_incident(app.environment, incident, options.who(by))
    output.write(f"acknowledged: {output.clean(incident)}")


@GROUP.command()
def snooze(
    incident: IncidentId,
    span: For,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stands at every message that is not sent.")] = "",
    by: options.By = "",
    config: options.ConfigFile = None,
) -> None:
    """Tells nothing more of an incident for a time, unless it gets more severe or resolves; what still fires then is told."""
    from dqmon.app import open_app
    from dqmon.engine.incidents import silences

    with open_app(config) as app:
        made = silences.snooze(app.environment, incident, length(span), reason, options.who(by))
    output.write(f"{made.id} snoozes {output.clean(made.incident_id)} until {output.instant(made.end)}")


@GROUP.command()
def resolve(
    incident: IncidentId,
    *,
    still_failing: Annotated[bool, typer.Option("--still-failing", help="Not repaired: the next failure opens a new incident.")] = False,
    was: Annotated[str, typer.Option("--was", metavar="WORD", help="real, expected or bad_threshold; else a terminal is asked.")] = "",
    note: Note = "",
    by: options.By = "",
    config: options.ConfigFile = None,
) -> None:
    """Closes an incident by hand; it stays closed until its checks have passed once.

    Says what it was, too, as `dqmon incidents feedback` does.
    """
    label = _label(was or _asked(incident), note)
    from dqmon.app import open_app
    from dqmon.engine.incidents.by_hand import resolve_incident

    with open_app(config) as app:
        resolve_incident(app.environment, incident, options.who(by), still_failing=still_failing, label=label)
    output.write(f"resolved: {output.clean(incident)}{f' ({label.feedback})' if label else ''}")
    if label is None:
        output.note(f"not said what it was; `dqmon incidents feedback {output.clean(incident)} WORD` does: {', '.join(WORDS)}")


@GROUP.command()
def feedback(
    incident: IncidentId,
    word: Annotated[str, typer.Argument(metavar="WORD", help="real, expected or bad_threshold.")],
    note: Note = "",
    by: options.By = "",
    config: options.ConfigFile = None,
) -> None:
    """Says what an incident was, open or resolved; a later word replaces it.

    real: the data was wrong, and no baseline ever learns from it. expected: a change that is how it is by now; baselines learn
    from it. bad_threshold: nothing had changed, the limit was wrong; baselines learn from it, too.
    """
    from dqmon.app import open_app
    from dqmon.core.feedback import Feedback
    from dqmon.engine.incidents.by_hand import give_feedback

    said = Feedback(options.choice("WORD", word, WORDS))
    with open_app(config) as app:
        found = give_feedback(app.environment, incident, said, options.who(by), note)
    output.write(f"{word}: {output.clean(found.id)}")


def _asked(incident: str) -> str:
    """What a person at a terminal says of the incident; empty for nothing, and where nobody sits."""
    if not sys.stdin.isatty():
        return ""
    question = f"What was {output.clean(incident)}? {', '.join(WORDS)}, or Enter"
    while (said := str(typer.prompt(question, "", show_default=False, err=True))) not in ("", *WORDS):
        output.note(f"{output.clean(said)!r} is none of these")
    return said


def _label(word: str, note: str) -> Label | None:
    """What is kept; None without a word. UsageError for one that is none, and for a note that would belong to nothing."""
    from dqmon.core.feedback import Feedback, Label
    from dqmon.errors import UsageError

    if word:
        return Label(Feedback(options.choice("--was", word, WORDS)), note)
    if note:
        raise UsageError(f"a note belongs to what the incident was; add --was {', '.join(WORDS[:-1])} or {WORDS[-1]}")
    return None


def lines(found: Story, *, with_text: bool) -> Iterator[str]:
    """An incident as text: what, which alerts, which messages."""
    from dqmon.engine.incidents.explain import channel_words, delivery_words, messages

    incident = found.incident
    yield f"{output.clean(incident.id)}  {incident.state.value}  {incident.severity.value}  root {output.clean(incident.root)}"
    yield from output.table([*_facts(incident), *_said(found), *map(flapping_row, found.flapping)])
    yield "Alerts"
    yield from output.table([_member(member) for member in incident.members.values()], ("CHECK", "SEVERITY", "JOINED", "LEFT", "CAUSED BY"))
    yield from _affected(found)
    yield "Messages"
    said = _counted((output.instant(d.created_at), d.channel, delivery_words(d)) for d in found.deliveries)
    yield from output.table(said or [("", *pair) for pair in channel_words(found)] or [("", "", "no route has told of it yet")])
    if with_text:
        for delivery in messages(found):
            yield f"{output.clean(delivery.channel)}, {delivery.kind.value}:"
            yield from (f"  | {output.clean(line)}" for line in delivery.text.splitlines())


def _member(member: IncidentMember) -> tuple[str, ...]:
    joined, left = output.instant(member.joined_at), output.instant(member.left_at)
    return str(member.key), member.severity.value, joined, left, member.caused_by or ""


def _affected(found: Story) -> Iterator[str]:
    """What is made from the root, as it was told last."""
    from dqmon.alerts.wording import affected_text
    from dqmon.engine.incidents.explain import newest_radius

    if (message := newest_radius(found)) is None:
        return
    more = [f"and {message.affected_more:,} more"] if message.affected_more else []
    yield f"Affected, as told {output.instant(message.at)}"
    yield from output.table([("", text) for text in (*map(affected_text, message.affected), *more)])


def _counted(rows: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Each channel's messages of one kind and fate as one row, with how many there are and the time of the first."""
    found: dict[tuple[str, str], list[str]] = {}
    for at, channel, words in rows:
        found.setdefault((channel, words), []).append(at)
    return [(ats[0], channel, f"{words} ({len(ats)} times)" if len(ats) > 1 else words) for (channel, words), ats in found.items()]


def _facts(incident: Incident) -> Iterator[tuple[str, str]]:
    yield "opened", output.instant(incident.opened_at)
    if incident.acknowledged_at:
        yield "acknowledged", f"{output.instant(incident.acknowledged_at)} by {incident.acknowledged_by}"
    if incident.resolved_at:
        yield "resolved", output.instant(incident.resolved_at) + (f" by {incident.closed_by_hand}" if incident.closed_by_hand else "")


def flapping_row(alert: Alert) -> tuple[str, str]:
    """`flapping`, which alert, since when, and what becomes of its messages."""
    from dqmon.alerts.flapping import HELD

    return "flapping", f"{alert.key}, since {output.instant(alert.flapping_since)}; messages are {HELD}"


def _said(found: Story) -> Iterator[tuple[str, str]]:
    if said := found.feedback:
        note = f": {said.note}" if said.note else ""
        yield "feedback", f"{said.feedback.value}, by {said.said_by}, {output.instant(said.said_at)}{note}"


def _row(incident: Incident, said: Said | None) -> tuple[str, ...]:
    opened, resolved = output.instant(incident.opened_at), output.instant(incident.resolved_at)
    label, alerts = said.feedback.value if said else "", str(len(incident.members))
    return incident.id, incident.state.value, incident.severity.value, opened, resolved, label, alerts, str(incident.root)
