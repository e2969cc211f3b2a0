"""The whole command line: its commands, its common options, and what becomes of errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from dqmon.cli.exit_codes import ExitCode
from dqmon.errors import ConfigError, DqmonError, ExtensionError, NotifyError, StoreError, UsageError, WarehouseError

COMMANDS = (
    *("check", "run", "validate", "plan", "cost", "explain", "test", "backtest", "backfill", "migrate", "demo"),
    *("status", "incidents", "silence", "why-not", "alert", "route", "report", "lineage", "export", "schema", "config", "grants", "doctor"),
)
"""As `dqmon --help` has them; each is a file of `dqmon/cli/`, by its name or as `_FILES` says, with `command` or `GROUP`."""

_FILES = {"run": "run_daemon", "report": "owner_report"}


def program(names: Sequence[str] = COMMANDS) -> typer.Typer:
    """The command line with those commands."""
    found = typer.Typer(
        name="dqmon",
        help="Watches the quality of data in warehouses and tells the right people, once.",
        epilog="Start with: dqmon validate, dqmon plan, dqmon check. Documentation: docs/.",
        no_args_is_help=True,
        add_completion=False,
        # Plain help: rich's would cost as much as all the rest of `dqmon --help`.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        callback=common,
    )
    for name in names:
        module = import_module(f"dqmon.cli.{_FILES.get(name) or name.replace('-', '_')}")
        if hasattr(module, "GROUP"):
            found.add_typer(module.GROUP)
        else:
            found.command(name)(module.command)
    return found


def _version(is_asked: bool) -> None:
    if is_asked:
        from dqmon.core.version import version

        typer.echo(f"dqmon {version()}")
        raise typer.Exit(ExitCode.OK)


def common(
    context: typer.Context,
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks, and log everything.")] = False,
    log_level: Annotated[
        str, typer.Option("--log-level", metavar="LEVEL", help="debug, info, warning or error; default warning, of `run` info.")
    ] = "",
    log_format: Annotated[
        str, typer.Option("--log-format", metavar="FORMAT", help="text or json; default text, of `run` without a terminal json.")
    ] = "",
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Options that stand before every command; logs go to stderr."""
    del version
    if log_level not in ("", "debug", "info", "warning", "error"):
        raise typer.BadParameter(f"{log_level!r} is no level; write debug, info, warning or error", param_hint="--log-level")
    if log_format not in ("", "text", "json"):
        raise typer.BadParameter(f"{log_format!r} is no format; write text or json", param_hint="--log-format")
    from dqmon.telemetry import configure

    is_daemon = context.invoked_subcommand == "run"
    level = "debug" if debug else log_level or ("info" if is_daemon else "warning")
    configure(level, as_json=log_format == "json" or (not log_format and is_daemon and not sys.stderr.isatty()))


def run(arguments: Sequence[str]) -> int:
    """The exit code of one command line. Never raises: every error is said in one message on stderr."""
    is_debug = "--debug" in arguments
    try:
        return _invoke(arguments)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except DqmonError as e:
        if is_debug:
            raise
        sys.stderr.write(f"dqmon: {e}\n")
        if isinstance(e, WarehouseError):
            from dqmon.cli.example import hint

            sys.stderr.write(f"{found}\n" if (found := hint()) else "")
        return _code(e)
    except Exception as e:
        if is_debug:
            raise
        sys.stderr.write(f"dqmon: unexpected {type(e).__name__}: {_one_line(e)}; run it again as `dqmon --debug …` and report it\n")
        return ExitCode.NOT_EVALUATED


def _invoke(arguments: Sequence[str]) -> int:
    # Only the command that is meant is imported; all of them when it is not known, so that help and errors name them.
    named = next((word for word in arguments if not word.startswith("-")), "")
    try:
        program((named,) if named in COMMANDS else COMMANDS)(args=list(arguments), prog_name="dqmon")
    except SystemExit as e:
        if isinstance(e.code, int):
            _flush()
            return e.code
        return ExitCode.OK if e.code is None else ExitCode.USAGE
    return ExitCode.OK


def _flush() -> None:
    """Writes out stdout; a reader that has gone (`dqmon … | head`) is not an error."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes again at exit and would complain: give it somewhere to write to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _code(error: DqmonError) -> ExitCode:
    match error:
        case ConfigError() | UsageError() | ExtensionError():
            return ExitCode.USAGE
        case StoreError() | NotifyError():
            return ExitCode.NOT_RECORDED
        case _:
            return ExitCode.NOT_EVALUATED


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
