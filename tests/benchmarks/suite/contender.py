"""What every contestant's program does: take the time of its work, and print one line that contest.py reads.

Without imports of other packages, since the other tools' programs run in environments of their own.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ExtensionFileLoader, SourceFileLoader
from pathlib import Path
from typing import Any

MARK = "FOUND "


class Found:
    """What a contestant found: how many checks it judged, the names of those that fail, how many statements read data."""

    def __init__(self) -> None:
        self.checks = 0
        self.failed: set[str] = set()
        self.statements = 0
        self.more: dict[str, Any] = {}
        self.work_s = 0.0
        self.work_cpu_s = 0.0

    @contextmanager
    def working(self) -> Iterator[None]:
        """Times what stands inside: the work without preparations, and without the modules that it still has to import."""
        with importing() as (import_s, import_cpu_s):
            wall, cpu = time.perf_counter(), time.process_time()
            yield
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        self.work_s, self.work_cpu_s = wall - sum(import_s), cpu - sum(import_cpu_s)

    def count(self, statement: object) -> None:
        """Counts a statement if it reads one of the two tables' data, which all others (settings, catalogue) do not."""
        text = str(statement).lower()
        if ("orders" in text or "stores" in text) and "information_schema" not in text and "pg_catalog" not in text:
            self.statements += 1

    def tell(self) -> None:
        """Prints the line."""
        print(MARK + json.dumps({**vars(self), "failed": sorted(self.failed), "peak_mb": peak_mb()}), flush=True)


@contextmanager
def importing() -> Iterator[tuple[list[float], list[float]]]:
    """Wall and CPU seconds of each module that is executed inside, with those that it imports itself."""
    wall_s, cpu_s = [], []
    is_inside = False

    def timed(plain: Any) -> Any:
        def run(loader: Any, module: Any) -> None:
            nonlocal is_inside
            if is_inside:
                plain(loader, module)
                return
            is_inside, wall, cpu = True, time.perf_counter(), time.process_time()
            try:
                plain(loader, module)
            finally:
                is_inside = False
                wall_s.append(time.perf_counter() - wall)
                cpu_s.append(time.process_time() - cpu)

        return run

    loaders: tuple[Any, ...] = (SourceFileLoader, ExtensionFileLoader)
    plain = [loader.exec_module for loader in loaders]
    for loader, method in zip(loaders, plain, strict=True):
        loader.exec_module = timed(method)
    try:
        yield wall_s, cpu_s
    finally:
        for loader, method in zip(loaders, plain, strict=True):
            loader.exec_module = method


def peak_mb() -> float:
    """The most memory that this process had. What wait4 says of a child on Linux includes its parent's at the fork."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def counted(found: Found, engine: str, *, by_sqlalchemy: bool = False) -> None:
    """Counts what goes to the driver from now on; the driver is imported here, before the work begins."""
    if by_sqlalchemy:
        import sqlalchemy

        sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", lambda *given: found.count(given[2]))
        return
    if engine == "duckdb":
        import duckdb

        _wrap(duckdb.DuckDBPyConnection, "execute", found)
        _wrap(duckdb.DuckDBPyConnection, "sql", found)
        return
    try:
        import psycopg

        _wrap(psycopg.Cursor, "execute", found)
    except ImportError:
        import functools

        import psycopg2.extensions

        class Counting(psycopg2.extensions.cursor):  # type: ignore[misc, unused-ignore]
            def execute(self, query: Any, values: Any = None) -> Any:
                found.count(query)
                return super().execute(query, values)

        psycopg2.connect = functools.partial(psycopg2.connect, cursor_factory=Counting)


def _wrap(owner: Any, name: str, found: Found) -> None:
    plain = getattr(owner, name)

    def run(self: Any, query: Any, *values: Any, **named: Any) -> Any:
        found.count(query)
        return plain(self, query, *values, **named)

    setattr(owner, name, run)
