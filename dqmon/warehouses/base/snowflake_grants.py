"""The statements that make a Snowflake role which can read what the checks read, and do nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from dqmon.core.table import TableRef
from dqmon.warehouses.base.names import quoted, stored_name
from dqmon.warehouses.base.snowflake_connect import SnowflakeOptions

_KINDS = ("TABLES", "VIEWS", "MATERIALIZED VIEWS", "DYNAMIC TABLES", "EXTERNAL TABLES")
"""Kinds of relations, each granted by itself (https://docs.snowflake.com/en/sql-reference/sql/grant-privilege)."""

_HEAD = """-- Run by an administrator. What is there already stays as it is.
-- The role reads; it may not write, own, monitor or manage anything."""

_FOOT = """-- Not granted: OPERATE, which nothing needs, and what only some need, as ACCOUNTADMIN:
-- what statements cost (dqmon cost)
-- GRANT DATABASE ROLE SNOWFLAKE.USAGE_VIEWER TO ROLE {role};
-- results of data metric functions (docs/snowflake.md)
-- GRANT APPLICATION ROLE SNOWFLAKE.DATA_QUALITY_MONITORING_VIEWER TO ROLE {role};
-- what Snowflake loads itself (docs/ingestion/snowflake.md); Snowflake takes no ALL for pipes, so each by its name
-- GRANT MONITOR ON ALL TASKS IN DATABASE {database} TO ROLE {role};
-- GRANT MONITOR ON FUTURE TASKS IN DATABASE {database} TO ROLE {role};
-- GRANT MONITOR ON ALL DYNAMIC TABLES IN DATABASE {database} TO ROLE {role};
-- GRANT MONITOR ON FUTURE DYNAMIC TABLES IN DATABASE {database} TO ROLE {role};
-- GRANT MONITOR ON PIPE {database}.<schema>.<pipe> TO ROLE {role};
-- the same with account_usage: true, besides USAGE_VIEWER
-- GRANT DATABASE ROLE SNOWFLAKE.OBJECT_VIEWER TO ROLE {role};"""


def script(options: SnowflakeOptions, tables: Iterable[TableRef], schema: str) -> str:
    """For reading `tables`, those without a schema in `schema`; a schema with `*` stands for all of the database."""
    role, warehouse = _name(options.role or "dqmon"), _name(options.warehouse or "dqmon_xs")
    named = {(table.catalog or options.database, table.schema or schema) for table in tables} or {(options.database, schema)}
    whole = {database for database, place in named if "*" in place}
    places = sorted({(database, "*" if database in whole else place) for database, place in named})
    lines = [
        _HEAD,
        f"CREATE ROLE IF NOT EXISTS {role};",
        f"CREATE WAREHOUSE IF NOT EXISTS {warehouse} WAREHOUSE_SIZE = XSMALL AUTO_SUSPEND = 60 AUTO_RESUME = TRUE",
        f"    INITIALLY_SUSPENDED = TRUE STATEMENT_TIMEOUT_IN_SECONDS = {math.ceil(options.statement_timeout)};",
        f"GRANT USAGE ON WAREHOUSE {warehouse} TO ROLE {role};",
        *(f"GRANT USAGE ON DATABASE {_name(database)} TO ROLE {role};" for database in sorted({database for database, _ in places})),
        *(line for database, place in places for line in _reading(_name(database), place, role)),
        f"CREATE USER IF NOT EXISTS {_name(options.user)} TYPE = SERVICE DEFAULT_ROLE = {role} DEFAULT_WAREHOUSE = {warehouse};",
        f"GRANT ROLE {role} TO USER {_name(options.user)};",
        f"ALTER USER {_name(options.user)} SET RSA_PUBLIC_KEY = '<the public key, without its first and last line>';",
        _FOOT.format(role=role, database=_name(options.database)),
    ]
    return "\n".join(lines)


def _reading(database: str, schema: str, role: str) -> Iterator[str]:
    """The grants on one schema, or on all schemas of the database."""
    is_all = "*" in schema
    where = f"DATABASE {database}" if is_all else f"SCHEMA {database}.{_name(schema)}"
    for which in ("ALL", "FUTURE") if is_all else ():
        yield f"GRANT USAGE ON {which} SCHEMAS IN {where} TO ROLE {role};"
    if not is_all:
        yield f"GRANT USAGE ON {where} TO ROLE {role};"
    for kind in _KINDS:
        yield f"GRANT SELECT ON ALL {kind} IN {where} TO ROLE {role};"
        yield f"GRANT SELECT ON FUTURE {kind} IN {where} TO ROLE {role};"


def _name(written: str) -> str:
    return quoted(stored_name(written))
