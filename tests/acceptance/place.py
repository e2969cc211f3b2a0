"""A project folder and the program in it, as a user starts it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import warm_program
from patience import PATIENCE_S

PACKAGE = Path(__file__).parents[2]


@dataclass(frozen=True)
class Done:
    """How a command ended; `words` is all that it printed."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        return f"{self.out}{self.err}"

    def expect(self, code: int, *lines: str) -> Done:
        """Fails unless the exit code is `code` and each of `lines` was printed somewhere."""
        assert self.code == code, f"found exit code {self.code}, expected {code}; it said:\n{self.words}"
        missing = [line for line in lines if line not in self.words]
        assert not missing, f"found none of {missing}; it said:\n{self.words}"
        return self

    def results(self) -> dict[str, dict[str, Any]]:
        """The results of `check --format json` by check id."""
        return {item["check_id"]: item for item in json.loads(self.out)["results"]}


class Place:
    """A project folder; `dqmon` runs the program in it, in a process of its own, and fails when a traceback is printed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("config", "checks", "data"):
            (root / name).mkdir(parents=True)

    def write(self, path: str, text: str) -> None:
        (self.root / path).write_text(text, encoding="utf-8")

    def sqlite(self, *statements: str, path: str = "data/shop.db") -> None:
        with closing(sqlite3.connect(self.root / path)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    def start(self, *words: str, paths: Sequence[str] = (), **options: Any) -> subprocess.Popen[str]:
        """Starts `python -m dqmon`; `paths` stand before all others on its PYTHONPATH."""
        environment = {**_environment(), "PYTHONPATH": os.pathsep.join([*paths, str(PACKAGE)])}
        command = [sys.executable, "-m", "dqmon", *words]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        return subprocess.Popen(command, cwd=self.root, env=environment, text=True, **streams)

    def dqmon(self, *words: str, **variables: str) -> Done:
        """How a command ended, which found `variables` in its environment."""
        done = warm_program.run(words, self.root, _environment() | variables)
        return _without_traceback(Done(done.returncode, done.stdout, done.stderr))


def _environment() -> dict[str, str]:
    return {**os.environ, "USER": "tester", "LOGNAME": "tester"}


def ended(process: subprocess.Popen[str]) -> Done:
    """The end of a started command."""
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    return _without_traceback(Done(process.returncode, out, err))


def _without_traceback(done: Done) -> Done:
    assert "Traceback" not in done.err, f"found a traceback, expected one clear message:\n{done.err}"
    return done


@contextmanager
def held(code: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has run `code` and now waits, holding what it has opened."""
    script = f"{code}\nprint('ready', flush=True)\ninput()"
    other = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        yield other
    finally:
        other.kill()
        other.communicate()
