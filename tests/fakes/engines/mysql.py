"""MariaDB as its Debian package has it: a private instance in a folder of its own, on a socket and a loopback port."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from engines.base import KINDS, Engine

_PLAIN = ["--no-defaults", "--user=root"]
_QUICK = [
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=16M",
    "--skip-log-bin",
    "--character-set-server=utf8mb4",
]
_START_S = 30
_FIRST, _LAST = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC)


class Mysql(Engine):
    kind = "mysql"
    schema = "lab"
    # SQLAlchemy's moments have whole seconds there, and no zone.
    kinds = KINDS | {"timestamp": mysql.DATETIME(fsp=6), "timestamptz": mysql.TIMESTAMP(fsp=6)}

    def why_not(self) -> str | None:
        return None if shutil.which("mariadbd") else "there is no mariadbd; install the Debian package mariadb-server"

    @contextmanager
    def server(self) -> Iterator[str]:
        """The URL of its socket, without a database."""
        with TemporaryDirectory(prefix="dqmon-my", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            made = ["mariadb-install-db", *_PLAIN, f"--datadir={folder}/data", "--auth-root-authentication-method=normal", "--skip-test-db"]
            subprocess.run(made, check=True, capture_output=True, timeout=_START_S)
            where = [f"--datadir={folder}/data", f"--socket={folder}/s", "--skip-networking=1", f"--pid-file={folder}/pid"]
            with (
                (folder / "log").open("wb") as log,
                subprocess.Popen(["mariadbd", *_PLAIN, *_QUICK, *where], stdout=log, stderr=log) as process,
            ):
                try:
                    self._wait(folder / "log")
                    yield f"mysql://root@localhost?unix_socket={folder}/s"
                finally:
                    process.terminate()
                    process.wait(_START_S)

    def _wait(self, log: Path) -> None:
        for _ in range(10 * _START_S):
            if "ready for connections" in log.read_text(errors="replace"):
                return
            time.sleep(0.1)
        raise RuntimeError(f"mariadbd did not start: {log.read_text(errors='replace')[-2000:]}")

    def place(self, server: str, folder: Path) -> str:
        # A schema is a database: one for all places that are emptied between tests, another for what is made once.
        name = "emptied" if folder.name.startswith("test_") else self.schema
        with self.writer(server) as execute:
            execute(f'drop database if exists "{name}"')
            execute(f'create database "{name}"')
        return sa.make_url(server).set(database=name).render_as_string(hide_password=False)

    def value(self, value: Any, kind: str) -> Any:
        """As of every engine; MySQL has no NaN and no infinity, for which NULL and the largest double stand."""
        if isinstance(value, float) and not math.isfinite(value):
            return None if math.isnan(value) else math.copysign(sys.float_info.max, value)
        found = super().value(value, kind)
        # A TIMESTAMP is a second count of 32 bits, and the driver drops the offset.
        return min(max(found.astimezone(UTC), _FIRST), _LAST) if kind == "timestamptz" and found is not None else found

    def options(self, location: str) -> dict[str, Any]:
        return {"url": location}

    @contextmanager
    def writer(self, location: str) -> Iterator[Callable[[str], object]]:
        engine = self.owner(location)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection.exec_driver_sql
        engine.dispose()

    def owner(self, location: str) -> sa.Engine:
        url = sa.make_url(location).set(drivername="mysql+pymysql")
        mode = "ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES"
        return sa.create_engine(
            url, poolclass=sa.NullPool, connect_args={"charset": "utf8mb4", "sql_mode": mode, "init_command": "set time_zone = '+00:00'"}
        )
