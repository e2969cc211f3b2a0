"""BigQuery's SQLAlchemy dialect as dqmon uses it; SQLAlchemy imports it by name, so that the vendor's packages are only then.

Three things differ from `sqlalchemy_bigquery`: values are bound with the type that they have (the vendor's compiler takes it from the
column, without zones, and rounds decimals); names are quoted as they are, dots too; and each statement is a job of its own number.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from google.cloud.bigquery import ConnectionProperty, QueryJobConfig, ScalarQueryParameter, dbapi
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy_bigquery.base import (  # type: ignore[import-untyped]  # it has no types
    BigQueryCompiler,
    BigQueryDialect,
    BigQueryIdentifierPreparer,
)

from dqmon.warehouses.base.bigquery_sql import STATEMENT, quoted
from dqmon.warehouses.base.fetched_rows import FetchedRows

SEND_WAIT_S = 10.0
"""Seconds that sending a job may take."""

_INTEGERS_END = 2**63


@dataclass(frozen=True, slots=True)
class Statement:
    """How one statement runs: its number, its labels, seconds until it is stopped; `is_dry`: it is only estimated."""

    job_id: str
    labels: dict[str, str]
    timeout_s: float
    is_dry: bool
    maximum_bytes_billed: int | None


def parameter(name: str, value: Any) -> ScalarQueryParameter:
    """A bound value with the type that holds it exactly."""
    match value:
        case bool():
            return ScalarQueryParameter(name, "BOOL", value)
        case int() | Decimal():
            return _number(name, Decimal(value))
        case float():
            return ScalarQueryParameter(name, "FLOAT64", value)
        case datetime():
            return ScalarQueryParameter(name, "TIMESTAMP" if value.tzinfo else "DATETIME", value)
        case None | str():
            return ScalarQueryParameter(name, "STRING", value)
    raise TypeError(f"a {type(value).__name__} cannot be bound")


def _number(name: str, value: Decimal) -> ScalarQueryParameter:
    """https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#decimal_types: 9 places, and 29 digits before them."""
    if value == value.to_integral_value() and abs(value) < _INTEGERS_END:
        return ScalarQueryParameter(name, "INT64", int(value))
    is_small = int(value.as_tuple().exponent) >= -9 and value.adjusted() < 29  # noqa: PLR2004 - as it says
    return ScalarQueryParameter(name, "NUMERIC" if is_small else "BIGNUMERIC", value)


class _Preparer(BigQueryIdentifierPreparer):  # type: ignore[misc]  # the vendor's has no types
    def quote_identifier(self, value: str) -> str:
        return quoted(value).replace("%", "%%") if self._double_percents else quoted(value)

    def quote(self, ident: str, force: Any = None, column: bool = False) -> str:
        del force, column
        return self.quote_identifier(str(ident))

    def format_label(self, label: Any, name: str | None = None) -> str:
        return self.quote_identifier(name or label.name)


class _Compiler(BigQueryCompiler):  # type: ignore[misc]  # the vendor's has no types
    def visit_bindparam(self, bindparam: Any, *args: Any, **kw: Any) -> str:
        """Without the vendor's type after the name."""
        return str(SQLCompiler.visit_bindparam(self, bindparam, *args, **kw))  # type: ignore[no-untyped-call]  # SQLAlchemy has none

    def visit_in_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """A list, not the vendor's array."""
        del operator
        return str(self._generate_generic_binary(binary, " IN ", **kw))

    def visit_not_in_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """The opposite."""
        del operator
        return f"({self._generate_generic_binary(binary, ' NOT IN ', **kw)})"

    def visit_label(self, *args: Any, **kw: Any) -> str:
        """As everywhere."""
        return str(SQLCompiler.visit_label(self, *args, **kw))  # type: ignore[no-untyped-call]  # as above

    def group_by_clause(self, select: Any, **kw: Any) -> str:
        """By expressions, as SQLAlchemy writes it: the vendor's takes names, which a column inside may have, too."""
        return str(SQLCompiler.group_by_clause(self, select, **kw))  # type: ignore[no-untyped-call]  # as above


class DqmonDialect(BigQueryDialect):  # type: ignore[misc]  # the vendor's has no types
    """The dialect; its name stays the vendor's, by which constructs are overridden."""

    preparer = _Preparer
    statement_compiler = _Compiler
    execution_ctx_cls = DefaultExecutionContext
    supports_statement_cache = False
    div_is_floordiv = False

    @classmethod
    def import_dbapi(cls) -> Any:
        """The driver."""
        return dbapi

    def create_connect_args(self, url: Any) -> Any:
        """Nothing: the warehouse makes the client."""
        del url
        return [], {}

    def initialize(self, connection: Any) -> None:
        """Asks nothing: there is no version, and no default schema."""

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Runs it as the connection says of its next statement."""
        how = context.root_connection.info[STATEMENT]
        names = {name: f"@{name}" for name in parameters or {}}
        cursor.execute(statement % names, [parameter(name, value) for name, value in (parameters or {}).items()], how)

    def do_execute_no_params(self, cursor: Any, statement: str, context: Any = None) -> None:
        """The same."""
        self.do_execute(cursor, statement, {}, context)

    def do_ping(self, dbapi_connection: Any) -> bool:
        """True: a client has no connection that could be gone."""
        del dbapi_connection
        return True


class Cursor(FetchedRows):
    """Over jobs of the client; `job` is that of the last statement."""

    def __init__(self, client: Any) -> None:
        super().__init__()
        self._client = client
        self.job: Any = None

    def execute(self, statement: str, parameters: list[ScalarQueryParameter], how: Statement) -> None:
        """Runs one statement and waits for its rows; without retries, which are dqmon's own (a later slot)."""
        config = QueryJobConfig(
            query_parameters=parameters,
            labels=how.labels,
            dry_run=how.is_dry,
            use_query_cache=not how.is_dry,
            job_timeout_ms=round(how.timeout_s * 1000),
            connection_properties=[ConnectionProperty("time_zone", "UTC")],
        )
        if how.maximum_bytes_billed is not None:
            config.maximum_bytes_billed = how.maximum_bytes_billed
        number = {} if how.is_dry else {"job_id": how.job_id}
        self.job = self._client.query(statement, job_config=config, retry=None, job_retry=None, timeout=SEND_WAIT_S, **number)
        if how.is_dry:
            self.take((), ("nothing",))
            return
        rows = self.job.result(retry=None, job_retry=None, timeout=how.timeout_s + SEND_WAIT_S)
        self.take((row.values() for row in rows), (field.name for field in rows.schema))


class DqmonConnection:
    """What SQLAlchemy needs of a DB-API connection."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def cursor(self) -> Cursor:
        """A new one."""
        return Cursor(self.client)

    def commit(self) -> None:
        """Nothing: a SELECT changes nothing."""

    def rollback(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Lets go of the client's sockets."""
        self.client.close()
