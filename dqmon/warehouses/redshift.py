"""Amazon Redshift by psycopg 3: read-only transactions, limits on the server, a query group for its workload management."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import sqlalchemy as sa
from pydantic import Field, SecretStr

from dqmon.core.capabilities import Capabilities, Said
from dqmon.core.facts import TableFacts
from dqmon.core.options import ProjectPath, WarehouseOptions
from dqmon.core.table import Column, TableRef
from dqmon.errors import ColumnMissing, ConnectFailed, PermissionDenied, QueryTimeout, TableMissing, WarehouseError
from dqmon.warehouses.base import Deadline, SqlSession, SqlWarehouse
from dqmon.warehouses.base.deadline import CANCEL_AFTER_S, DROP_AFTER_S, shut
from dqmon.warehouses.base.index_facts import not_null
from dqmon.warehouses.base.names import quoted
from dqmon.warehouses.base.redshift_catalogue import COLUMNS, POWERS, TABLES, column
from dqmon.warehouses.base.session import one_line, refused

_LIMIT = sa.text("select set_config('statement_timeout', :limit, true), set_config('query_group', 'dqmon', true)")
"""For this transaction alone (https://docs.aws.amazon.com/redshift/latest/dg/r_SET_CONFIG.html)."""


class RedshiftOptions(WarehouseOptions):
    """host, port: of the cluster or workgroup. user, password: of a database user; take the password from the environment.

    tls: encrypted, the server's certificate verified. ca_file: who signed it, if not a public authority, as Amazon's is.
    """

    host: str = Field(min_length=1)
    port: int = Field(default=5_439, ge=1, le=65_535)
    database: str = Field(min_length=1)
    user: str = Field(min_length=1)
    password: SecretStr
    tls: bool = True
    ca_file: ProjectPath | None = None


class RedshiftSession(SqlSession):
    """One connection of the pool."""

    tables_sql = TABLES
    columns_sql = COLUMNS
    clock_sql = "select sysdate"

    def column(self, position: int, row: Sequence[Any]) -> Column:
        """As the catalogue has it."""
        return column(position, row)

    def fold(self, name: str) -> str:
        """Redshift reads names in small letters, in quotes too, unless it is set up otherwise."""
        return name.lower()

    def facts(self, table: TableRef) -> TableFacts:
        """NOT NULL of local tables, the one constraint that is kept."""
        return TableFacts(columns=not_null(column.name for column in self.columns(table) if not column.nullable))

    def unchanged_proof(self, table: TableRef) -> str | None:
        """None: the catalogue has no number or time that moves with every change of rows."""
        del table
        return None

    def powers(self) -> tuple[str, ...]:
        """Rights on tables beyond reading, the role's own and everybody's, and whether it is a superuser."""
        return tuple(sorted(str(power) for (power,) in self._rows(sa.text(POWERS), {}, self.timeout_s)))

    def advice(self) -> tuple[str, ...]:
        """Where its statements run."""
        return ("give the query group `dqmon` a queue of its own in the workload management, so that checks wait for no load",)

    def prepare(self, timeout_s: float) -> None:
        """The server's own limit, and the query group (https://docs.aws.amazon.com/redshift/latest/dg/r_statement_timeout.html)."""
        self.connection.execute(_LIMIT, {"limit": str(max(1, round(timeout_s * 1_000)))})

    def deadline(self, timeout_s: float) -> Deadline:
        """Second and third net: a cancel by the client, then the socket shut."""
        return Deadline((timeout_s + CANCEL_AFTER_S, self._cancel), (timeout_s + DROP_AFTER_S, self._shut))

    def _cancel(self) -> None:
        # Not its safe way, which needs a newer protocol than Redshift's.
        self.driver.cancel()

    def _shut(self) -> None:
        shut(self.driver.fileno())

    def translate(self, error: Exception, timeout_s: float) -> WarehouseError:
        """By SQLSTATE, which are those of PostgreSQL 8."""
        state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
        if getattr(error, "connection_invalidated", False):
            return ConnectFailed(f"the connection broke: {one_line(error)}")
        match state:
            case "57014":
                return QueryTimeout(f"the statement passed its limit of {timeout_s:g} s and was cancelled on the server")
            case "42501" | "25006":
                return PermissionDenied(f"{one_line(error)}; see `dqmon grants`")
            case "42P01" | "3F000":
                return TableMissing(one_line(error))
            case "42703":
                return ColumnMissing(one_line(error))
            case _ if state[:2] in ("08", "28", "53", "57") or (not state and isinstance(error, sa.exc.OperationalError)):
                return ConnectFailed(one_line(error))
            case _:
                return refused(error)


class Redshift(SqlWarehouse):
    """A database of a Redshift cluster or workgroup.

    Transactions are read-only (https://docs.aws.amazon.com/redshift/latest/dg/r_BEGIN.html), a statement is one statement to the
    server, and values stand in it as literals, since Redshift wants patterns to be constant. All statements are in the query group
    `dqmon`, and limited by statement_timeout.

    SVV_COLUMNS is asked once for all tables of a schema. NOT NULL is taken as kept; primary, unique and foreign keys are not, since
    Redshift enforces none of them, nor is TBL_ROWS, which counts deleted rows until they are vacuumed. Quantiles are exact, by
    numbering the rows, since a statement of Redshift's has percentiles of one column only. Regular expressions are Perl's. Names are
    found in any case of letters. Comparing rows of floats with another engine finds differences where there are none: Redshift
    writes doubles with digits of its own.
    """

    type: ClassVar[str] = "redshift"
    Options = RedshiftOptions
    standard_schema = "public"
    was_run = "Compiled, not run."
    example: ClassVar[Mapping[str, object]] = {
        "host": "examplecluster.abc123.eu-west-1.redshift.amazonaws.com",
        "database": "shop",
        "user": "dqmon",
        "password": "${REDSHIFT_PASSWORD}",
    }
    # 1,600 columns and 16 MB of text: https://docs.aws.amazon.com/redshift/latest/dg/c_redshift-sql.html
    capabilities = Capabilities(
        max_expressions=500,
        max_parameters=10_000,
        has_quantiles=False,
        is_columnar=True,
        grammar="redshift",
        row_count=Said(is_exact=False, because="TBL_ROWS counts rows that are deleted and not vacuumed yet"),
        last_change=Said(is_exact=False, because="the catalogue has no time of the last change of rows"),
    )

    def create_engine(self) -> sa.Engine:
        """A pool of at most `max_connections`, each tested before use."""
        sa.dialects.registry.register("redshift.psycopg", "dqmon.warehouses.base.redshift_dialect", "Dialect")
        try:
            return sa.create_engine("redshift+psycopg://", creator=self._opened, **self.pool())
        except ImportError as e:
            raise ConnectFailed("Redshift needs the extra `redshift`: pip install 'dqmon[redshift]'") from e

    def _opened(self) -> Any:
        import psycopg

        options = self.options
        verified = {"sslmode": "verify-full", "sslrootcert": options.ca_file or "system"} if options.tls else {"sslmode": "disable"}
        connection = psycopg.connect(
            host=options.host,
            port=options.port,
            dbname=options.database,
            user=options.user,
            password=options.password.get_secret_value(),
            connect_timeout=options.connect_timeout,
            application_name="dqmon",
            # What Redshift calls it is a name that psycopg does not know.
            client_encoding="utf8",
            cursor_factory=_one_statement_cursor(),
            # No prepared statements: the values are in the text.
            prepare_threshold=None,
            **verified,
        )
        connection.execute("set timezone to 'UTC'")
        connection.commit()
        connection.read_only = True
        return connection

    def session(self, connection: sa.Connection) -> RedshiftSession:
        """The session of one connection."""
        return RedshiftSession(connection, self)

    def grants(self, tables: Iterable[TableRef]) -> str:
        """The statements that make the user that reads them; a pattern stands for all tables of its schema, now and later."""
        user = quoted(self.options.user)
        named = sorted({(table.schema or self.default_schema or "", table.name) for table in tables})
        whole = {schema for schema, name in named if "*" in name}
        lines = [
            "-- Run by a superuser or the owner of the tables. The user reads; it owns nothing, and is in no group.",
            f"CREATE USER {user} PASSWORD '<the password>' CONNECTION LIMIT {self.max_connections};",
        ]
        for schema in dict.fromkeys(schema for schema, _ in named):
            lines.append(f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {user};")
            if schema in whole:
                lines.append(f"GRANT SELECT ON ALL TABLES IN SCHEMA {quoted(schema)} TO {user};")
                lines.append(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {quoted(schema)} GRANT SELECT ON TABLES TO {user};")
        lines += [f"GRANT SELECT ON {quoted(schema)}.{quoted(name)} TO {user};" for schema, name in named if schema not in whole]
        return "\n".join(lines)

    def connect_error(self, error: Exception) -> WarehouseError:
        """The server's words."""
        where = f"{self.options.host}:{self.options.port}/{self.options.database}"
        return ConnectFailed(f"{self.name}: no connection to {where}: {one_line(error)}")


def _one_statement_cursor() -> type[Any]:
    """A cursor that writes values into the statement, and sends it in a way in which the server takes one statement only."""
    from psycopg import ClientCursor

    class OneStatementCursor(ClientCursor[Any]):
        def _execute_send(self, query: Any, *, force_extended: bool = False, binary: bool | None = None) -> None:
            del force_extended
            super()._execute_send(query, force_extended=True, binary=binary)

    return OneStatementCursor
