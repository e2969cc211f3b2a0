"""Spark's Thrift server from pyspark's wheel, in an environment of its own: in memory but for the tables, on loopback.

python -m venv .venv-spark
.venv-spark/bin/pip install "pyspark==4.3.*"
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any

import sqlalchemy as sa

from engines.base import Engine

ENVIRONMENT = Path(os.environ.get("DQMON_SPARK_ENVIRONMENT") or Path(__file__).parents[3] / ".venv-spark")
STARTS_WITHIN_S = 120
"""Seconds; 8 on a quiet machine."""

TYPES = {
    "int": "bigint",
    "float": "double",
    "decimal": "decimal(18, 4)",
    "text": "string",
    "bool": "boolean",
    "date": "date",
    "timestamp": "timestamp_ntz",
    "timestamptz": "timestamp",
}

_MAIN = "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2"


def _command(port: int, folder: str) -> list[str]:
    spark = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        # One partition is plenty for a few rows, and makes a statement three times as fast.
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.warehouse.dir": f"{folder}/tables",
        "spark.hadoop.javax.jdo.option.ConnectionURL": "jdbc:derby:memory:metastore;create=true",
        "spark.driver.extraJavaOptions": "-XX:MaxMetaspaceSize=256m -XX:ReservedCodeCacheSize=96m",
    }
    hive = {"thrift.port": str(port), "thrift.bind.host": "127.0.0.1", "authentication": "NOSASL"}
    (submit,) = ENVIRONMENT.glob("lib/python3*/site-packages/pyspark/bin/spark-submit")
    settings = [word for name, value in spark.items() for word in ("--conf", f"{name}={value}")]
    options = [word for name, value in hive.items() for word in ("--hiveconf", f"hive.server2.{name}={value}")]
    return [str(submit), "--class", _MAIN, "--master", "local[2]", "--driver-memory", "600m", *settings, "spark-internal", *options]


class Spark(Engine):
    kind = "spark"
    schema = "lab"

    def why_not(self) -> str | None:
        return None if (ENVIRONMENT / "bin/python").exists() else f"there is no {ENVIRONMENT}; make test-spark makes it"

    @contextmanager
    def server(self) -> Iterator[str]:
        """The port. Without an answer of the client's, nothing tells that the server is up."""
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        with TemporaryDirectory(prefix="dqmon-spark", ignore_cleanup_errors=True) as folder:
            log = Path(folder, "log")
            with log.open("w") as out:
                command, environment = _command(port, folder), os.environ | {"SPARK_LOCAL_IP": "127.0.0.1"}
                server = subprocess.Popen(command, stdout=out, stderr=out, cwd=folder, env=environment)
            try:
                _wait_for(port, server, log)
                yield str(port)
            finally:
                server.terminate()
                server.wait(30)

    def place(self, server: str, folder: Path) -> str:
        """The one schema, whatever the folder: emptied."""
        del folder
        with self.writer(server) as execute:
            execute(f"drop database if exists {self.schema} cascade")
            execute(f"create database {self.schema}")
        return server

    def options(self, location: str) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": int(location), "auth": "nosasl", "schema": self.schema, "max_connections": 1}

    @contextmanager
    def writer(self, location: str) -> Iterator[Callable[[str], object]]:
        engine = self.owner(location)
        with engine.connect() as connection:
            yield lambda statement: connection.exec_driver_sql(statement.replace("%", "%%"))
        engine.dispose()

    def owner(self, location: str) -> sa.Engine:
        # The dialect that dqmon reads with is the only one that quotes Spark's names as Spark does.
        return self.warehouse("owner", location).engine

    def make(self, location: str, tables: Iterable[tuple[str, Mapping[str, str], Sequence[Sequence[Any]]]]) -> None:
        """By one statement a table, since each takes Spark a quarter of a second; values as texts, so that none is rounded on its way."""
        with self.writer(location) as execute:
            for name, columns, rows in tables:
                types = [
                    f"cast(col{place} as {TYPES[kind]}) as {_quoted(column)}" for place, (column, kind) in enumerate(columns.items(), 1)
                ]
                values = ", ".join(f"({', '.join(map(_text, row))})" for row in rows or [[None] * len(columns)])
                source = f"select {', '.join(types)} from values {values}" + ("" if rows else " where false")
                execute(f"create table {self.schema}.{_quoted(name)} using parquet as {source}")


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _text(value: Any) -> str:
    return "null" if value is None else "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    until = monotonic() + STARTS_WITHIN_S
    while monotonic() < until and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            sleep(0.2)
        else:
            return
    raise AssertionError(f"Spark did not start: {log.read_text(errors='replace')[-2_000:]}")
