"""S3-compatible storage: declared once, opened for Arrow, DuckDB, Delta and Iceberg, its errors in words."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import cached_property
from typing import Any, TypeVar

from pydantic import SecretStr, model_validator

from dqmon.core.options import Options
from dqmon.errors import ConnectFailed, PermissionDenied, QueryFailed, TableMissing, WarehouseError
from dqmon.warehouses.base.session import one_line

Found = TypeVar("Found")

SCHEMES = ("s3",)
"""Of URLs that `ObjectStore` reads."""


class S3Options(Options):
    """endpoint: URL of a server other than Amazon's; a plain http one needs `allow_http: true`. region: of the buckets.
    access_key_id, secret_access_key, session_token: else what the environment has (https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html).
    """

    endpoint: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
    allow_http: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> S3Options:
        if self.endpoint is not None and not re.match(r"https?://[^/@]+/?$", self.endpoint):
            raise ValueError("endpoint must be http(s)://host[:port], without user and path")
        if self.endpoint is not None and self.endpoint.startswith("http:") and not self.allow_http:
            raise ValueError("the endpoint is not encrypted; write allow_http: true if that is meant")
        if (self.access_key_id is None) is not (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key belong together")
        return self


class ObjectStore:
    """The object store of one warehouse, opened on first use; safe to share between threads.

    connect_s, request_s: seconds to reach it, and to wait for the next bytes. No request is tried more than twice.
    """

    def __init__(self, options: S3Options, connect_s: float, request_s: float) -> None:
        self._options = options
        self._connect_s, self._request_s = connect_s, request_s
        self._secret = options.secret_access_key.get_secret_value() if options.secret_access_key else None
        self._token = options.session_token.get_secret_value() if options.session_token else None

    @cached_property
    def arrow(self) -> Any:
        """As Arrow's file system. Raises ConnectFailed without the extra `lake`."""
        fs = lake_package("pyarrow.fs")
        settings = {
            "endpoint_override": self._options.endpoint,
            "region": self._options.region,
            "access_key": self._options.access_key_id,
            "secret_key": self._secret,
            "session_token": self._token,
        }
        return fs.S3FileSystem(
            connect_timeout=self._connect_s,
            request_timeout=self._request_s,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=2),
            **{key: value for key, value in settings.items() if value is not None},
        )

    @cached_property
    def sealed(self) -> Any:
        """The same as fsspec has it, for DuckDB. Raises ConnectFailed without the extra `lake`."""
        return lake_package("dqmon.warehouses.base.sealed_store").SealedStore(self.arrow)

    @property
    def delta(self) -> dict[str, str]:
        """As deltalake's storage options (https://docs.rs/object_store/latest/object_store/aws/enum.AmazonS3ConfigKey.html)."""
        settings = {
            "aws_endpoint_url": self._options.endpoint,
            "aws_region": self._options.region,
            "aws_access_key_id": self._options.access_key_id,
            "aws_secret_access_key": self._secret,
            "aws_session_token": self._token,
            "aws_allow_http": "true" if self._options.allow_http else None,
            "connect_timeout": f"{self._connect_s:g}s",
            "timeout": f"{self._request_s:g}s",
            "max_retries": "1",
            "retry_timeout": f"{self._request_s:g}s",
        }
        return {key: value for key, value in settings.items() if value is not None}

    @property
    def iceberg(self) -> dict[str, str]:
        """As pyiceberg's properties (https://py.iceberg.apache.org/configuration/#s3)."""
        settings = {
            "s3.endpoint": self._options.endpoint,
            "s3.region": self._options.region,
            "s3.access-key-id": self._options.access_key_id,
            "s3.secret-access-key": self._secret,
            "s3.session-token": self._token,
            "s3.connect-timeout": f"{self._connect_s:g}",
            "s3.request-timeout": f"{self._request_s:g}",
        }
        return {key: value for key, value in settings.items() if value is not None}

    def lacks_bucket(self, bucket: str) -> bool:
        """True when the store answers that there is no such bucket."""
        info = self.arrow.get_file_info(bucket)
        return bool(info.type == type(info.type).NotFound)


_NO_KEYS = re.compile(
    r"INVALID_ACCESS_KEY_ID|INVALID_CLIENT_TOKEN|SIGNATURE_DOES_NOT_MATCH|UNRECOGNIZED_CLIENT|EXPIRED_TOKEN|InvalidAccessKeyId|"
    r"SignatureDoesNotMatch|ExpiredToken|169\.254\.169\.254|NoCredentials|locate credentials|(no|invalid|missing|expired) credentials",
    re.IGNORECASE,
)
_FORBIDDEN = re.compile(r"ACCESS_DENIED|AccessDenied|403 Forbidden|HTTP status 403|Permission denied", re.IGNORECASE)
_COLOURS = re.compile(r"\x1b\[[\d;]*m|↳")
"""With which deltalake paints its errors."""
_UNREACHABLE = re.compile(r"NETWORK_CONNECTION|curlCode|error sending request|REQUEST_TIMEOUT|timed out|connection refused", re.IGNORECASE)


def store_error(error: BaseException, url: str, store: ObjectStore) -> WarehouseError:
    """What a library's error about the table at `url` (a path too) means: whose fault it is, and what to do."""
    if isinstance(error, WarehouseError):
        return error
    words, full = " ".join(_COLOURS.sub("", one_line(error)).split()), str(error).replace(url, "")
    if _NO_KEYS.search(full):
        return ConnectFailed(f"no credentials for {url}, or refused ones; set them under `s3:` or `catalogs:`: {words}")
    if _UNREACHABLE.search(full):
        return ConnectFailed(f"the store or catalog of {url} cannot be reached; look at `s3:` and `catalogs:`: {words}")
    if _FORBIDDEN.search(full):
        return PermissionDenied(f"{url} may not be read: {words}")
    bucket = url.partition("://")[2].partition("/")[0]
    if bucket and _lacks(store, bucket):
        return TableMissing(f"there is no bucket {bucket!r}; correct the URL {url}")
    if isinstance(error, FileNotFoundError) or re.search(r"does not exist|not found|no such file|no files", full, re.IGNORECASE):
        return TableMissing(f"there is nothing to read at {url}: {words}")
    return QueryFailed(f"{url} cannot be read: {words}")


def _lacks(store: ObjectStore, bucket: str) -> bool:
    try:
        return store.lacks_bucket(bucket)
    except OSError:
        return False


def within(limit_s: float, read: Callable[[], Found]) -> Found:
    """What `read` returns or raises. Raises ConnectFailed when it takes longer, and leaves it behind in its thread: pyiceberg's
    requests to catalogs have no limit of their own.
    """
    answer: Future[Found] = Future()

    def run() -> None:
        try:
            answer.set_result(read())
        except BaseException as e:  # noqa: BLE001 - raised again where it is waited for
            answer.set_exception(e)

    threading.Thread(target=run, name="dqmon-lake", daemon=True).start()
    wait((answer,), limit_s)
    if not answer.done():
        raise ConnectFailed(f"there was no answer within {limit_s:g} s")
    return answer.result()


def lake_package(name: str) -> Any:
    """A module of the extra `lake`. Raises ConnectFailed when it is not installed."""
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as e:
        raise ConnectFailed(f"lake tables and object stores need the extra `lake` (no {e.name}): pip install 'dqmon[lake]'") from e
