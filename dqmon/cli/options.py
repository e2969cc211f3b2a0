"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from dqmon.errors import UsageError

if TYPE_CHECKING:
    from dqmon.core.selector import Selector

ConfigFile = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="The configuration; else DQMON_CONFIG or config/dqmon.yaml."),
]
Selectors = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SELECTOR]...", help="Datasets, pipelines, check ids or key:value: `main.* type:freshness not:tag:old`."),
]
Exclude = Annotated[list[str] | None, typer.Option("--exclude", metavar="SELECTOR", help="Leave these out; may be repeated.")]
CheckArgument = Annotated[str, typer.Argument(metavar="CHECK", help="A check's id, as `dqmon check` prints it.")]
JsonFormat = Annotated[str, typer.Option("--format", metavar="FORMAT", help="table or json.")]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who does it; else the user of this computer.")]


def selector(terms: list[str] | None, exclude: list[str] | None = None) -> Selector:
    """The selector of the command's words; `--exclude X` is `not:X`. UsageError names the word that is not understood."""
    from dqmon.core.selector import parse_selector

    try:
        return parse_selector([*(terms or ()), *(f"not:{word}" for text in exclude or () for word in text.split())])
    except ValueError as e:
        raise UsageError(str(e)) from e


def instant(text: str | None, option: str = "--at") -> datetime | None:
    """An instant with a zone, in UTC. UsageError names the form expected."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise UsageError(f"{option} {text!r} is no instant with a zone; write it as 2013-02-10T12:00Z")
    return found.astimezone(UTC)


def choice(option: str, text: str, allowed: tuple[str, ...]) -> str:
    """`text` when it is allowed; else UsageError with a suggestion."""
    if text in allowed:
        return text
    from difflib import get_close_matches

    near = get_close_matches(text, allowed, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise UsageError(f"{option} {text!r} is unknown: write {', '.join(allowed)}{hint}")


def who(name: str) -> str:
    """`name`, or the user of this computer; `unknown` in a container that has none."""
    if name:
        return name
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
