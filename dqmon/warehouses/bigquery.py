"""BigQuery by its own client: each statement is a job with a number, labels, a limit in time and one in bytes billed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from dqmon.core.capabilities import Capabilities, Said
from dqmon.core.facts import TableFacts
from dqmon.core.spending import Spending
from dqmon.core.table import Column, TableRef
from dqmon.errors import ConnectFailed, PermissionDenied, QueryFailed, WarehouseError
from dqmon.warehouses.base import Deadline, SqlWarehouse
from dqmon.warehouses.base.bigquery_catalogue import column, columns_of, is_view, listed, rows_of, table_facts
from dqmon.warehouses.base.bigquery_client import BigqueryOptions, job_labels, missing_package, opened
from dqmon.warehouses.base.bigquery_errors import translated
from dqmon.warehouses.base.bigquery_grants import script
from dqmon.warehouses.base.bigquery_sql import STATEMENT
from dqmon.warehouses.base.deadline import CANCEL_AFTER_S
from dqmon.warehouses.base.labelled_session import LabelledSession

if TYPE_CHECKING:
    from sqlalchemy.sql import Select

CANCEL_WAIT_S = 5.0
"""Seconds that the answer to a cancel may take."""

_MEGABYTE = 1 << 20
_LEAST_BILLED = 10 * _MEGABYTE
"""https://cloud.google.com/bigquery/pricing: rounded up to the megabyte, at least 10 MB for a statement."""

_WRITING = ("bigquery.tables.updateData", "bigquery.tables.update", "bigquery.tables.delete", "bigquery.tables.setIamPolicy")


class BigquerySession(LabelledSession):
    """One client of the pool."""

    clock_sql = "select current_timestamp()"

    def __init__(self, connection: sa.Connection, warehouse: Bigquery) -> None:
        super().__init__(connection, warehouse)
        self._options: BigqueryOptions = warehouse.options
        self._is_dry = False
        self._job_id = ""

    def estimate(self, statement: Select[tuple[object, ...]]) -> Spending:
        """By a dry run, which is free; what it would bill is the least that BigQuery bills, where several tables are small."""
        before, self._is_dry = self.spent, True
        try:
            self._rows(statement, {}, self.timeout_s)
            read = self.spent.bytes_read or 0
            return Spending(bytes_read=read, bytes_billed=max(_LEAST_BILLED, -(-read // _MEGABYTE) * _MEGABYTE) if read else 0)
        finally:
            self.spent, self._is_dry = before, False

    def tables(self, schema: str | None) -> tuple[tuple[TableRef, bool], ...]:
        """Those of a dataset; of all datasets in the location when it is None."""
        rows = self._rows(listed(self._options.project, schema, self._options.location), {}, self.timeout_s)
        return tuple(sorted((TableRef(self.name, None, str(where), str(name)), is_view(str(kind))) for where, name, kind in rows))

    def column_rows(self, catalog: str | None, schema: str, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        """From the dataset's INFORMATION_SCHEMA."""
        yield from self.rows_of(columns_of(catalog or self._options.project, schema), catalog, schema, names)

    def _counts(self, catalog: str | None, schema: str, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        # Who may not see the dataset's list of tables has no estimate.
        with suppress(PermissionDenied, QueryFailed):
            yield from self.rows_of(rows_of(catalog or self._options.project, schema), catalog, schema, names)

    def facts(self, table: TableRef) -> TableFacts:
        """About how many rows, and REQUIRED columns."""
        counts = [int(count) for (count,) in self.told("rows", table, self._counts) if count is not None]
        return table_facts(counts[0] if counts else None, self.columns(table))

    def unchanged_proof(self, table: TableRef) -> None:
        """None: rows in the streaming buffer change what is read, and no time or count that BigQuery tells."""
        del table

    def powers(self) -> tuple[str, ...]:
        """By asking which permissions that write it has on the announced tables."""
        found: dict[str, None] = {}
        with self._in_words(self.timeout_s):
            for (catalog, schema), names in self.lookups.announced.items():
                for name in names:
                    place = f"{catalog or self._options.project}.{schema}.{name}"
                    allowed = self.driver.client.test_iam_permissions(place, _WRITING, retry=None, timeout=self.timeout_s)
                    found |= {f"{permission} on {place}": None for permission in allowed.get("permissions", ())}
        return tuple(found)

    def advice(self) -> tuple[str, ...]:
        """On what a statement may bill."""
        if self._options.maximum_bytes_billed is not None or not self._options.price_per_tib:
            return ()
        return ("set maximum_bytes_billed, so that a check of a large table without a filter fails instead of being billed",)

    def column(self, position: int, row: Sequence[Any]) -> Column:
        """As the catalogue has it."""
        return column(position, row)

    def prepare(self, timeout_s: float) -> None:
        """Number, labels and limits of the next job."""
        from dqmon.warehouses.base.bigquery_dialect import Statement

        self._job_id = f"dqmon_{uuid.uuid4().hex}"
        most = self._options.maximum_bytes_billed
        self.connection.info[STATEMENT] = Statement(self._job_id, job_labels(self.words()), timeout_s, self._is_dry, most)

    def spending(self, result: sa.CursorResult[Any]) -> Spending:
        """What the job says that it processed, and what is billed; 0 of an answer that BigQuery had kept."""
        job = result.context.cursor.job
        if job.total_bytes_processed is None:
            job.reload(retry=None, timeout=self.timeout_s)
        return Spending(bytes_read=job.total_bytes_processed, bytes_billed=job.total_bytes_billed, statement_id=job.job_id)

    def deadline(self, timeout_s: float) -> Deadline:
        """Second net after the job's own limit; the third is the client's."""
        return Deadline((timeout_s + CANCEL_AFTER_S, self._cancel))

    def _cancel(self) -> None:
        # Whatever Google's client and its transport raise: who waits for the job hears of it.
        with suppress(Exception):
            self.driver.client.cancel_job(self._job_id, location=self._options.location, retry=None, timeout=CANCEL_WAIT_S)

    def translate(self, error: Exception, timeout_s: float) -> WarehouseError:
        """By BigQuery's reasons."""
        return translated(error, timeout_s)


class Bigquery(SqlWarehouse):
    """A BigQuery project. `dqmon grants` prints the service account that it needs, and no more.

    A dataset of a check is `dataset.table`, or `project.dataset.table`; tables are named exactly, columns in any case of letters.
    BigQuery has no read-only mode: that nothing is written rests on the account's roles, and on the gate that all SQL of check files
    passes. `dqmon doctor` tells what the account may do besides.

    Every statement is a job with the labels app, instance, run, warehouse and dataset, in the UTC zone, with a limit in time, and in
    bytes billed if `maximum_bytes_billed` is set. `dqmon plan` shows what statements would read, by dry runs, which are free. A
    table with require_partition_filter needs a check with `partition:` or a filter on that column.

    Rows are counted, not read from the catalogue: its counts leave out rows in the streaming buffer. No table is taken for unchanged,
    and no key for unique. DATETIME is wall time of `naive_timezone`, TIMESTAMP an instant. A text of a column of ARRAY, STRUCT, JSON
    or GEOGRAPHY is its JSON, of BYTES their hex digits. The median and quantiles number the rows by value.
    """

    type: ClassVar[str] = "bigquery"
    Options = BigqueryOptions
    standard_schema = ""
    was_run = "Compiled, not run; the client against recorded answers."
    example = MappingProxyType(
        {"project": "acme-shop", "schema": "analytics", "credentials_file": "/run/secrets/dqmon.json", "location": "EU"}
        | {"maximum_bytes_billed": 10_737_418_240}
    )
    # https://cloud.google.com/bigquery/quotas#query_jobs: 10,000 parameters, 10,000 columns.
    # Not is_columnar: it reads the columns that a statement names only, but a further statement is bytes that are paid for.
    capabilities = Capabilities(
        max_expressions=1_000,
        max_parameters=9_000,
        has_quantiles=False,
        grammar="bigquery",
        row_count=Said(is_exact=False, because="row_count leaves out rows in the streaming buffer"),
        last_change=Said(is_exact=False, because="last_modified_time moves with descriptions, and not with each row that is streamed in"),
    )

    @property
    def default_catalog(self) -> str:
        """The project, which names need not have."""
        project: str = self.options.project
        return project

    def create_engine(self) -> sa.Engine:
        """A pool of at most `max_connections` clients."""
        sa.dialects.registry.register("dqmon_bigquery", "dqmon.warehouses.base.bigquery_dialect", "DqmonDialect")
        try:
            return sa.create_engine(
                "dqmon_bigquery://",
                creator=lambda: opened(self.options),
                pool_size=self.max_connections,
                max_overflow=0,
                pool_timeout=self.options.connect_timeout,
                hide_parameters=True,
            )
        except ImportError as e:
            raise missing_package() from e

    def grants(self, tables: Iterable[TableRef]) -> str:
        """The commands that make the account that reads them."""
        return script(self.options.project, tables, self.default_schema or "")

    def session(self, connection: sa.Connection) -> BigquerySession:
        """The session of one client."""
        return BigquerySession(connection, self)

    def connect_error(self, error: Exception) -> WarehouseError:
        """Google's words, with what to do."""
        how = "set credentials_file, or run `gcloud auth application-default login`"
        return ConnectFailed(f"{self.name}: no client for project {self.options.project}: {translated(error, self.timeout_s)}; {how}")
