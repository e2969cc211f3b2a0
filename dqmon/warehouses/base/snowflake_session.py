"""One connection to Snowflake: its catalogue, its histories, its statements tagged and limited on the server."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dqmon.core.facts import NOTHING_KNOWN, TableFacts
from dqmon.core.past_rows import PastRows
from dqmon.core.spending import Spending
from dqmon.core.table import Column, TableRef
from dqmon.errors import PermissionDenied, QueryFailed, TableMissing, WarehouseError
from dqmon.telemetry import Log
from dqmon.warehouses.base.deadline import CANCEL_AFTER_S, Deadline
from dqmon.warehouses.base.labelled_session import LabelledSession, label_text
from dqmon.warehouses.base.names import quoted, stored_name, written_name
from dqmon.warehouses.base.snowflake_catalogue import Entry, all_of, column, entries, is_view, listed, table_facts
from dqmon.warehouses.base.snowflake_errors import translated
from dqmon.warehouses.base.snowflake_history import ATTRIBUTED, ATTRIBUTED_BEFORE, CHANGED, LAST_LOAD, TABLES_AT_ONCE, loads, past_totals
from dqmon.warehouses.base.snowflake_role import POWERS, in_words, limit_advice, settings_advice, zone_advice

if TYPE_CHECKING:
    from dqmon.warehouses.snowflake import Snowflake

log = Log(__name__)

STATEMENT = "dqmon_statement"
"""Where a connection's `info` keeps what goes along with its next statement."""

_COMMIT = sa.text("select system$last_change_commit_time(:name)")


class SnowflakeSession(LabelledSession):
    """One connection of the pool; reads the catalogue of a schema once."""

    clock_sql = "select current_timestamp()"

    def __init__(self, connection: sa.Connection, warehouse: Snowflake) -> None:
        super().__init__(connection, warehouse)
        self._options = warehouse.options
        self._schemas: dict[tuple[str | None, str], Mapping[str, Entry]] = {}

    def tables(self, schema: str | None) -> tuple[tuple[TableRef, bool], ...]:
        """Those of the configured database, named as check files name them."""
        values = {} if schema is None else {"schema": stored_name(schema)}
        rows = self._rows(listed(None, schema), values, self.timeout_s)
        named = ((written_name(str(where)), written_name(str(name)), is_view(kind)) for where, name, kind in rows)
        return tuple(sorted((TableRef(self.name, None, where, name), view) for where, name, view in named))

    def columns(self, table: TableRef) -> tuple[Column, ...]:
        """From the catalogue. Raises TableMissing, which names near tables."""
        entry = self._entry(table)
        if entry is None:
            raise TableMissing(self._missing(table))
        return tuple(self.column(position, row) for position, row in enumerate(entry.columns, start=1))

    def facts(self, table: TableRef) -> TableFacts:
        """Of Snowflake's own tables: rows if the role sees all of them, NOT NULL, the one constraint that is enforced, the last load."""
        entry = self._entry(table)
        if entry is None or not entry.is_plain:
            return NOTHING_KNOWN
        found = table_facts(entry, self.columns(table))
        if not self._options.sees_all_rows:
            found = replace(found, rows=None, rows_because="")
        if not self._options.load_history:
            return found
        loaded = [at for (at,) in self.told("loads", table, self._loads) if at is not None]
        return replace(found, last_changed=max(loaded).astimezone(UTC), last_changed_because=LAST_LOAD) if loaded else found

    def _loads(self, catalog: str | None, schema: str, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        """When each was loaded last; nothing, with a warning, where the role may not know."""
        try:
            for start in range(0, len(names), TABLES_AT_ONCE):
                yield from self._rows(*loads(catalog, schema, names[start : start + TABLES_AT_ONCE]), self.timeout_s)
        except (PermissionDenied, QueryFailed, TableMissing) as e:
            log.warning("load history cannot be read", warehouse=self.name, schema=schema, error=str(e))

    def past_rows(self, table: TableRef, since: datetime) -> PastRows:
        """Of Snowflake's own tables, from the account's history of changes, where the role may read it and sees all rows."""
        entry = self._entry(table)
        if entry is None or not entry.is_plain or entry.rows is None or not self._options.sees_all_rows:
            return PastRows((), "Snowflake keeps a history of rows of its own tables only, for a role that sees all of them")
        database = None if table.catalog is None else stored_name(table.catalog)
        schema, name = stored_name(table.schema or self.default_schema), stored_name(table.name)
        try:
            found = self._rows(CHANGED, {"since": since, "database": database, "schema": schema, "table": name}, self.timeout_s)
        except (PermissionDenied, QueryFailed, TableMissing) as e:
            return PastRows((), f"TABLE_DML_HISTORY cannot be read, which the database role SNOWFLAKE.USAGE_VIEWER may: {e}")
        return past_totals(entry.rows, [(ended, int(change)) for ended, change in found])

    def attributed(self, statement_ids: Collection[str], since: datetime) -> Mapping[str, float]:
        """From QUERY_ATTRIBUTION_HISTORY, which leaves out statements of 100 ms or less, and idle time."""
        ids, found = tuple(statement_ids), dict[str, float]()
        for start in range(0, len(ids), self._names_at_once):
            values = {"since": since - ATTRIBUTED_BEFORE, "ids": ids[start : start + self._names_at_once]}
            found |= {str(name): float(credit) for name, credit in self._rows(ATTRIBUTED, values, self.timeout_s)}
        return found

    def spending(self, result: sa.CursorResult[Any]) -> Spending:
        """The id of the statement; what it read is in Snowflake's history only."""
        return Spending(statement_id=result.context.cursor.sfqid)

    def powers(self) -> tuple[str, ...]:
        """By the privileges of all roles that are enabled. A warehouse of another database tells of itself."""
        return in_words(self._rows(sa.text(POWERS), {}, self.timeout_s))

    def advice(self) -> tuple[str, ...]:
        """On the virtual warehouse and the account's zone, as far as the role may see their settings."""
        name = self.driver.warehouse or ""
        warehouses = self._shown("show warehouses like :name", name=name)
        # A colon would be a parameter of the text.
        limits = self._shown("show parameters like 'STATEMENT_TIMEOUT_IN_SECONDS' in warehouse " + quoted(name).replace(":", r"\:"))
        zones = self._shown("show parameters like 'TIMEZONE' in account")
        return (
            *(said for row in warehouses if row["name"] == name for said in settings_advice(row, self._options.credits_per_hour)),
            *(said for row in limits for said in limit_advice(name, int(row["value"]))),
            *(said for row in zones for said in zone_advice(str(row["value"]), self._options.naive_timezone)),
        )

    def _shown(self, sql: str, **values: str) -> Sequence[Mapping[str, Any]]:
        """The rows of a SHOW, by the names of their columns, whose places change; none where the role may not."""
        with suppress(PermissionDenied, QueryFailed, TableMissing):
            return [row._asdict() for row in self._rows(sa.text(sql), values, self.timeout_s)]
        return ()

    def unchanged_proof(self, table: TableRef) -> str | None:
        """By the commit of the last change, with rows, bytes, and when the table was made and defined; only of Snowflake's own tables.

        LAST_ALTERED proves nothing: it moves with grants and with the service's own work on metadata. The commit's token is what
        Snowflake gives to tell whether rows changed (https://docs.snowflake.com/en/sql-reference/functions/system_last_change_commit_time);
        the definition's time tells a table that was swapped with another one.
        """
        entry = self._entry(table)
        if entry is None or not entry.is_plain:
            return None
        parts = (table.catalog, table.schema or self.default_schema, table.name)
        name = ".".join(quoted(stored_name(part)) for part in parts if part is not None)
        # A role that may not call it, or a server that has no such function.
        with suppress(PermissionDenied, QueryFailed, TableMissing):
            ((token,),) = self._rows(_COMMIT, {"name": name}, self.timeout_s)
            return f"last change committed at {token}, {entry.rows} rows, {entry.size} bytes, {entry.since}"
        return None

    def _entry(self, table: TableRef) -> Entry | None:
        database = None if table.catalog is None else stored_name(table.catalog)
        schema = stored_name(table.schema or self.default_schema)
        if (database, schema) not in self._schemas:
            found = self._rows(all_of(database), {"schema": schema}, self.timeout_s)
            self._schemas[database, schema] = entries(found)
        return self._schemas[database, schema].get(stored_name(table.name))

    def column(self, position: int, row: Sequence[Any]) -> Column:
        """As the catalogue has it."""
        return column(position, row)

    def prepare(self, timeout_s: float) -> None:
        """Tag and limit of the next statement, which go along with it."""
        limit = max(1, math.ceil(timeout_s))
        self.connection.info[STATEMENT] = {"QUERY_TAG": label_text(self.words()), "STATEMENT_TIMEOUT_IN_SECONDS": limit}

    def deadline(self, timeout_s: float) -> Deadline:
        """Second net after the server's own limit; the third is the connector's."""
        return Deadline((timeout_s + CANCEL_AFTER_S, self._cancel))

    def _cancel(self) -> None:
        """All statements of this session, by a second one beside it: the connector tells a statement's number only at its end."""
        from snowflake.connector import Error

        with suppress(Error), self.driver.cursor() as cursor:
            cursor.execute("select system$cancel_all_queries(%s)", (self.driver.session_id,))

    def translate(self, error: Exception, timeout_s: float) -> WarehouseError:
        """By Snowflake's numbers of errors."""
        return translated(error, timeout_s)
