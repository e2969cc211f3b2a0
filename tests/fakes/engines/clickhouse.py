"""ClickHouse's engine in a child process, behind the HTTP interface that its client speaks (tests/fakes/clickhouse_server.py)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from engines.base import Engine

TYPES = {
    "int": "Int64",
    "float": "Float64",
    "decimal": "Decimal(18, 4)",
    "text": "String",
    "bool": "Bool",
    "date": "Date32",
    "timestamp": "DateTime64(6)",
    "timestamptz": "DateTime64(6, 'UTC')",
}


class Clickhouse(Engine):
    kind = "clickhouse"
    schema = "default"

    def why_not(self) -> str | None:
        return None if find_spec("chdb") else "there is no chdb, which is the engine; install the group `test`"

    @contextmanager
    def server(self, *arguments: str) -> Iterator[str]:
        """Its port."""
        script = Path(__file__).parents[1] / "clickhouse_server.py"
        with subprocess.Popen([sys.executable, str(script), *arguments], stdout=subprocess.PIPE, text=True) as child:
            try:
                assert child.stdout is not None
                word, _, port = child.stdout.readline().partition(" ")
                assert word == "READY", f"{script.name} did not start; run it by hand and read what it says"
                yield port.strip()
            finally:
                child.terminate()

    def place(self, server: str, folder: Path) -> str:
        """Port and database."""
        name = "".join(c if c.isalnum() else "_" for c in folder.name)
        with closing(self._client(f"{server}/default")) as client:
            client.command(f"drop database if exists `{name}`")
            client.command(f"create database `{name}`")
        return f"{server}/{name}"

    def options(self, location: str) -> dict[str, Any]:
        port, database = location.split("/")
        return {"host": "127.0.0.1", "port": int(port), "secure": False, "schema": database}

    @contextmanager
    def writer(self, location: str) -> Iterator[Callable[[str], object]]:
        with closing(self._client(location)) as client:
            yield client.command

    def owner(self, location: str) -> sa.Engine:
        port, database = location.split("/")
        return sa.create_engine(f"clickhousedb://default@127.0.0.1:{port}/{database}", poolclass=sa.NullPool)

    def make(self, location: str, tables: Iterable[tuple[str, Mapping[str, str], Sequence[Sequence[Any]]]]) -> None:
        """Each by two statements, values as text, so that the driver rounds none."""
        with self.writer(location) as execute:
            for name, columns, rows in tables:
                described = ", ".join(f"{quoted(column)} Nullable({TYPES[kind]})" for column, kind in columns.items())
                execute(f"create table {quoted(name)} ({described}) engine = MergeTree order by tuple()")
                if rows:
                    written = ", ".join(f"({', '.join(map(_literal, row, columns.values()))})" for row in rows)
                    execute(f"insert into {quoted(name)} values {written}")

    def make_each(self, location: str, tables: Iterable[tuple[str, Mapping[str, str], Sequence[Sequence[Any]]]]) -> list[str]:
        made = []
        for table in tables:
            with suppress(Exception):
                self.make(location, [table])
                made.append(table[0])
        return made

    def _client(self, location: str) -> Any:
        import clickhouse_connect

        port, database = location.split("/")
        return clickhouse_connect.get_client(host="127.0.0.1", port=int(port), database=database, autogenerate_session_id=False)


def quoted(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _literal(value: Any, kind: str) -> str:
    match value, kind:
        case None, _:
            return "NULL"
        case _, "timestamp" | "timestamptz":
            # Its text reaches from 1900 to 2299, its numbers through all years.
            at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
            aware = at if at.tzinfo else at.replace(tzinfo=UTC)
            return f"fromUnixTimestamp64Micro({(aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)}, 'UTC')"
        case bool() | int(), _:
            return str(value)
        case float(), _:
            return repr(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"
