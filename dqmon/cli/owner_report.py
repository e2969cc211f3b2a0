"""`dqmon report`: what owners are told of all of their checks together."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from dqmon.cli import options, output
from dqmon.errors import UsageError

if TYPE_CHECKING:
    from dqmon.alerts.digest import Figures
    from dqmon.core.plain import Json

Owner = Annotated[str | None, typer.Argument(metavar="[OWNER]", help="Whose checks, as the check files name the owner; else everybody's.")]


def command(
    owner: Owner = None,
    is_digest: Annotated[bool, typer.Option("--digest", help="The digest of the last seven days.")] = False,
    form: options.JsonFormat = "table",
    config: options.ConfigFile = None,
) -> None:
    """Prints what owners are told of their checks.

    That of the last seven days, of each owner or of one, as a digest of now would say it; nothing is sent. Health and what has
    changed in it, incidents, pages and what was said of them, noisy and silent checks, blind spots, costs.
    """
    from dqmon.app import open_app

    options.choice("--format", form, ("table", "json"))
    if not is_digest:
        raise UsageError("say what to report: `dqmon report --digest`")
    with open_app(config) as app:
        found = app.digests(owner)
        owners = sorted({check.owner for check in app.environment.checks.values() if check.owner})
    if not found:
        raise UsageError(f"{owner!r} owns no check; there are {', '.join(owners) or 'no owners'}")
    if form == "json":
        output.write(json.dumps({"schema_version": 1, "digests": [_document(one) for one in found]}, indent=2, ensure_ascii=False))
        return
    _write(found)


def _write(found: tuple[Figures, ...]) -> None:
    from dqmon.alerts.digest import digest_lines, digest_title

    for number, one in enumerate(found):
        if number:
            output.write("")
        output.write(output.clean(digest_title(one)))
        for label, text in digest_lines(one):
            output.write(f"  {output.clean(label)}: {output.clean(text)}")


def _document(figures: Figures) -> Json:
    from dqmon.alerts.digest import digest_lines, digest_title
    from dqmon.core.plain import plain

    told = {"title": digest_title(figures), "lines": [{"label": label, "text": text} for label, text in digest_lines(figures)]}
    instants = {"since": plain(figures.since), "until": plain(figures.until)}
    noisiest = [{"check_id": check_id, "alerts": times} for check_id, times in figures.noisiest]
    return asdict(figures) | instants | {"noisiest": noisiest} | told
