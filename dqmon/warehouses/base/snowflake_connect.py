"""How Snowflake is signed in to, and what holds for all statements of a session."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field, SecretStr, model_validator

from dqmon.core.options import ProjectPath, WarehouseOptions
from dqmon.warehouses.base.labelled_session import label_text
from dqmon.warehouses.base.names import stored_name

DROP_AFTER_S = 2
"""Seconds past the limit after which the client waits no longer."""

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_WAYS = ("private_key_file", "private_key", "token", "password")


class SnowflakeOptions(WarehouseOptions):
    """Sign-in: one of private_key_file, private_key, token and password.

    account: as in `ACME-EU1`. user: of TYPE=SERVICE. private_key_file, private_key: a PKCS 8 key in PEM, the latter as text from
    the environment. private_key_passphrase: of an encrypted one. token: of OAuth. password: Snowflake is about to refuse it
    (https://docs.snowflake.com/en/user-guide/security-mfa-rollout). role: without it the user's default; with it no secondary role
    is used. warehouse: the virtual warehouse that runs the statements. database: the one whose tables are named without one.
    host, port, protocol: of a private link; http for a stand-in on this machine only. sees_all_rows: write false when a row access
    policy hides rows from the role, so that the catalogue's counts are not taken for its. load_history: write true where COPY and
    Snowpipe alone fill the tables, so that `freshness: {column: metadata}` may ask when they were loaded; INSERT is not in that
    history. credits_per_hour: by the size of the warehouse, 1 X-Small, 2 Small, 4 Medium, 8 Large, doubled by each further one
    (https://docs.snowflake.com/en/user-guide/warehouses-overview).
    """

    account: str = Field(min_length=1)
    user: str = Field(min_length=1)
    private_key_file: ProjectPath | None = None
    private_key: SecretStr | None = None
    private_key_passphrase: SecretStr | None = None
    token: SecretStr | None = None
    password: SecretStr | None = None
    role: str | None = None
    warehouse: str | None = None
    database: str = Field(min_length=1)
    host: str | None = None
    port: int | None = Field(default=None, ge=1, le=65_535)
    protocol: Literal["https", "http"] = "https"
    sees_all_rows: bool = True
    load_history: bool = False
    credits_per_hour: float | None = Field(default=1, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _consistent(self) -> SnowflakeOptions:
        given = [way for way in _WAYS if getattr(self, way) is not None]
        if len(given) != 1:
            found = f"there are {' and '.join(given)}" if given else "there is none"
            raise ValueError(f"give one of {', '.join(_WAYS)}; {found}")
        if self.protocol == "http" and self.host not in _LOOPBACK:
            raise ValueError("protocol: http sends the secret unprotected; it is for a stand-in with host: 127.0.0.1")
        return self


def arguments(name: str, options: SnowflakeOptions, schema: str) -> dict[str, Any]:
    """What the connector is called with for the warehouse `name`; it holds secrets."""
    limit = max(1, math.ceil(options.statement_timeout))
    given = {
        "account": options.account,
        "user": options.user,
        "role": options.role,
        "secondary_roles": options.role and "NONE",
        "warehouse": options.warehouse,
        "database": stored_name(options.database),
        "schema": stored_name(schema),
        "host": options.host,
        "port": options.port,
        "protocol": options.protocol,
        **_secrets(options),
    }
    return {key: value for key, value in given.items() if value is not None} | {
        "application": "dqmon",
        "autocommit": False,
        "client_session_keep_alive": False,
        # Sessions end when they are closed; the connector's default waits for statements that nobody waits for.
        "enable_server_session_keep_alive_auto_detection": False,
        "login_timeout": options.connect_timeout,
        "query_timeout": limit + DROP_AFTER_S,
        "session_parameters": {
            "QUERY_TAG": label_text({"warehouse": name}),
            "STATEMENT_TIMEOUT_IN_SECONDS": limit,
            "TIMEZONE": "UTC",
            "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
            "CLIENT_TELEMETRY_ENABLED": False,
        },
    }


def _secrets(options: SnowflakeOptions) -> dict[str, Any]:
    """The connector's arguments of the one way to sign in."""
    passphrase = options.private_key_passphrase and options.private_key_passphrase.get_secret_value()
    if options.token is not None:
        return {"authenticator": "OAUTH", "token": options.token.get_secret_value()}
    if options.password is not None:
        return {"password": options.password.get_secret_value()}
    key = options.private_key and options.private_key.get_secret_value()
    given = {"private_key_file": options.private_key_file, "private_key": key, "private_key_password": passphrase}
    return {"authenticator": "SNOWFLAKE_JWT"} | given
