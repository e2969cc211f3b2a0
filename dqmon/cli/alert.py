"""`dqmon alert`: what channels would be told of a check, what they took, and what they refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from dqmon.cli import options, output
from dqmon.cli.exit_codes import ExitCode
from dqmon.errors import UsageError

if TYPE_CHECKING:
    from dqmon.app.commands import App
    from dqmon.engine.telling.outbox import Standing
    from dqmon.engine.telling.preview_alert import Preview, Rendered

GROUP = typer.Typer(name="alert", help="What channels would be told, and what they took.", no_args_is_help=True)
KINDS = ("trigger", "update", "repeat", "acknowledge", "resolve")
FORMATS = ("text", "json")
STANDINGS = ("CHANNEL", "SENT", "WAITING", "GIVEN UP", "FALLBACK", "TROUBLE")
DEAD = ("ID", "MADE", "CHANNEL", "INCIDENT", "WHAT")


@GROUP.command()
def preview(
    check: options.CheckArgument,
    *,
    to: Annotated[str | None, typer.Option("--to", metavar="CHANNEL", help="Only this one, or this type, routed or not.")] = None,
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="trigger, update, repeat, acknowledge or resolve.")] = "trigger",
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="text, or json: the exact payloads.")] = "text",
    sends: Annotated[bool, typer.Option("--send-test", help="Send it, marked [TEST], and print what the vendors answer.")] = False,
    config: options.ConfigFile = None,
) -> None:
    """Shows the message that each channel would get of a check's newest result, or of an example when it did not fail.

    Before it stands why it would not be sent now: silenced, inhibited, acknowledged. Sends nothing without `--send-test`. A test has
    a key of its own, and what it opens is resolved right after. Owner, runbook, tags and routes are those of the files as they are now.

    Exit codes: 0 shown, or sent to every channel, 2 unknown check or channel, or nobody would be told, 4 a channel did not take it.
    """
    options.choice("--kind", kind, KINDS)
    options.choice("--format", form, FORMATS)
    if sends and (kind, form) != ("trigger", "text"):
        raise UsageError("--send-test sends a trigger and prints the answers; leave --kind and --format out")
    from dqmon.app import open_app

    with open_app(config) as app:
        if to is not None:
            _check_channel(app, to)
        if sends:
            _send(app, check, to)
        else:
            _show(app, check, kind, to, is_json=form == "json")


@GROUP.command()
def deliveries(config: options.ConfigFile = None) -> None:
    """Shows how the channels stand: what they took, what waits, who is told in their place, and the messages that were given up."""
    from dqmon.app import open_app
    from dqmon.engine.incidents.explain import delivery_words
    from dqmon.engine.telling.outbox import dead_letters, standings

    with open_app(config) as app, app.database.read() as connection:
        found, dead = standings(connection, app.channels), dead_letters(connection)
    for line in output.table([_standing(one) for one in found], STANDINGS):
        output.write(line)
    if not found:
        output.note("no channels are declared: nobody is told")
    if dead:
        output.write("Given up; `dqmon alert retry ID` (or CHANNEL) tries again")
        rows = [(one.id, output.instant(one.created_at), one.channel, one.message.incident_id, delivery_words(one)) for one in dead]
        for line in output.table(rows, DEAD):
            output.write(line)


@GROUP.command()
def retry(
    what: Annotated[str, typer.Argument(metavar="ID|CHANNEL", help="A message that was given up, or all of a channel.")],
    config: options.ConfigFile = None,
) -> None:
    """Sends messages again that were given up, once what was wrong is put right; those of incidents that are over stay given up.

    Exit codes: 0 sent, or queued for the daemon, 2 nothing to retry, 4 not taken again.
    """
    from dqmon.app import open_app
    from dqmon.engine.telling.outbox import retry as again

    with open_app(config) as app:
        found = again(app.environment, what)
    for one in found:
        said = f"{one.kind.value} of incident {output.clean(one.message.incident_id)}"
        output.write(f"{one.id}  {output.clean(one.channel)}  {said}: tried again")


def _standing(one: Standing) -> tuple[str, ...]:
    from dqmon.core.delivery import DeliveryState

    counts = (str(one.totals.get(state, 0)) for state in (DeliveryState.SENT, DeliveryState.QUEUED, DeliveryState.DEAD))
    trouble = f"takes nothing since {output.instant(one.outage.since)}: {one.outage.reason}" if one.outage else ""
    return one.channel, *counts, one.fallback or "", trouble


def _check_channel(app: App, name: str) -> None:
    """UsageError for what is neither a channel nor the type of one, or was left out: its secrets are unset and no route leads to it."""
    declared = app.project.file.names("channels")
    if not declared:
        raise UsageError(f"--to {name!r} is unknown: config/dqmon.yaml has no channels:")
    if name in {channel.type for channel in app.channels.values()} - set(declared):
        return
    options.choice("--to", name, tuple(declared))
    if name not in app.project.settings.channels:
        raise UsageError(f"channels.{name} lacks what its ${{env:}} names, and no route leads to it; set the variable, or dry_run: true")


def _show(app: App, check: str, kind: str, to: str | None, *, is_json: bool) -> None:
    from dqmon.core.message import DeliveryKind
    from dqmon.engine.telling.preview_alert import preview_alert

    found = preview_alert(app.environment, check, DeliveryKind(kind), to)
    if is_json:
        output.write(json.dumps(_data(found, kind), ensure_ascii=False, indent=2))
        return
    output.write(f"{output.clean(check)}  {kind}  {found.occasion.why}")
    for reason in found.withheld:
        output.write(f"NOT SENT now: {output.clean(reason)}")
    for one in found.rendered:
        if one.part == "chart":
            continue  # the message above, with a picture
        output.write("")
        output.write(_heading(one))
        for line in one.text.splitlines():
            output.write(f"  {output.clean(line)}".rstrip())


def _data(found: Preview, kind: str) -> dict[str, object]:
    return {
        "schema_version": 1,
        "check_id": found.occasion.check.id,
        "kind": kind,
        "is_example": found.occasion.is_example,
        "withheld": list(found.withheld),
        "messages": [
            {
                "channel": one.channel.name,
                "type": one.channel.type,
                "route": one.route,
                "part": one.part,
                "dry_run": one.channel.options.dry_run,
                "payload": one.payload,
            }
            for one in found.rendered
        ],
    }


def _heading(one: Rendered) -> str:
    route = f"route {one.route}" if one.route else "no route leads there with this alert"
    dry = ", dry_run: it would be recorded and not sent" if one.channel.options.dry_run else ""
    return f"{one.channel.name}  {one.channel.type} {one.part}, {route}{dry}"


def _send(app: App, check: str, to: str | None) -> None:
    from dqmon.engine.telling.preview_alert import send_test

    is_delivered = True
    for tried in send_test(app.environment, check, to):
        output.write(f"{tried.channel.name}  {output.clean(tried.answer)}")
        is_delivered = is_delivered and tried.is_delivered
    if not is_delivered:
        raise typer.Exit(ExitCode.NOT_RECORDED)
