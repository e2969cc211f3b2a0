"""`dqmon run`: the daemon."""

from __future__ import annotations

import typer

from dqmon.cli import options


def command(config: options.ConfigFile = None) -> None:
    """Runs the daemon.

    It judges every check on its schedule and delivers messages, until SIGTERM or Ctrl-C, which let it finish what it has begun.
    SIGHUP reads the files again; when they are invalid, what ran goes on. One daemon per SQLite store.
    """
    from dqmon.app import open_app

    with open_app(config) as app:
        code = app.run_daemon()
    raise typer.Exit(code)
