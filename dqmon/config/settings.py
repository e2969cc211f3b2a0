"""`config/dqmon.yaml` as a model: what is read, what each setting means, where each extension's options are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator

from dqmon.config.endpoints import OpenlineageKeys, WebKeys
from dqmon.config.escalation import EscalationKeys
from dqmon.config.silences import MaintenanceKeys, SilenceKeys
from dqmon.config.timetables import DigestKeys, HoursKeys, StormKeys, TimesKeys
from dqmon.config.words import check_host_pattern
from dqmon.core.check import SourceLine
from dqmon.core.cost import Budget
from dqmon.core.digest import DigestPlan
from dqmon.core.duration import Duration
from dqmon.core.options import ProjectPath

SECTIONS = {"warehouses": "warehouses", "ingestion": "ingestion", "channels": "channels"}
"""Keys of dqmon.yaml that hold extensions by name, and the registry that knows their types."""

LATER = frozenset({
    "heartbeat", "quarantine", "queue",
})  # fmt: skip
"""Keys that a later version may take; refused rather than ignored."""

GroupBy = Literal["incident", "dataset", "owner", "tag", "type", "severity", "kind", "warehouse", "dimension", "id"]


class _Keys(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


def _store_url(value: object) -> object:
    if isinstance(value, str) and not value.startswith(("sqlite:", "sqlite+", "postgresql:", "postgresql+")):
        msg = 'this is no store; write "sqlite:///.dqmon/dqmon.db" or postgresql+psycopg://user@host/database'
        raise ValueError(msg)
    return value


class StoreKeys(_Keys):
    """Where results, alerts and deliveries are kept."""

    url: Annotated[SecretStr, BeforeValidator(_store_url)] = Field(
        default=SecretStr("sqlite:///.dqmon/dqmon.db"), description="SQLite file, or PostgreSQL: postgresql+psycopg://…"
    )


class RetentionKeys(_Keys):
    """How long rows are kept, counted from the newest measurement; open incidents and baselines keep theirs longer."""

    measurements: Duration = Field(default=34_560_000, description="The metrics table; default 400d.")
    results: Duration = Field(default=34_560_000, description="Verdicts; default 400d.")
    incidents: Duration = Field(default=34_560_000, description="Resolved incidents with their alerts' events; default 400d.")
    deliveries: Duration = Field(default=7_776_000, description="Messages sent and not sent; default 90d.")
    loads: Duration = Field(default=7_776_000, description="Load records; default 90d.")
    statements: Duration = Field(default=7_776_000, description="What statements cost; default 90d.")


Limit = Annotated[float | None, Field(gt=0, allow_inf_nan=False)]


class BudgetKeys(_Keys):
    """What a warehouse may take in a day of UTC; beyond it checks degrade, and say so (docs/cost.md)."""

    credits_per_day: Limit = Field(default=None, description="In the warehouse's unit of payment; it must have a price.")
    bytes_per_day: Limit = Field(default=None, description="Billed, or else read, where the engine tells.")
    seconds_per_day: Limit = Field(default=None, description="Of running statements, as dqmon sees them.")


class MirrorKeys(_Keys):
    """The metrics tables copied into a warehouse, so that BI tools read quality beside the data (docs/mirror.md)."""

    warehouse: str = Field(min_length=1, description="Under `warehouses:`, with a user who may write there.")
    into: str = Field(alias="schema", min_length=1, description="Made when it is not there.")
    tables: tuple[Literal["dq_results", "dq_measurements", "dq_daily_score"], ...] = Field(
        default=("dq_results", "dq_measurements", "dq_daily_score"), description="What is copied."
    )
    every: Annotated[Duration, Field(gt=0)] = Field(default=300, description="How often it is looked for new rows; default 5m.")

    @field_validator("tables")
    @classmethod
    def _is_something(cls, tables: tuple[str, ...]) -> tuple[str, ...]:
        if not tables:
            raise ValueError("name at least one table, or remove mirror:")
        return tuple(dict.fromkeys(tables))


class RouteKeys(_Keys):
    """Which incidents go to which channels; first match wins unless `continue: true`, the last must be the default."""

    name: str = Field(min_length=1, description="What messages and explain call the route.")
    match: str | None = Field(default=None, min_length=1, description='Selector, such as "severity:critical tag:finance".')
    is_default: bool = Field(default=False, alias="default", description="true on the last route: it takes what no other took.")
    to: tuple[str, ...] = Field(min_length=1, description="Names under `channels:`.")
    goes_on: bool = Field(default=False, alias="continue", description="Later routes are tried too.")
    group_by: tuple[GroupBy, ...] = Field(default=("incident",), description="What makes one message.")
    group_wait: Duration = Field(default=30, description="Before the first message; at most 10s on a paging channel.")
    group_interval: Duration = Field(default=300, description="Between messages about changes.")
    repeat_interval: Duration = Field(default=14_400, description="Between reminders.")
    digest: TimesKeys | None = Field(default=None, description="It speaks at these times only; group_by is then [owner] unless it is set.")
    hours: HoursKeys | None = Field(default=None, description="It speaks in these hours only.")


class SettingsKeys(_Keys):
    """`config/dqmon.yaml`, but for the extensions and routes."""

    instance: str = Field(default="dqmon", min_length=1, description="Name of this installation; part of every dedup key.")
    store: StoreKeys = Field(default_factory=StoreKeys, description="Where results, alerts and deliveries are kept.")
    checks_path: ProjectPath = Field(default="checks", min_length=1, description="Folder of the check files.")
    require_runbook: Literal["info", "warning", "error", "critical", "never"] = Field(
        default="critical", description="Checks of this severity or above must have an owner and a runbook."
    )
    runbook_hosts: tuple[Annotated[str, BeforeValidator(check_host_pattern)], ...] = Field(
        default=(), description="Hosts that runbooks may be on: wiki.example.com, *.example.com; all when empty."
    )
    fuse_within: Duration = Field(default=30, description="Checks of one table due within this time run together.")
    correlate_within: Duration = Field(default=3_600, description="Alerts of one dataset within this time are one incident.")
    retention: RetentionKeys = Field(default_factory=RetentionKeys, description="How long rows are kept.")
    budgets: dict[str, BudgetKeys] = Field(default_factory=dict, description="What each warehouse may take in a day, by its name.")
    python_path: ProjectPath | None = Field(
        default=None, min_length=1, description="Folder of your own Python code that pandera checks may run; none when it is not set."
    )
    mirror: MirrorKeys | None = Field(default=None, description="The metrics tables copied into a warehouse.")
    web: WebKeys | None = Field(default=None, description="The endpoint of the daemon, which jobs tell of themselves.")
    openlineage: OpenlineageKeys | None = Field(default=None, description="The server that is told of results.")
    silences: tuple[SilenceKeys, ...] = Field(default=(), description="Alerts that nobody is told of until an end.")
    escalation: tuple[EscalationKeys, ...] = Field(default=(), description="Who is told when nobody has acknowledged for a time.")
    storm: StormKeys = Field(default_factory=StormKeys, description="When messages become one for each owner.")
    digest: DigestKeys | None = Field(default=None, description="What each owner is told of all of their checks, once a week, say.")
    maintenance: tuple[MaintenanceKeys, ...] = Field(default=(), description="Windows that come again, in which nobody is told.")
    platform_owner: str | None = Field(
        default=None, min_length=1, description="Whose a warehouse is that cannot be reached; the owners of its tables are not told."
    )
    reuse: bool = Field(default=True, description="Measured values stand in for a scan while a table is proved not to have changed.")


@dataclass(frozen=True, slots=True)
class Configured:
    """A warehouse, source or channel: its name, its type and its options, validated by the type.

    The options are left out of `repr`: any of them may have come from the environment.
    """

    name: str
    type: str
    options: Any = field(repr=False)
    source: SourceLine


@dataclass(frozen=True, slots=True)
class Settings:
    """All of `config/dqmon.yaml` but the routes. Paths are absolute; the first warehouse is the default.

    Extensions that nothing uses and whose `${env:}` is unset are left out.
    """

    instance: str
    store_url: str = field(repr=False)
    checks_path: Path
    require_runbook: str
    runbook_hosts: tuple[str, ...]
    fuse_within_s: int
    correlate_within_s: int
    retention: RetentionKeys
    python_path: Path | None
    reuse: bool
    budgets: Mapping[str, Budget]
    mirror: MirrorKeys | None
    web: WebKeys | None
    openlineage: OpenlineageKeys | None
    platform_owner: str | None
    storm_above: int
    digest: DigestPlan | None
    warehouses: Mapping[str, Configured]
    ingestion: Mapping[str, Configured]
    channels: Mapping[str, Configured]


def absolute(value: Any, root: Path) -> Any:
    """A path relative to `root` made absolute, also in lists and as values of mappings; URLs and `:memory:` stay."""
    if isinstance(value, str):
        return value if "://" in value or value == ":memory:" or not value else str(root / value)
    if isinstance(value, list):
        for at, item in enumerate(value):
            value[at] = absolute(item, root)
    elif isinstance(value, dict):
        for key, item in value.items():
            value[key] = absolute(item, root)
    return value


def absolute_store(url: str, root: Path) -> str:
    """`sqlite:///relative` with its file below `root`; other URLs as they are."""
    scheme, slashes, path = url.partition(":///")
    if not scheme.startswith("sqlite") or not slashes or not path or path.startswith(("/", ":memory:", "file:")):
        return url
    return f"{scheme}:///{root / path}"
