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
_LONGEST_NAME = 100
SHORTEST_SECRET = 16
"""Characters, as of the tokens of sources."""


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


def _public_url(value: object) -> object:
    """A server as people reach it, without a slash at its end. ValueError for anything else."""
    if not isinstance(value, str):
        return value
    parts = urlsplit(value)  # its ValueError says what is wrong
    host, is_bare = parts.hostname or "", not (parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc)
    if not is_bare or not _HOST.fullmatch(_bracketed(host)) or parts.scheme not in ("https", "http"):
        raise ValueError("url must be a server, such as https://dqmon.example.com, without path, user or query")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("url must start with https://: whoever reads its links and logins on the way could use them")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _host_of(url: str) -> str:
    return _bracketed(urlsplit(url).hostname or "")


def _long_enough(value: object) -> object:
    if isinstance(value, str) and len(value) < SHORTEST_SECRET:
        raise ValueError(f"a secret must have at least {SHORTEST_SECRET} characters; make one with: openssl rand -hex 16")
    return value


class WebKeys(_Keys):
    """The endpoint of the daemon: pings and OpenLineage events of jobs, pages of incidents, /livez and /readyz (docs/web.md)."""

    bind: str = Field(default="127.0.0.1:8321", description="HOST:PORT to listen on; others than this machine need allow_hosts.")
    allow_hosts: tuple[str, ...] = Field(
        default=(), description="Names by which requests may address dqmon (the header Host), beside those of this machine; no ports."
    )

    url: Annotated[str, BeforeValidator(_public_url)] | None = Field(
        default=None, description="Where people reach dqmon, such as https://dqmon.example.com; messages then link the incident's page."
    )
    incident_links: bool = Field(default=False, description="Whoever has a message's link may read the page, for 72 hours.")
    link_secret: Annotated[SecretStr, BeforeValidator(_long_enough)] | None = Field(
        default=None, description="Seals links and logins in place of a key that dqmon makes and keeps in the store."
    )
    actors: dict[str, Annotated[SecretStr, BeforeValidator(_long_enough)]] = Field(
        default_factory=dict, description="Who may acknowledge, snooze and resolve on the page: the token to log in with, by name."
    )

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names by which requests may address dqmon, beside those of this machine."""
        return (*self.allow_hosts, *([_host_of(self.url)] if self.url else ()))

    @property
    def has_pages(self) -> bool:
        """True when somebody may read the pages of incidents."""
        return self.incident_links or bool(self.actors)

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
        if not is_loopback(host) and not self.hosts:
            raise ValueError(
                f"bind {self.bind!r} can be reached from other machines; name under allow_hosts by which names, or listen on 127.0.0.1"
            )
        return self

    @model_validator(mode="after")
    def _can_be_read(self) -> WebKeys:
        if self.incident_links and self.url is None:
            raise ValueError("incident_links needs url: what messages link to, such as https://dqmon.example.com")
        if self.url is not None and not self.has_pages:
            raise ValueError("nobody may read the pages that url links to; add incident_links: true, or actors: {name: token}")
        return self

    @field_validator("actors")
    @classmethod
    def _are_persons(cls, actors: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name in actors:
            if not name.isprintable() or not 0 < len(name) <= _LONGEST_NAME:
                raise ValueError(f"actors: {name[:_LONGEST_NAME]!r} is no name of a person")
        if len({token.get_secret_value() for token in actors.values()}) < len(actors):
            raise ValueError("actors: two of them have the same token; give each person an own one")
        return actors


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
    is_open = file.data.get("web") is not None
    for name, one in told.items():
        if not is_open:
            hint = "add web: {} for this machine alone, or web: {bind: …, allow_hosts: […]}"
            file.report.error(one.source.line, f"ingestion.{name}: what jobs tell comes in by web:, which is not set", hint)
        token = one.options.token.get_secret_value()
        if (other := tokens.setdefault(token, name)) != name:
            line = line_of(file.data, ("ingestion", name, "token"))
            file.report.error(line, f"ingestion.{name} has the token of ingestion.{other}", "give each source its own")
        _check_warehouses(file, ("ingestion", name, "namespaces"), getattr(one.options, "namespaces", {}).values())
    for name, one in found["channels"].items():
        if not is_open and getattr(one.options, "webhook_secret", None) is not None:
            line = line_of(file.data, ("channels", name, "webhook_secret"))
            file.report.error(line, f"channels.{name}: webhooks come in by web:, which is not set", "add web: {bind: …, allow_hosts: […]}")
    if file.keys.openlineage is not None:
        _check_warehouses(file, ("openlineage", "namespaces"), file.keys.openlineage.namespaces)


def _check_warehouses(file: SettingsFile, place: tuple[str, ...], named: Any) -> None:
    known = file.names("warehouses")
    for warehouse in dict.fromkeys(named):
        if warehouse not in known:
            hint = suggest(warehouse, known) or "declare it under warehouses:"
            file.report.error(line_of(file.data, place), f"{'.'.join(place)}: unknown warehouse {warehouse!r}", hint)
