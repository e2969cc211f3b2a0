"""How Databricks is signed in to, and what holds for all statements of a session."""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Callable
from time import monotonic
from typing import Any

from pydantic import Field, SecretStr, model_validator

from dqmon.core.options import WarehouseOptions
from dqmon.errors import ConnectFailed
from dqmon.net import NetError, Outgoing

_EARLY_S = 120
"""Seconds before its end after which a token is used no more; they live for an hour."""


class DatabricksOptions(WarehouseOptions):
    """Sign-in: token, or client_id and client_secret.

    host: such as `dbc-1234.cloud.databricks.com`. http_path: of a SQL warehouse, from its connection details. token: a personal one.
    client_id, client_secret: of a service principal, by OAuth. catalog: of Unity Catalog, the one whose tables are named without one.
    sees_all_rows: write false when a row filter hides rows from the role, so that a table's version is no proof of what it sees.
    """

    host: str = Field(min_length=1, pattern=r"^[A-Za-z0-9.-]+$")
    http_path: str = Field(min_length=1)
    token: SecretStr | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    catalog: str = Field(min_length=1)
    sees_all_rows: bool = True

    @model_validator(mode="after")
    def _consistent(self) -> DatabricksOptions:
        if (self.client_id is None) != (self.client_secret is None) or (self.token is None) == (self.client_id is None):
            raise ValueError("give either token, or client_id and client_secret")
        return self


def arguments(name: str, options: DatabricksOptions, schema: str) -> dict[str, Any]:
    """What the connector is called with for the warehouse `name`; it holds secrets.

    https://docs.databricks.com/aws/en/sql/language-manual/sql-ref-parameters has the parameters of a session.
    """
    way: dict[str, Any] = {"access_token": options.token.get_secret_value()} if options.token else {"credentials_provider": Tokens(options)}
    return way | {
        "server_hostname": options.host,
        "http_path": options.http_path,
        "catalog": options.catalog,
        "schema": schema,
        "session_configuration": {
            "ANSI_MODE": "true",
            "TIMEZONE": "UTC",
            "STATEMENT_TIMEOUT": str(max(1, math.ceil(options.statement_timeout))),
        },
        "query_tags": {"app": "dqmon", "warehouse": name},
        "user_agent_entry": "dqmon",
        "use_inline_params": False,
        "enable_telemetry": False,
        "_socket_timeout": options.connect_timeout,
        "_retry_stop_after_attempts_count": 1,
    }


class Tokens:
    """A service principal's tokens, a new one when the last is about to end.

    https://docs.databricks.com/aws/en/dev-tools/auth/oauth-m2m
    """

    def __init__(self, options: DatabricksOptions) -> None:
        secret = options.client_secret.get_secret_value() if options.client_secret else ""
        self._signed = b64encode(f"{options.client_id}:{secret}".encode()).decode()
        self._url = f"https://{options.host}/oidc/v1/token"
        # A private link's address is one that no message may be sent to, but a sign-in may.
        self._outgoing = Outgoing(timeout_s=float(options.connect_timeout), allow_private=True)
        self._token, self._until = "", -math.inf

    def auth_type(self) -> str:
        """The connector's word for the way."""
        return "oauth-m2m"

    def __call__(self) -> Callable[[], dict[str, str]]:
        """What the connector asks for headers before each request."""
        return self.headers

    def headers(self) -> dict[str, str]:
        """Those that sign a request. Raises ConnectFailed."""
        if monotonic() >= self._until:
            self._token, lives_s = self._fresh()
            self._until = monotonic() + lives_s - _EARLY_S
        return {"Authorization": f"Bearer {self._token}"}

    def _fresh(self) -> tuple[str, float]:
        headers = {"Authorization": f"Basic {self._signed}", "Content-Type": "application/x-www-form-urlencoded"}
        try:
            answer = self._outgoing.post(self._url, b"grant_type=client_credentials&scope=all-apis", headers)
        except NetError as e:
            raise ConnectFailed(f"no token for the service principal: {e}") from e
        try:
            said = json.loads(answer.text)
            return str(said["access_token"]), float(said["expires_in"])
        except (ValueError, KeyError, TypeError) as e:
            raise ConnectFailed(
                f"no token for the service principal: the server answers {answer.status}; check client_id and secret"
            ) from e
