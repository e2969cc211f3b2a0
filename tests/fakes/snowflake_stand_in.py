"""Starts the stand-in for Snowflake in its own environment, when there is one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PYTHON = Path(os.environ.get("DQMON_SNOWFLAKE_PYTHON") or Path(__file__).parents[2] / ".venv-snowflake/bin/python")
"""The interpreter of that environment; how it is made stands in snowflake_server.py."""


@contextmanager
def stand_in(*arguments: str) -> Iterator[int]:
    """The port of a running one, stopped at the end."""
    script = Path(__file__).with_name("snowflake_server.py")
    command = [str(PYTHON), str(script), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            word, _, port = server.stdout.readline().partition(" ")
            assert word == "READY", f"{script.name} did not start; run it by hand with {PYTHON} and read what it says"
            yield int(port)
        finally:
            server.terminate()
