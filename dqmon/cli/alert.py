"""`dqmon alert`: what channels would be told of a check."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from dqmon.cli import options, output
from dqmon.cli.exit_codes import ExitCode
from dqmon.errors import UsageError

if TYPE_CHECKING:
    from dqmon.app.commands import App
    from dqmon.engine.preview_alert import Preview, Rendered

GROUP = typer.Typer(name="alert", help="What channels would be told.", no_args_is_help=True)
KINDS = ("trigger", "update", "repeat", "acknowledge", "resolve")
FORMATS = ("text", "json")


@GROUP.command()
def preview(
    check: options.CheckArgument,
    *,
    to: Annotated[str | None, typer.Option("--to", metavar="CHANNEL", help="Only this one, even if no route leads to it.")] = None,
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="trigger, update, repeat, acknowledge or resolve.")] = "trigger",
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="text, or json: the exact payloads.")] = "text",
    sends: Annotated[bool, typer.Option("--send-test", help="Send it, marked [TEST], and print what the vendors answer.")] = False,
    config: options.ConfigFile = None,
) -> None:
    """Shows the message that each channel would get of a check's newest result, or of an example when it did not fail.

    Sends nothing without `--send-test`. A test has a key of its own, and on channels that page it is resolved right after. Owner,
    runbook, tags and routes are those of the files as they are now.

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


def _check_channel(app: App, name: str) -> None:
    """UsageError for a channel that is not declared, or was left out because its secrets are unset and no route leads to it."""
    declared = app.project.file.names("channels")
    if not declared:
        raise UsageError(f"--to {name!r} is unknown: config/dqmon.yaml has no channels:")
    options.choice("--to", name, tuple(declared))
    if name not in app.project.settings.channels:
        raise UsageError(f"channels.{name} lacks what its ${{env:}} names, and no route leads to it; set the variable, or dry_run: true")


def _show(app: App, check: str, kind: str, to: str | None, *, is_json: bool) -> None:
    from dqmon.core.message import DeliveryKind
    from dqmon.engine.preview_alert import preview_alert

    found = preview_alert(app.environment, check, DeliveryKind(kind), to)
    if is_json:
        output.write(json.dumps(_data(found, kind), ensure_ascii=False, indent=2))
        return
    output.write(f"{output.clean(check)}  {kind}  {found.occasion.why}")
    for one in found.rendered:
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
    from dqmon.engine.preview_alert import send_test

    is_delivered = True
    for tried in send_test(app.environment, check, to):
        output.write(f"{tried.channel.name}  {output.clean(tried.answer)}")
        is_delivered = is_delivered and tried.is_delivered
    if not is_delivered:
        raise typer.Exit(ExitCode.NOT_RECORDED)
