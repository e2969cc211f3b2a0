"""How a ClickHouse server is signed in to, and what holds for all statements of a session."""

from __future__ import annotations

import logging
from typing import Any

from pydantic import Field, SecretStr

from dqmon.core.options import ProjectPath, WarehouseOptions
from dqmon.errors import ConnectFailed

REQUIRED = {
    # Of no rows, the standard's NULL instead of 0.
    "aggregate_functions_null_for_empty": "1",
    # Of a row without a partner, the standard's NULL instead of 0 or ''.
    "join_use_nulls": "1",
    "cast_keep_nullable": "1",
    # Moments without zone are written in UTC, whatever the server's zone is.
    "session_timezone": "UTC",
}
"""Without these statements would mean something else."""

WANTED = {
    # Columns come before names that a statement gives.
    "prefer_column_name_to_alias": "1",
    "transform_null_in": "0",
    # A role's settings may ask for parts of an answer when a limit is passed, without a word.
    **dict.fromkeys(
        (f"{what}_overflow_mode" for what in ("timeout", "read", "result", "group_by", "sort", "distinct", "set", "join", "transfer")),
        "throw",
    ),
    "skip_unavailable_shards": "0",
    # Changes that are not yet in the table's parts, by which it is told that nothing changed.
    "apply_mutations_on_fly": "0",
    "output_format_decimal_trailing_zeros": "0",
    # The third net, after the server's limit and KILL QUERY: who hangs up ends the statement.
    "cancel_http_readonly_queries_on_client_close": "1",
    # Long lists of values: https://clickhouse.com/docs/operations/settings/settings#max_query_size
    "max_query_size": "16777216",
    "max_ast_elements": "1000000",
    "max_expanded_ast_elements": "2000000",
}
"""What a server that knows them is asked for."""


class ClickhouseOptions(WarehouseOptions):
    """Sign-in, over ClickHouse's HTTP interface.

    host: the server, as in `abc.eu-west-1.aws.clickhouse.cloud`. port: 8443, or 8123 without `secure`. user, password: the role's.
    access_token: of ClickHouse Cloud, instead of a password. secure: false for plain HTTP, which shows the password to the network.
    ca_file: a CA that the machine does not know. sees_all_rows: write false when a row policy hides rows from the user, so that the
    catalogue's counts are not taken for its, and no table for unchanged.
    """

    host: str = Field(min_length=1)
    port: int | None = Field(default=None, ge=1, le=65_535)
    user: str = "default"
    password: SecretStr | None = None
    access_token: SecretStr | None = None
    secure: bool = True
    ca_file: ProjectPath | None = None
    sees_all_rows: bool = True

    @property
    def where(self) -> str:
        """Host and port, for messages."""
        return f"{self.host}:{self.port or (8443 if self.secure else 8123)}"


def opened(options: ClickhouseOptions, database: str) -> Any:
    """A DB-API connection whose settings are made sure of. Raises ConnectFailed, and the driver's errors."""
    try:
        from dqmon.warehouses.base.clickhouse_dialect import DqmonConnection
    except ImportError as e:
        raise missing_package() from e

    # It warns on stderr of what is raised, too.
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
    secret = options.password.get_secret_value() if options.password else ""
    token = {"access_token": options.access_token.get_secret_value()} if options.access_token else {}
    connection = DqmonConnection(
        host=options.host,
        port=options.port,
        interface="https" if options.secure else "http",
        username="" if token else options.user,
        password=secret,
        ca_cert=options.ca_file,
        connect_timeout=int(options.connect_timeout),
        send_receive_timeout=int(options.connect_timeout),
        query_retries=0,
        # A session of the server's takes one statement at a time, so that a cancel would be refused.
        autogenerate_session_id=False,
        # Zoned columns as aware moments, the others without zone, in the session's.
        tz_mode="schema",
        client_name="dqmon",
        **token,
    )
    connection.client.database = database
    _settle(connection.client)
    return connection


def missing_package() -> ConnectFailed:
    """What to install."""
    return ConnectFailed("ClickHouse needs the extra `clickhouse`: pip install 'dqmon[clickhouse]'")


def _settle(client: Any) -> None:
    """Sets what holds for all statements, read-only among it. Raises ConnectFailed when the user may not set what is required."""
    known = client.server_settings
    if getattr(known.get("readonly"), "value", "0") == "1":
        raise ConnectFailed("the user has readonly = 1, with which nothing can be set, not even a limit; give it readonly = 2")
    for name, value in (REQUIRED | WANTED).items():
        found = known.get(name)
        can_set = found is not None and not (found.readonly and found.value != value)
        if can_set:
            client.set_client_setting(name, value)
        elif name in REQUIRED:
            reason = "the server does not know it; ClickHouse 23.6 is the first that dqmon reads" if found is None else "the user may not"
            raise ConnectFailed(f"the setting {name} = {value} cannot be made: {reason}")
    if not known["readonly"].readonly and known["readonly"].value == "0":
        client.set_client_setting("readonly", "1")
