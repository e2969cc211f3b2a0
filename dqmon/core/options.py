"""What every warehouse, source and channel takes in `config/dqmon.yaml`; extensions add their own fields."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator

from dqmon.core.duration import Duration

ProjectPath: TypeAlias = Annotated[str, "project-path"]
"""A path in `config/dqmon.yaml`, relative to the project folder; the configuration hands it over absolute."""


def _zone(name: str) -> str:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; write one such as Europe/Lisbon") from None
    return name


ZoneName: TypeAlias = Annotated[str, AfterValidator(_zone)]
"""A time zone by its name in the IANA database."""


class Options(BaseModel):
    """Base of all options: unknown keys are errors, values are not coerced, secrets are SecretStr fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class WarehouseOptions(Options):
    """Options of every warehouse.

    schema: given to tables that are written without one. naive_timezone: how timestamps without zone are read.
    statement_timeout: after it a statement is cancelled on the server. connect_timeout: seconds to get a connection.
    credits_per_hour, price_per_tib: what the warehouse costs, for an hour of running or for a TiB billed (docs/cost.md).
    """

    default_schema: str | None = Field(default=None, alias="schema")
    naive_timezone: str = "UTC"
    statement_timeout: Duration = 60
    connect_timeout: Duration = 10
    max_connections: int = Field(default=4, ge=1, le=64)
    credits_per_hour: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    price_per_tib: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class SourceOptions(Options):
    """Options of every ingestion source.

    warehouse: where the tool's tables are, for sources that read SQL. owner: owns the checks of its pipelines that name nobody.
    poll_every: how often its records are read.
    """

    warehouse: str | None = None
    owner: str | None = None
    poll_every: Duration = Field(default=60, gt=0)

    def narrowed(self, provides: frozenset[str]) -> frozenset[str]:
        """What the source can say as it is configured, of all that its type can: all, unless the options map less."""
        return provides

    def declared(self) -> tuple[str, ...] | None:
        """The names of all pipelines that there can be; None when only the tool knows them."""
        return None

    def reads(self) -> tuple[str, ...]:
        """The tables of `warehouse` that the source reads, as check files name them, `*` for all of a schema; none that cannot be told."""
        return ()


def server_address(value: SecretStr | str | None) -> SecretStr | str | None:
    """`value`, which is the address of a server of HTTP or mail; ValueError, without it, for anything else."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if text and not re.match(r"(https?|smtps?)://[^\s/?#]", text):
        raise ValueError("it is no address; write the whole of it, such as https://host.example.com")
    return value


class ChannelOptions(Options):
    """Options of every channel.

    base_url: another server in the vendor's place. timeout: of one request. verify: a CA file.
    dry_run: rendered and recorded with that reason, never sent; its secrets may be unset.
    fallback: another channel, which is told what this one refuses, or does not take for two minutes.
    """

    base_url: str | None = None
    timeout: Duration = Field(default=10, gt=0)
    verify: ProjectPath | None = None
    allow_private_addresses: bool = False
    dry_run: bool = False
    fallback: str | None = Field(default=None, min_length=1)

    _is_address = field_validator("base_url")(server_address)
