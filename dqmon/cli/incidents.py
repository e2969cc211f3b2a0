"""`dqmon incidents`: what is wrong, and what was said of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from dqmon.cli import options, output
from dqmon.cli.silence import For, length

if TYPE_CHECKING:
    from dqmon.core.incident import Incident, IncidentMember
    from dqmon.engine.explain import Story

GROUP = typer.Typer(name="incidents", help="What is wrong, and who was told.", no_args_is_help=True)
IncidentId = Annotated[str, typer.Argument(metavar="INCIDENT", help="Its id, or the beginning of it.")]
STATES = ("open", "acknowledged", "resolved", "all")
WORDS = ("real", "expected", "bad_threshold")
HEADINGS = ("INCIDENT", "STATE", "SEVERITY", "OPENED", "RESOLVED", "ALERTS", "ROOT")


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
    from dqmon.store import incidents

    with open_app(config) as app, app.database.read() as connection:
        if state:
            found = incidents.listed(connection, None if state == "all" else IncidentState(state), limit)
        else:
            found = incidents.open_incidents(connection)[::-1][:limit]
    for line in output.table([_row(incident) for incident in found], HEADINGS):
        output.write(line)
    if not found:
        output.note("no incidents" if state else "no open incidents; `dqmon incidents list --state all` shows those that are over")


@GROUP.command()
def show(
    incident: IncidentId,
    text: Annotated[bool, typer.Option("--messages/--no-messages", help="Print the messages themselves.")] = True,
    config: options.ConfigFile = None,
) -> None:
    """Shows an incident's alerts and every message, sent or not sent, with the reason."""
    from dqmon.app import open_app
    from dqmon.engine.explain import story

    with open_app(config) as app, app.database.read() as connection:
        found = story(connection, incident)
    for line in lines(found, with_text=text):
        output.write(line)


@GROUP.command()
def ack(incident: IncidentId, by: options.By = "", config: options.ConfigFile = None) -> None:
    """Says that somebody is at it; alerts that join later inherit that."""
    from dqmon.app import open_app

    with open_app(config) as app:
        app.acknowledge(incident, options.who(by))
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

    with open_app(config) as app:
        made = app.snooze(incident, length(span), reason, options.who(by))
    output.write(f"{made.id} snoozes {output.clean(made.incident_id)} until {output.instant(made.end)}")


@GROUP.command()
def resolve(
    incident: IncidentId,
    still_failing: Annotated[bool, typer.Option("--still-failing", help="Not repaired: the next failure opens a new incident.")] = False,
    by: options.By = "",
    config: options.ConfigFile = None,
) -> None:
    """Closes an incident by hand; it stays closed until its checks have passed once."""
    from dqmon.app import open_app

    with open_app(config) as app:
        app.resolve(incident, options.who(by), still_failing)
    output.write(f"resolved: {output.clean(incident)}")


@GROUP.command()
def feedback(
    incident: IncidentId,
    word: Annotated[str, typer.Argument(metavar="WORD", help="real, expected or bad_threshold.")],
    by: options.By = "",
    config: options.ConfigFile = None,
) -> None:
    """Says what an incident was, open or resolved; a later word replaces it.

    real: the data was wrong, and no baseline ever learns from it. expected: a change that is how it is by now; baselines learn
    from it. bad_threshold: nothing had changed, the limit was wrong; baselines learn from it, too.
    """
    options.choice("WORD", word, WORDS)
    from dqmon.app import open_app

    with open_app(config) as app:
        found = app.feedback(incident, word, options.who(by))
    output.write(f"{word}: {output.clean(found)}")


def lines(found: Story, *, with_text: bool) -> Iterator[str]:
    """An incident as text: what, which alerts, which messages."""
    from dqmon.engine.explain import channel_words, delivery_words, messages

    incident = found.incident
    yield f"{output.clean(incident.id)}  {incident.state.value}  {incident.severity.value}  root {output.clean(incident.root)}"
    yield from output.table([*_facts(incident), *_said(found)])
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
    from dqmon.engine.explain import newest_radius

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


def _said(found: Story) -> Iterator[tuple[str, str]]:
    if found.feedback:
        yield "feedback", f"{found.feedback.feedback.value}, by {found.feedback.said_by}, {output.instant(found.feedback.said_at)}"


def _row(incident: Incident) -> tuple[str, ...]:
    opened, resolved = output.instant(incident.opened_at), output.instant(incident.resolved_at)
    return incident.id, incident.state.value, incident.severity.value, opened, resolved, str(len(incident.members)), str(incident.root)
