"""ClickHouse's SQLAlchemy dialect as dqmon uses it; SQLAlchemy imports it by DIALECT, so that the vendor's package is only then.

Three things differ from `clickhouse_connect.cc_sqlalchemy`: values are written into the text exactly (the driver would make doubles of
decimals, and cut fractions of seconds off); a name that looks quoted is quoted all the same; and an empty answer, which has no columns
in ClickHouse's format, is not asked for a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from clickhouse_connect import dbapi
from clickhouse_connect.cc_sqlalchemy.dialect import ClickHouseDialect
from clickhouse_connect.cc_sqlalchemy.sql.compiler import ChStatementCompiler
from clickhouse_connect.cc_sqlalchemy.sql.preparer import ChIdentifierPreparer
from clickhouse_connect.dbapi.connection import Connection
from sqlalchemy.sql.compiler import SQLCompiler

from dqmon.core.table import TypeGroup
from dqmon.sql.columns import MOMENTS, stored
from dqmon.warehouses.base.clickhouse_sql import STATEMENT, quoted
from dqmon.warehouses.base.fetched_rows import FetchedRows

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_ESCAPED = str.maketrans({"\\": "\\\\", "'": "\\'", "\0": "\\0"})

_BY_EQUALITY = MOMENTS | {TypeGroup.FLOAT}

_NUMBERS_END = 2**63
"""The first whole number that needs a type's name beside it: ClickHouse reads greater ones as doubles, or without sign."""


def literal(value: object, group: TypeGroup = TypeGroup.OTHER) -> str:
    """A bound value as ClickHouse's SQL has it, without rounding, for a column of that group. Moments without zone are in UTC."""
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case str():
            return f"'{value.translate(_ESCAPED)}'"
        case int() | Decimal():
            return _number(Decimal(value), group)
        case float():
            return repr(value)
        case datetime():
            aware = value if value.tzinfo else value.replace(tzinfo=UTC)
            return f"fromUnixTimestamp64Micro({(aware - _EPOCH) // timedelta(microseconds=1)}, 'UTC')"
    raise TypeError(f"a {type(value).__name__} cannot be bound")


def _number(value: Decimal, group: TypeGroup) -> str:
    is_whole = value == value.to_integral_value()
    if is_whole and abs(value) < _NUMBERS_END:
        return str(int(value))
    if is_whole and group is TypeGroup.INTEGER:
        return f"toInt256('{int(value)}')"
    return f"toDecimal256('{value:f}', {max(0, -int(value.as_tuple().exponent))})"


class _Preparer(ChIdentifierPreparer):
    def __init__(self, dialect: Any, **kwargs: Any) -> None:
        super().__init__(dialect, **kwargs)
        self.quote_identifier = lambda name: self._escape_percents(quoted(name))

    def quote(self, ident: str, force: Any = None) -> str:
        del force
        return self.quote_identifier(ident)


class _Compiler(ChStatementCompiler):
    def visit_in_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Moments and floats by equality: IN cuts moments to the digits of the column, or refuses their type; to it -0.0 is not 0."""
        del operator
        if stored(binary.left).group not in _BY_EQUALITY or not getattr(binary.right, "clauses", None):
            return self._generate_generic_binary(binary, " IN ", **kw)
        left = self.process(binary.left, **kw)
        return "(" + " OR ".join(f"{left} = {self.process(value, **kw)}" for value in binary.right.clauses) + ")"

    def visit_not_in_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """The opposite."""
        return f"(NOT {self.visit_in_op_binary(binary, operator, **kw)})"

    def group_by_clause(self, select: Any, **kw: Any) -> str:
        """By expressions, as SQLAlchemy writes it: the vendor's takes names, which a column inside may have, too."""
        return SQLCompiler.group_by_clause(self, select, **kw)  # type: ignore[no-untyped-call, no-any-return]


class DqmonDialect(ClickHouseDialect):
    """The dialect; its name stays the vendor's, by which constructs are overridden."""

    preparer = _Preparer
    statement_compiler = _Compiler
    supports_statement_cache = False
    # Else a divisor would be cast to NUMERIC, which has ten digits in ClickHouse.
    div_is_floordiv = False

    @classmethod
    def import_dbapi(cls) -> Any:
        """The driver."""
        return dbapi

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Runs it with the settings of the connection's next statement."""
        compiled = getattr(context, "compiled", None)
        groups = {name: stored(bind).group for name, bind in getattr(compiled, "binds", {}).items()}
        values = {name: literal(value, groups.get(name, TypeGroup.OTHER)) for name, value in (parameters or {}).items()}
        settings = {} if context is None else context.root_connection.info.get(STATEMENT, {})
        cursor.execute(statement % values, settings, [column[0] for column in getattr(compiled, "_result_columns", ())])

    def do_execute_no_params(self, cursor: Any, statement: str, context: Any = None) -> None:
        """The same."""
        self.do_execute(cursor, statement, {}, context)

    def do_ping(self, dbapi_connection: Any) -> bool:
        """Whether the server answers."""
        return bool(dbapi_connection.client.ping())


class Cursor(FetchedRows):
    """Over `client.query`; `summary` is what the server says of the statement."""

    def __init__(self, client: Any) -> None:
        super().__init__()
        self._client = client
        self.summary: dict[str, Any] = {}

    def execute(self, statement: str, settings: dict[str, Any], names: Sequence[str] = ()) -> None:
        """Runs one statement that answers with rows; `names` are of the columns of an answer without any."""
        result = self._client.query(statement, settings=settings)
        self.summary = result.summary
        self.take(result.result_rows, result.column_names or names or ("nothing",))


class DqmonConnection(Connection):
    """The driver's connection with that cursor."""

    def cursor(self) -> Any:
        """A new one."""
        return Cursor(self.client)
