"""Offsets of a Kafka cluster: how far its topics go, and how far its consumer groups have come. Joins no group, makes no topic."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from dqmon.errors import SourceError

if TYPE_CHECKING:
    from concurrent.futures import Future

Place: TypeAlias = tuple[str, int]
"""A topic and the number of one of its partitions."""
_LONGEST_DETAIL = 300
_ERRORS_KEPT = 50
_DENIED = ("TOPIC_AUTHORIZATION_FAILED", "GROUP_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED")
_UNREACHED = ("_TRANSPORT", "_ALL_BROKERS_DOWN", "_TIMED_OUT")


class KafkaOffsets:
    """A connection for one reading. `settings` are librdkafka's own. All raise SourceError, within `timeout_s` each."""

    def __init__(self, name: str, settings: Mapping[str, Any], timeout_s: int, secrets: Collection[str]) -> None:
        try:
            from confluent_kafka import KafkaException
            from confluent_kafka.admin import AdminClient
        except ModuleNotFoundError as e:
            raise SourceError(f"ingestion {name} needs the extra `kafka`: pip install 'dqmon[kafka]'") from e
        self._name, self._timeout_s, self._secrets = name, timeout_s, secrets
        self._servers = settings["bootstrap.servers"]
        self._troubles: deque[Any] = deque(maxlen=_ERRORS_KEPT)
        own: dict[str, Any] = {"client.id": "dqmon", "log_level": 0, "error_cb": self._troubles.append}  # its log would go to stderr
        try:
            self._admin = AdminClient({**settings, **own})
        except (KafkaException, ValueError) as e:
            raise self.error(_in_words(e)) from e

    def partitions(self) -> dict[str, list[int]]:
        """The partitions of all topics that there are. Asked for by name, a topic might be made by the asking."""
        with self._asking("the topics"):
            found = self._admin.list_topics(timeout=self._timeout_s).topics
            for topic in found.values():
                if topic.error is not None and topic.error.name() in _DENIED:
                    raise self.error(f"the credentials do not permit to describe topic {topic.topic}")
        return {name: sorted(topic.partitions) for name, topic in found.items()}

    def committed(self, group: str, places: Collection[Place] | None) -> dict[Place, int | None]:
        """The group's committed offsets, None where it never committed; without places those of all that it committed."""
        from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

        if places is not None and not places:
            return {}
        asked = None if places is None else [TopicPartition(topic, number) for topic, number in places]
        with self._asking(f"the offsets of group {group}"):
            given = self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, asked)], request_timeout=self._timeout_s)
            (told,) = [self._result(future) for future in given.values()]
            for one in told.topic_partitions:
                if one.error is not None:
                    raise self.error(f"the offset of group {group} in {one.topic}[{one.partition}]: {one.error.str()}")
        # Negative: no offset (-1001).
        return {(one.topic, one.partition): one.offset if one.offset >= 0 else None for one in told.topic_partitions}

    def ends(self, places: Collection[Place]) -> dict[Place, tuple[int, int]]:
        """The offset of the first message that is still there, and the one that the next message will have."""
        from confluent_kafka import TopicPartition
        from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # documented, though not in __all__

        found = []
        with self._asking("the ends of topics"):
            for spec in (OffsetSpec.earliest(), OffsetSpec.latest()) if places else ():  # type: ignore[no-untyped-call]  # it has no types
                wanted = {TopicPartition(topic, number): spec for topic, number in places}
                given = self._admin.list_offsets(wanted, request_timeout=self._timeout_s)
                found.append({(at.topic, at.partition): int(self._result(future).offset) for at, future in given.items()})
        return {place: (found[0][place], found[1][place]) for place in places}

    def error(self, text: str) -> SourceError:
        """The error to raise for what is wrong with this source: its name, its servers, `text` without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        shown = "".join(c if c.isprintable() else " " for c in text)
        return SourceError(f"ingestion {self._name} ({self._servers}) cannot be read: {shown}")

    def _result(self, future: Future[Any]) -> Any:
        return future.result(self._timeout_s + 1)

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """What goes wrong inside leaves as SourceError, with the connection's own trouble where there is one."""
        from confluent_kafka import KafkaException

        try:
            yield
        except TimeoutError as e:
            raise self.error(f"{what}: no answer within {self._timeout_s} s") from e
        except (KafkaException, ValueError) as e:
            self._admin.poll(0)  # hands over the troubles of the connection
            name = e.args[0].name() if isinstance(e, KafkaException) else ""
            if name in _DENIED:
                raise self.error(f"{what}: the credentials do not permit this ({name})") from e
            if name in _UNREACHED:
                told = [trouble.str() for trouble in self._troubles if trouble.name() != "_ALL_BROKERS_DOWN"]
                because = f": {told[-1][:_LONGEST_DETAIL]}" if told else ""
                raise self.error(f"{what}: no answer within {self._timeout_s} s{because}") from e
            raise self.error(f"{what}: {_in_words(e)}") from e


def _in_words(e: Exception) -> str:
    told = e.args[0].str() if e.args and hasattr(e.args[0], "str") else str(e)
    return " ".join(str(told).split())[:_LONGEST_DETAIL]
