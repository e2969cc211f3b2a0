"""How Trino is signed in to: options, and what its client is called with."""

from __future__ import annotations

from typing import Any

from pydantic import Field, SecretStr, model_validator

from dqmon.core.options import ProjectPath, WarehouseOptions

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class TrinoOptions(WarehouseOptions):
    """Sign-in: password, token, a certificate, or none of them.

    host, port: of the coordinator. user: under whose name the statements run. catalog: the one whose tables are named without one.
    password: of LDAP or a password file. token: a JWT. client_certificate, client_key: PEM files. role: of the catalog's own roles.
    tls: encrypted, the coordinator's certificate verified; without it no secret is sent but to this machine. ca_file: who signed it,
    if no public authority did.
    """

    host: str = Field(min_length=1)
    port: int = Field(default=443, ge=1, le=65_535)
    user: str = Field(default="dqmon", min_length=1)
    catalog: str = Field(min_length=1)
    password: SecretStr | None = None
    token: SecretStr | None = None
    client_certificate: ProjectPath | None = None
    client_key: ProjectPath | None = None
    role: str | None = None
    tls: bool = True
    ca_file: ProjectPath | None = None

    @model_validator(mode="after")
    def _consistent(self) -> TrinoOptions:
        given = [way for way in ("password", "token", "client_certificate") if getattr(self, way) is not None]
        if len(given) > 1:
            raise ValueError(f"give one way to sign in; there are {' and '.join(given)}")
        if (self.client_certificate is None) != (self.client_key is None):
            raise ValueError("client_certificate and client_key go together")
        if given and not self.tls and self.host not in _LOOPBACK:
            raise ValueError("tls: false sends the secret unprotected; it is for a server with host: 127.0.0.1")
        return self


def arguments(name: str, options: TrinoOptions, schema: str) -> dict[str, Any]:
    """What `trino_client.TrinoConnection` is called with for the warehouse `name`; it holds secrets."""
    return {
        "host": options.host,
        "port": options.port,
        "http_scheme": "https" if options.tls else "http",
        "verify": (options.ca_file or True) if options.tls else True,
        "auth": _way(options),
        "allow_insecure_auth": not options.tls,
        "user": options.user,
        "roles": options.role and {options.catalog: options.role},
        "catalog": options.catalog,
        "schema": schema,
        "source": "dqmon",
        "client_tags": ["dqmon", f"dqmon_{name}"],
        "timezone": "UTC",
        "max_attempts": 1,
        "request_timeout": float(options.connect_timeout),
        # The client would try out which way the server takes values; every Trino from 418 on takes this one.
        "legacy_prepared_statements": False,
    }


def _way(options: TrinoOptions) -> Any:
    from trino import auth

    if options.password is not None:
        return auth.BasicAuthentication(options.user, options.password.get_secret_value())
    if options.token is not None:
        return auth.JWTAuthentication(options.token.get_secret_value())
    if options.client_certificate is not None and options.client_key is not None:
        return auth.CertificateAuthentication(options.client_certificate, options.client_key)
    return None
