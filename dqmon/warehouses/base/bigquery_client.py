"""How BigQuery is signed in to, and what goes along with each of its jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from dqmon.core.options import ProjectPath, WarehouseOptions
from dqmon.errors import ConnectFailed

_LOOPBACK = ("http://127.0.0.1:", "http://localhost:")
_SCOPES = ("https://www.googleapis.com/auth/bigquery",)
_NO_LABEL = re.compile(r"[^a-z0-9_-]")


class BigqueryOptions(WarehouseOptions):
    """Sign-in: a service account's key in `credentials_file`, else the application default credentials of the machine.

    project: whose tables are read, and that pays. schema: the dataset of tables that are written without one. location: where the
    datasets are, as in EU or europe-west1. maximum_bytes_billed: a statement that would bill more fails and costs nothing.
    price_per_tib: what a TiB that is read costs; write it as it is in your region, or 0 with reserved slots
    (https://cloud.google.com/bigquery/pricing). api_endpoint: of a private link; http for a stand-in on this machine only.
    """

    project: str = Field(min_length=1)
    default_schema: str | None = Field(alias="schema", min_length=1)
    credentials_file: ProjectPath | None = None
    location: str = Field(default="US", min_length=1)
    maximum_bytes_billed: int | None = Field(default=None, ge=10_485_760)
    price_per_tib: float | None = Field(default=6.25, ge=0, allow_inf_nan=False)
    api_endpoint: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> BigqueryOptions:
        if self.api_endpoint is not None and not self.api_endpoint.startswith(("https://", *_LOOPBACK)):
            raise ValueError("api_endpoint: sends a token unprotected; http is for a stand-in at http://127.0.0.1:")
        return self

    @property
    def is_stand_in(self) -> bool:
        """Whether it is no service of Google's, which is signed in to without credentials."""
        return self.api_endpoint is not None and self.api_endpoint.startswith(_LOOPBACK)


def opened(options: BigqueryOptions) -> Any:
    """A DB-API connection; connects to nothing yet. Raises ConnectFailed, and the errors of Google's sign-in."""
    try:
        from google.cloud import bigquery

        from dqmon.warehouses.base.bigquery_dialect import DqmonConnection
    except ImportError as e:
        raise missing_package() from e

    where = None if options.api_endpoint is None else {"api_endpoint": options.api_endpoint}
    client = bigquery.Client(project=options.project, credentials=_credentials(options), location=options.location, client_options=where)
    return DqmonConnection(client)


def _credentials(options: BigqueryOptions) -> Any:
    """None for those of the machine, which the client finds."""
    from google.auth.credentials import AnonymousCredentials
    from google.oauth2.service_account import Credentials

    if options.is_stand_in:
        return AnonymousCredentials()  # type: ignore[no-untyped-call]  # Google's has no types
    if options.credentials_file is None:
        return None
    try:
        return Credentials.from_service_account_file(options.credentials_file, scopes=_SCOPES)  # type: ignore[no-untyped-call]  # as above
    except (OSError, ValueError) as e:
        raise ConnectFailed(f"credentials_file {options.credentials_file} is no key of a service account: {e}") from e


def missing_package() -> ConnectFailed:
    """What to install."""
    return ConnectFailed("BigQuery needs the extra `bigquery`: pip install 'dqmon[bigquery]'")


def job_labels(words: Mapping[str, str]) -> dict[str, str]:
    """Labels of a job, by which its history and the bill tell dqmon's: small letters, digits, `_` and `-`, at most 63 of them.

    https://cloud.google.com/bigquery/docs/labels-intro#requirements
    """
    return {"app": "dqmon"} | {key: _NO_LABEL.sub("_", word.lower())[:63] for key, word in words.items()}
