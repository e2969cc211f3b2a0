"""Ingestion source kafka: how many messages wait for consumer groups, and since when."""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, SecretStr, model_validator

from dqmon.core.duration import Duration
from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.core.options import ProjectPath, SourceOptions
from dqmon.ingestion.base.json_fields import text
from dqmon.ingestion.base.kafka_offsets import KafkaOffsets, Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel

    from dqmon.core.protocols import Warehouse

SAMPLES = 1_000
"""Ends of a partition that are remembered while nobody reads it; then every second one is forgotten."""


class KafkaOptions(SourceOptions):
    """Options of the source kafka.

    bootstrap_servers: `host:port`, several with commas. groups: the consumer groups to watch, each with the topics that it
    reads; an empty list stands for all that it has committed offsets of. dead_letter_topics: each is a pipeline whose backlog
    is all that is in it. security_protocol, sasl_mechanism, sasl_username, sasl_password, ssl_ca_location,
    ssl_certificate_location, ssl_key_location, ssl_key_password: as librdkafka has them. timeout: of one request.

    The user must be allowed to DESCRIBE the topics and the groups, and nothing else.
    """

    bootstrap_servers: str = Field(min_length=1)
    groups: dict[str, list[str]] = Field(default_factory=dict)
    dead_letter_topics: list[str] = Field(default_factory=list)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_ca_location: ProjectPath | None = None
    ssl_certificate_location: ProjectPath | None = None
    ssl_key_location: ProjectPath | None = None
    ssl_key_password: SecretStr | None = None
    timeout: Duration = 10

    @model_validator(mode="after")
    def _fits_together(self) -> KafkaOptions:
        if not self.groups and not self.dead_letter_topics:
            raise ValueError("name the consumer groups to watch under groups, or dead_letter_topics")
        if shared := sorted(set(self.groups) & set(self.dead_letter_topics)):
            raise ValueError(f"{shared[0]!r} is both a group and a dead-letter topic; pipelines would have one name")
        if self.security_protocol.startswith("SASL") != (self.sasl_mechanism is not None):
            raise ValueError("sasl_mechanism and a security_protocol with SASL belong together; set both or neither")
        if self.sasl_mechanism and (self.sasl_username is None or self.sasl_password is None):
            raise ValueError("sasl_mechanism needs sasl_username and sasl_password")
        return self

    def settings(self) -> tuple[dict[str, Any], list[str]]:
        """The settings as librdkafka has them, and the secrets among them."""
        secrets = {"sasl.password": self.sasl_password, "ssl.key.password": self.ssl_key_password}
        shown = {"security_protocol", "sasl_mechanism", "sasl_username"} | {f"ssl_{x}_location" for x in ("ca", "certificate", "key")}
        told = {name: secret.get_secret_value() for name, secret in secrets.items() if secret}
        plain = {name.replace("_", "."): value for name in sorted(shown) if (value := getattr(self, name)) is not None}
        return {"bootstrap.servers": self.bootstrap_servers, **plain, **told}, [secret for secret in told.values() if secret]


@dataclass(frozen=True, slots=True)
class _Partition:
    """A partition for one reader: the first message that is there, the end, what is committed (None: never)."""

    place: Place
    low: int
    high: int
    committed: int | None

    @property
    def name(self) -> str:
        return f"{self.place[0]}[{self.place[1]}]"

    @property
    def position(self) -> int:
        """The first message that was not read, of those that are there."""
        return self.low if self.committed is None else max(self.committed, self.low)

    @property
    def pending(self) -> int:
        return max(0, self.high - self.position)

    @property
    def lost(self) -> int:
        return 0 if self.committed is None else max(0, self.low - self.committed)


@dataclass(frozen=True, slots=True)
class _Reader:
    """All that a pipeline reads; `missing` are topics that are not there."""

    partitions: tuple[_Partition, ...]
    missing: tuple[str, ...]


class Kafka:
    """Consumer groups, one pipeline each; a load that never ends.

    The backlog is in messages, a partition at a time: the partition's end less what the group has committed there, or less its
    first message where the group never committed. Since when the oldest of them waits is a lower bound: the oldest end that
    dqmon saw at its own polls and that is not committed yet. A first poll cannot say, and so each run of `dqmon check` cannot;
    the daemon can from its second poll on. With transactions, an offset is taken up by each commit marker, too.

    A group is FAILED when a topic of it is not there, when messages were deleted before it read them (retention went by), and
    when it has no offsets to name its topics; else it is UNKNOWN: offsets do not tell whether anybody is reading. Of a group
    with a missing topic no backlog is told, since that of the other topics would pass for all of it. `extra` holds
    pending_messages.

    A dead-letter topic is a pipeline of its own, whose backlog is all messages in it: they leave it by retention, so that their
    number is no count of rejected rows.

    Asks by the admin API of Kafka 0.11 or later (confluent-kafka, 2.12 or later), joins no group and reads no message. Run
    against librdkafka's own mock cluster; SASL, TLS and groups without named topics were not run. MSK's IAM and OAUTHBEARER
    logins are not offered.
    """

    type: ClassVar[str] = "kafka"
    Options: ClassVar[builtins.type[BaseModel]] = KafkaOptions
    provides: ClassVar[frozenset[str]] = frozenset({"failures", "backlog"})

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        del warehouse
        assert isinstance(options, KafkaOptions)  # noqa: S101 - the configuration made them of this very class
        self.name = name
        self._options = options
        self._seen: dict[tuple[str, Place], list[tuple[datetime, int]]] = {}

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """All groups and dead-letter topics that are configured, by name, whether or not they are there."""
        return tuple(PipelineInfo(self.name, one) for one in sorted((*self._options.groups, *self._options.dead_letter_topics)))

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """How each group stands, whatever the window: it has no end."""
        del since
        return tuple(self._record(pipeline, reader, until) for pipeline, reader in sorted(self._readers().items()))

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """How many messages wait in each partition; its end is remembered for the next time."""
        found = []
        for pipeline, reader in sorted(self._readers().items()):
            for one in reader.partitions:
                oldest = self._oldest((pipeline, one.place), one, at)
                if not reader.missing:
                    found.append(Backlog(self.name, pipeline, one.pending, "messages", at, one.name, oldest))
        return tuple(found)

    def _readers(self) -> dict[str, _Reader]:
        """What each pipeline reads. Ends are asked for last, so that no group is ahead of them."""
        kafka = self._connect()
        topics = kafka.partitions()
        committed: dict[str, dict[Place, int | None]] = {}
        reads = {topic: [topic] for topic in self._options.dead_letter_topics}
        for group, named in self._options.groups.items():
            committed[group] = kafka.committed(group, _places(named, topics) if named else None)
            reads[group] = named or sorted({topic for topic, _ in committed[group]})
        ends = kafka.ends({place for read in reads.values() for place in _places(read, topics)})
        return {
            pipeline: _Reader(
                tuple(_Partition(place, *ends[place], committed.get(pipeline, {}).get(place)) for place in _places(read, topics)),
                tuple(topic for topic in read if topic not in topics),
            )
            for pipeline, read in reads.items()
        }

    def _connect(self) -> KafkaOffsets:
        settings, secrets = self._options.settings()
        return KafkaOffsets(self.name, settings, self._options.timeout, secrets)

    def _record(self, pipeline: str, reader: _Reader, until: datetime) -> LoadRecord:
        raw_status, error = None, None
        lost = [one for one in reader.partitions if one.lost]
        if reader.missing:
            raw_status, error = "missing", f"there is no topic {', '.join(reader.missing)}"
        elif lost:
            where = ", ".join(f"{one.lost:,} of {one.name}" for one in lost)
            raw_status, error = "lost", text(f"messages were deleted before the group read them: {where}")
        elif not reader.partitions:
            raw_status, error = "missing", "the group has no committed offset: it never read, or its offsets have expired"
        elif pipeline in self._options.groups and all(one.committed is None for one in reader.partitions):
            raw_status = "never committed"
        return LoadRecord(
            source=self.name,
            pipeline=pipeline,
            load_id=pipeline,
            status=LoadStatus.FAILED if error else LoadStatus.UNKNOWN,
            observed_at=until,
            raw_status=raw_status,
            error=error,
            extra={} if raw_status == "missing" else {"pending_messages": str(sum(one.pending for one in reader.partitions))},
        )

    def _oldest(self, key: tuple[str, Place], one: _Partition, at: datetime) -> datetime | None:
        """When dqmon first saw the oldest waiting message, or now for one that came since its last look; None at its first look."""
        before = self._seen.get(key)
        # An end beyond the present one is that of a topic which was deleted and made again.
        waiting = [(when, end) for when, end in before or () if one.position < end <= one.high]
        self._seen[key] = [*(waiting if len(waiting) < SAMPLES else waiting[::2]), (at, one.high)]
        if not one.pending or before is None:
            return None
        return waiting[0][0] if waiting else at


def _places(names: Iterable[str], topics: Mapping[str, list[int]]) -> list[Place]:
    return [(name, number) for name in sorted(set(names)) for number in topics.get(name, ())]
