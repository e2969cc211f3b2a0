"""How Spark's Thrift server is signed in to: options, and the transport that pyhive's client speaks over."""

from __future__ import annotations

import ssl
from base64 import b64encode
from http import HTTPStatus
from typing import Any, Literal

from pydantic import Field, SecretStr, model_validator

from dqmon.core.options import ProjectPath, WarehouseOptions
from dqmon.errors import ConnectFailed


class SparkOptions(WarehouseOptions):
    """A Thrift server (`start-thriftserver.sh`, Kyuubi), and how to sign in.

    host, port: 10000 unless the server says otherwise. user: under whose name the statements run. password: of LDAP, or of HTTP's
    basic sign-in. auth: `hive.server2.authentication` of the server, `none` unless it was changed; over HTTP it has no meaning.
    http_path: of a server in HTTP mode, such as `cliservice`. tls: encrypted, the server's certificate verified. ca_file: who
    signed it, if no public authority did.
    """

    host: str = Field(min_length=1)
    port: int = Field(default=10_000, ge=1, le=65_535)
    user: str = Field(default="dqmon", min_length=1)
    password: SecretStr | None = None
    auth: Literal["none", "nosasl", "ldap"] = "none"
    http_path: str | None = None
    tls: bool = False
    ca_file: ProjectPath | None = None

    @model_validator(mode="after")
    def _consistent(self) -> SparkOptions:
        if self.http_path is None and (self.password is not None) != (self.auth == "ldap"):
            raise ValueError("a password goes with auth: ldap, and auth: ldap with a password; or give http_path")
        if self.ca_file is not None and not self.tls:
            raise ValueError("ca_file has a meaning with tls: true only")
        return self


def opened(options: SparkOptions) -> Any:
    """A new session. Raises ConnectFailed when a library of the extra is not installed, else what the client raises."""
    try:
        from dqmon.warehouses.base.spark_client import SparkConnection

        transport, wire = _over_http(options) if options.http_path is not None else _over_socket(options)
    except ImportError as e:
        raise missing() from e
    return SparkConnection(transport, wire, options.user, options.connect_timeout)


def missing() -> ConnectFailed:
    """What to do without the libraries."""
    return ConnectFailed("Spark needs the extra `spark`: pip install 'dqmon[spark]'")


def _context(options: SparkOptions) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=options.ca_file)


def _secret(options: SparkOptions) -> str:
    # A server that asks for no password wants to be given one that is not empty.
    return options.password.get_secret_value() if options.password else "-"


def _over_socket(options: SparkOptions) -> tuple[Any, Any]:
    """A transport that is not open yet, and what its time-out is set on."""
    from thrift.transport import TSocket, TSSLSocket, TTransport  # type: ignore[import-untyped]  # it ships no types

    wire = (
        TSSLSocket.TSSLSocket(options.host, options.port, ssl_context=_context(options), server_hostname=options.host)
        if options.tls
        else TSocket.TSocket(options.host, options.port)
    )
    if options.auth == "nosasl":
        return TTransport.TBufferedTransport(wire), wire
    from pyhive.hive import get_pure_sasl_client  # type: ignore[import-untyped]  # as above
    from thrift_sasl import TSaslClientTransport  # type: ignore[import-untyped]  # as above

    def client() -> Any:
        return get_pure_sasl_client(options.host, "PLAIN", username=options.user, password=_secret(options))

    return TSaslClientTransport(client, "PLAIN", wire), wire


def _over_http(options: SparkOptions) -> tuple[Any, Any]:
    from thrift.transport import THttpClient, TTransport

    class Http(THttpClient.THttpClient):  # type: ignore[misc]  # its base has no types
        def flush(self) -> None:
            super().flush()
            if self.code != HTTPStatus.OK:
                raise TTransport.TTransportException(message=f"the server answers {self.code} {self.message}")

    scheme, path = ("https" if options.tls else "http"), (options.http_path or "").lstrip("/")
    wire = Http(f"{scheme}://{options.host}:{options.port}/{path}", ssl_context=_context(options) if options.tls else None)
    signed = b64encode(f"{options.user}:{_secret(options)}".encode()).decode()
    wire.setCustomHeaders({"Authorization": f"Basic {signed}"})
    return wire, wire
