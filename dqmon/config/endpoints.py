"""`web:` and `openlineage:` of `config/dqmon.yaml`: what dqmon listens to, and whom it tells of results."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

from dqmon.config.report import suggest
from dqmon.config.yaml_lines import line_of
from dqmon.core.duration import Duration
from dqmon.core.options import ProjectPath
from dqmon.core.protocols import Told

if TYPE_CHECKING:
    from dqmon.config.registries import Registries
    from dqmon.config.settings import Configured
    from dqmon.config.settings_file import SettingsFile

_BIND = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.-]+)):([0-9]{1,5})")
_HOST = re.compile(r"[a-z0-9_.-]+|\[[0-9a-f:.]+\]")
_LARGEST_PORT = 65_535


class _Keys(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


def address(bind: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`; an IPv6 address stands in brackets. ValueError when it is none."""
    found = _BIND.fullmatch(bind)
    if found is None or int(found[3]) > _LARGEST_PORT:
        raise ValueError(f"{bind!r} is no address to listen on; write HOST:PORT, such as 127.0.0.1:8321")
    return found[1] or found[2], int(found[3])


def is_loopback(host: str) -> bool:
    """True for an address that only programs of this machine reach."""
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class WebKeys(_Keys):
    """The endpoint of the daemon: pings and OpenLineage events of jobs, /livez and /readyz (docs/web.md)."""

    bind: str = Field(default="127.0.0.1:8321", description="HOST:PORT to listen on; others than this machine need allow_hosts.")
    allow_hosts: tuple[str, ...] = Field(
        default=(), description="Names by which requests may address dqmon (the header Host), beside those of this machine; no ports."
    )

    @field_validator("allow_hosts")
    @classmethod
    def _are_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not _HOST.fullmatch(host.lower()):
                raise ValueError(f"{host!r} is no host name; write it without scheme, port and path, such as dqmon.example.com")
        return tuple(dict.fromkeys(host.lower() for host in hosts))

    @model_validator(mode="after")
    def _is_guarded(self) -> WebKeys:
        host, _ = address(self.bind)
        if not is_loopback(host) and not self.allow_hosts:
            raise ValueError(
                f"bind {self.bind!r} can be reached from other machines; name under allow_hosts by which names, or listen on 127.0.0.1"
            )
        return self


def _server_url(value: object) -> object:
    if isinstance(value, str):
        parts = urlsplit(value)  # its ValueError says what is wrong
        if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("url must be a server, such as https://marquez.example.com, without user, password or query")
    return value


class OpenlineageKeys(_Keys):
    """Results told to a server that takes OpenLineage events, such as Marquez, DataHub or OpenMetadata (docs/web.md)."""

    url: Annotated[str, BeforeValidator(_server_url)] = Field(description="The server.")
    endpoint: str = Field(default="api/v1/lineage", min_length=1, description="Where it takes events, below url.")
    token: SecretStr | None = Field(default=None, min_length=1, description="Sent as `Authorization: Bearer …`.")
    namespaces: dict[str, str] = Field(
        default_factory=dict,
        description="What warehouses are called in events, by their names; else what OpenLineage makes of their addresses.",
    )
    every: Annotated[Duration, Field(gt=0)] = Field(default=10, description="How often it is looked for new results; default 10s.")
    timeout: Annotated[Duration, Field(gt=0)] = Field(default=10, description="Of one request; default 10s.")
    verify: ProjectPath | None = Field(default=None, min_length=1, description="A CA file in place of the system's.")
    allow_private_addresses: bool = Field(default=False, description="Also plain http and addresses of the own network.")


def check_endpoints(file: SettingsFile, found: Mapping[str, Mapping[str, Configured]], registries: Registries) -> None:
    """Reports sources that nobody could tell anything, tokens and warehouses that do not fit. `found` are the extensions by section."""
    told = {name: one for name, one in found["ingestion"].items() if issubclass(registries.ingestion.get(one.type), Told)}
    tokens: dict[str, str] = {}
    for name, one in told.items():
        if file.keys.web is None:
            hint = "add web: {} for this machine alone, or web: {bind: …, allow_hosts: […]}"
            file.report.error(one.source.line, f"ingestion.{name}: what jobs tell comes in by web:, which is not set", hint)
        token = one.options.token.get_secret_value()
        if (other := tokens.setdefault(token, name)) != name:
            line = line_of(file.data, ("ingestion", name, "token"))
            file.report.error(line, f"ingestion.{name} has the token of ingestion.{other}", "give each source its own")
        _check_warehouses(file, ("ingestion", name, "namespaces"), getattr(one.options, "namespaces", {}).values())
    if file.keys.openlineage is not None:
        _check_warehouses(file, ("openlineage", "namespaces"), file.keys.openlineage.namespaces)


def _check_warehouses(file: SettingsFile, place: tuple[str, ...], named: Any) -> None:
    known = file.names("warehouses")
    for warehouse in dict.fromkeys(named):
        if warehouse not in known:
            hint = suggest(warehouse, known) or "declare it under warehouses:"
            file.report.error(line_of(file.data, place), f"{'.'.join(place)}: unknown warehouse {warehouse!r}", hint)
