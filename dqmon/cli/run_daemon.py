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
    from dqmon.app.daemon import run_daemon

    with open_app(config) as app:
        code = run_daemon(app)
    raise typer.Exit(code)
