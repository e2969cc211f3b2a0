"""`dqmon export`: results in other tools' formats."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from dqmon.cli import options, output
from dqmon.errors import UsageError

GROUP = typer.Typer(name="export", help="Results in other tools' formats.", no_args_is_help=True)


@GROUP.command()
def openlineage(
    selectors: options.Selectors = None,
    exclude: options.Exclude = None,
    since: Annotated[str, typer.Option("--since", metavar="DURATION", help="How far back slots may lie, such as 24h or 7d.")] = "24h",
    to: Annotated[str | None, typer.Option("--output", metavar="FILE", help="Write to this file instead of stdout.")] = None,
    config: options.ConfigFile = None,
) -> None:
    """Prints stored results as OpenLineage run events, one JSON object a line.

    A START and a COMPLETE or FAIL event for each run of checks of one table or pipeline; ad-hoc runs are left out.
    The daemon posts the same events by itself where `openlineage:` is set.
    """
    import json

    from dqmon.alerts.wording import count
    from dqmon.app import open_app
    from dqmon.core.duration import parse_duration

    try:
        span = timedelta(seconds=parse_duration(since))
    except ValueError as e:
        raise UsageError(f"--since: {e}") from e
    target = output.Target(to)
    with open_app(config) as app:
        events = app.openlineage_events(options.selector(selectors, exclude), span)
    if events:
        target.write("\n".join(json.dumps(event) for event in events))
    output.note(f"{count(len(events), 'event')} of {count(len(events) // 2, 'run')}")
