"""What the SQL of users may not hold, on any engine: statements, files and functions that may do more than read rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

_FUNCTION = re.compile(
    # PostgreSQL: server files, other sessions, settings, sleeping, locks; large objects; other servers; sequences; SQL in a text.
    r"pg_.*|lo_.*|lo|dblink.*|nextval|setval|lastval|currval|set_config|txid_.*|.*_to_xml.*|ts_stat|crosstab.*|xpath_table|binary_upgrade_.*|"
    # DuckDB: files, its own state, SQL in a text, environment, secrets.
    r"read_.*|.*_scan|scan_.*|sniff_.*|glob|parquet_.*|duckdb_.*|pragma_.*|query|dqmon_dataset|query_table|json_execute.*|getenv|which_secret|"
    r"getvariable|http_.*|iceberg_.*|delta_.*|st_read.*|shellfs.*|write_.*|checkpoint|force_checkpoint|"
    # SQLite: code, files.
    r"load_extension|readfile|writefile|edit|fts3_tokenizer|zipfile|lsdir|fsdir|eval|sqlite_.*|"
    # Others: sleeping, locks, files.
    r"sleep.*|benchmark|exec|execute|get_lock|release_.*lock.*|load_file|load_data|sys_.*|xp_.*|openrowset|opendatasource|system\$.*|"
    # MySQL: waiting for other servers, the session's own state, plug-ins that act.
    r"master_.*_wait|source_pos_wait|wait_.*|last_insert_id|keyring_.*|audit_.*|group_replication_.*|asynchronous_connection_.*|"
    # SQL Server: other servers, files. Oracle: packages that act, other servers.
    r"openquery|openxml|fn_.*_file.*|fn_trace_.*|dbms_.*|utl_.*|.*uritype|"
    # ClickHouse: waiting, server files, counters, the server's own state. BigQuery: other services.
    r"sleepeachrow|file|generateserialid|addressto.*|getsetting.*|getserver.*|getmacro|showcertificate|external_query|"
    # Spark and Databricks: code of Java's, secrets, other servers, models.
    r"reflect|try_reflect|java_method|secret|try_secret|list_secrets|http_request|remote_query|ai_.*|vector_search",
    re.IGNORECASE,
)

_PACKAGE = re.compile(r"dbms_.*|utl_.*|owa_.*|htp|htf", re.IGNORECASE)
"""Oracle's packages, which reach other servers, files and SQL in a text."""

_PATH = re.compile(r"[/\\:*?.$]")
"""What a table's name in a filter may not hold: DuckDB takes `'x.csv'` for the file."""


def forbidden(node: exp.Expr) -> str | None:
    """What about a part is not harmless, for people; None when it is."""
    from sqlglot import exp

    acts = (exp.DML, exp.DDL, exp.Command, exp.Set, exp.SetItem, exp.Into, exp.Lock, exp.Pragma, exp.Attach, exp.Copy, exp.Use, exp.Kill)
    if isinstance(node, acts) and not isinstance(node, exp.Query):
        return f"a {node.key} statement"
    if isinstance(node, exp.QueryTransform):
        return "TRANSFORM … USING, which runs a program on Spark's machines"
    if isinstance(node, exp.Query) and (node.args.get("settings") or node.args.get("format")):
        return "SETTINGS or FORMAT"  # ClickHouse: limits and read-only mode are settings
    if isinstance(node, exp.Column) and node.table and node.name.lower() == "nextval":
        return f"the next value of a sequence ({node.sql()})"
    if isinstance(node, exp.Placeholder | exp.Parameter | exp.SessionParameter):
        return f"a parameter ({node.sql()})"
    if isinstance(node, exp.Table) and not _is_plain(node):
        return "a file or function in place of a table"
    if isinstance(node, exp.Identifier) and _PACKAGE.fullmatch(node.name):
        return f"the package {node.name.lower()}"  # its functions may be called without brackets
    return _acting(node) if isinstance(node, exp.Func) and not isinstance(node, exp.Glob) else None


def _acting(node: exp.Func) -> str | None:
    """Which function it is, if it is one of those that act."""
    from sqlglot import exp

    names = [node.name] if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc) else [node.key, *type(node).sql_names()]
    found = next((name for name in names if _FUNCTION.fullmatch(name.strip('"'))), None)
    return found and f"the function {found.lower()}"


def _is_plain(table: exp.Table) -> bool:
    """True for a table by its name. `from file('x')` is read as one whose columns are given other names, without an alias."""
    from sqlglot import exp

    alias = table.args.get("alias")
    is_call = alias is not None and alias.this is None
    return isinstance(table.this, exp.Identifier | exp.GenerateSeries) and not is_call and not _PATH.search(table.name)
