"""`dqmon why-not`: who was not told of an incident, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from dqmon.cli import options, output

HEADINGS = ("CHANNEL", "TOLD", "WHAT, OR WHY NOT")


def command(
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="Its id, or the beginning of it.")],
    channel: Annotated[str, typer.Option("--channel", metavar="NAME", help="Only this channel.")] = "",
    config: options.ConfigFile = None,
) -> None:
    """Says who was told of an incident, and why others were not.

    When, and what the vendor answered; else: no route chose it, it waits, it was inhibited or silenced, the vendor refused it,
    the channel is a dry run. Asks no vendor.

    Exit codes: 0 said, 2 unknown incident or channel.
    """
    from dqmon.app import open_app
    from dqmon.engine.incidents.why_not import why_not

    with open_app(config) as app, app.database.read() as connection:
        names = app.project.file.names("channels")
        found, answers = why_not(connection, incident, names, (*app.project.routes, *app.project.escalation), app.now())
    if channel:
        options.choice("--channel", channel, tuple(answer.channel for answer in answers))
        answers = tuple(answer for answer in answers if answer.channel == channel)
    output.write(
        f"{found.id}  {found.state.value}, {found.severity.value}, opened {output.instant(found.opened_at)}  {output.clean(found.root)}"
    )
    rows = [(answer.channel, "yes" if answer.is_told else "no", answer.text) for answer in answers]
    for line in output.table(rows, HEADINGS):
        output.write(line)
    if not answers:
        output.note("no channels are declared: nobody is told")
