"""`dqmon config`: the configuration as dqmon reads it, and the JSON Schemas of its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dqmon.cli import options, output
from dqmon.errors import UsageError

GROUP = typer.Typer(name="config", help="The configuration, and its JSON Schemas.", no_args_is_help=True)


@GROUP.command()
def show(
    origin: Annotated[bool, typer.Option("--origin", help="Say where each comes from: line, variable, or default.")] = False,
    config: options.ConfigFile = None,
) -> None:
    """Prints the settings in force, secrets masked."""
    from dqmon.config.project import load
    from dqmon.config.show import shown

    output.write(shown(load(config), with_origin=origin))


@GROUP.command(name="json-schema")
def json_schema(
    write: Annotated[str | None, typer.Option("--write", metavar="FOLDER", help="Write both files there.")] = None,
) -> None:
    """Prints the draft-07 JSON Schemas of config/dqmon.yaml and of check files, for editors."""
    from dqmon.config.json_schema import schemas

    found = schemas()
    if write is None:
        output.write(json.dumps(found, indent=2, ensure_ascii=False))
        return
    folder = Path(write)
    if not folder.is_dir():
        raise UsageError(f"--write {write}: there is no such folder; make it first")
    try:
        for name, schema in found.items():
            (folder / name).write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            output.write(f"wrote {folder / name}")
    except OSError as e:
        raise UsageError(f"--write {write}: {e.strerror}") from e
