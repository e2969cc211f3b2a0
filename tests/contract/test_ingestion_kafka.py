"""The source kafka on librdkafka's own mock cluster, in this process: real protocol, no JVM."""

from __future__ import annotations

import json
import socket
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from ingestion_contract import check_source
from patience import seconds
from pydantic import SecretStr, ValidationError

from dqmon.core.load_record import LoadStatus
from dqmon.errors import SourceError
from dqmon.ingestion.base.kafka_offsets import KafkaOffsets
from dqmon.ingestion.kafka import SAMPLES, Kafka, KafkaOptions

RECORDED = json.loads((Path(__file__).parents[1] / "fixtures" / "ingestion" / "kafka" / "consumer_group_lag.json").read_text())
SINCE = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Cluster:
    """A broker in this process, whose topics have four partitions."""

    def __init__(self):
        self._producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "unused", "log_level": 0})
        broker = next(iter(self._producer.list_topics(timeout=10).brokers.values()))
        self.servers = f"{broker.host}:{broker.port}"

    def produce(self, topic, partition, messages):
        for _ in range(messages):
            self._producer.produce(topic, value=b"x", partition=partition)
        assert self._producer.flush(10) == 0

    def commit(self, group, topic, offsets):
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": group, "enable.auto.commit": False, "log_level": 0})
        consumer.commit(offsets=[TopicPartition(topic, number, offset) for number, offset in offsets.items()], asynchronous=False)
        consumer.close()

    def topics(self):
        return set(self._producer.list_topics(timeout=10).topics)


@pytest.fixture(scope="module")
def cluster():
    """The state of the recorded fixture."""
    made = Cluster()
    for number in range(4):
        made.produce("orders", number, 25)
    committed = {one["partition"]: one["committed"] for one in RECORDED["partitions"] if one["committed"] >= 0}
    made.commit(RECORDED["group"], "orders", committed)
    return made


def source(cluster, **options):
    given = {"bootstrap_servers": cluster.servers, "groups": {"loader": ["orders"]}, "timeout": 5, **options}
    return Kafka("kafka", KafkaOptions(**given), None)


def test_the_lag_is_that_of_the_fixture_a_partition_at_a_time(cluster):
    kafka = source(cluster)
    (record,) = check_source(kafka, SINCE, NOW)
    found = kafka.backlog(NOW)
    assert [(b.partition, b.pending) for b in found] == [(f"orders[{p['partition']}]", p["lag"]) for p in RECORDED["partitions"]]
    assert {(b.pipeline, b.unit) for b in found} == {("loader", "messages")}
    assert (record.pipeline, record.load_id, record.status, record.error) == ("loader", "loader", LoadStatus.UNKNOWN, None)
    assert record.extra == {"pending_messages": "50"}
    assert [p.pipeline for p in kafka.pipelines()] == ["loader"]


def test_since_when_the_oldest_waits_needs_two_looks(cluster):
    cluster.produce("clicks", 0, 10)
    cluster.commit("reader", "clicks", {0: 4})
    kafka = source(cluster, groups={"reader": ["clicks"]})

    def look(minutes):
        (first, *_) = kafka.backlog(NOW + timedelta(minutes=minutes))
        return first.pending, None if first.oldest_pending_at is None else (first.oldest_pending_at - NOW) / timedelta(minutes=1)

    assert look(0) == (6, None), "a first look cannot say since when"
    assert look(1) == (6, 0)
    cluster.produce("clicks", 0, 5)
    assert look(2) == (11, 0)
    cluster.commit("reader", "clicks", {0: 10})
    assert look(3) == (5, 2), "what was there at 0 and 1 is read; the rest was first seen at 2"
    cluster.commit("reader", "clicks", {0: 15})
    assert look(4) == (0, None)
    cluster.produce("clicks", 0, 1)
    assert look(5) == (1, 5), "it came since the last look"


def test_what_is_remembered_of_a_reader_that_never_comes_stays_small(cluster):
    kafka = source(cluster)
    place = ("orders", 2)
    kafka.backlog(NOW)
    kafka._seen["loader", place] = [(NOW + timedelta(minutes=n), 25) for n in range(SAMPLES)]
    waiting = {b.partition: b for b in kafka.backlog(NOW + timedelta(days=1))}
    assert waiting["orders[2]"].oldest_pending_at == NOW
    assert len(kafka._seen["loader", place]) == SAMPLES // 2 + 1
    assert kafka._seen["loader", place][0][0] == NOW


def test_a_group_that_never_committed_has_everything_before_it(cluster):
    kafka = source(cluster, groups={"newcomer": ["orders"]})
    (record,) = check_source(kafka, SINCE, NOW)
    assert (record.status, record.raw_status) == (LoadStatus.UNKNOWN, "never committed")
    assert [b.pending for b in kafka.backlog(NOW)] == [25] * 4


def test_a_topic_that_is_not_there_fails_its_group_alone_and_is_not_made(cluster):
    kafka = source(cluster, groups={"loader": ["orders"], "other": ["orders", "gone"]}, dead_letter_topics=["orders.dlq.gone"])
    records = {r.pipeline: r for r in check_source(kafka, SINCE, NOW)}
    assert (records["other"].status, records["other"].raw_status) == (LoadStatus.FAILED, "missing")
    assert records["other"].error == "there is no topic gone"
    assert records["orders.dlq.gone"].status is LoadStatus.FAILED
    assert records["loader"].status is LoadStatus.UNKNOWN
    assert {b.pipeline for b in kafka.backlog(NOW)} == {"loader"}, "the lag of one topic would pass for that of all"
    assert not {"gone", "orders.dlq.gone"} & cluster.topics()


def test_a_dead_letter_topic_is_a_backlog_of_its_own(cluster):
    cluster.produce("orders.dlq", 1, 3)
    kafka = source(cluster, groups={}, dead_letter_topics=["orders.dlq"])
    (record,) = check_source(kafka, SINCE, NOW)
    assert (record.pipeline, record.status, record.extra) == ("orders.dlq", LoadStatus.UNKNOWN, {"pending_messages": "3"})
    assert [(b.pipeline, b.partition, b.pending) for b in kafka.backlog(NOW) if b.pending] == [("orders.dlq", "orders.dlq[1]", 3)]


class Scripted:
    """Stands in for KafkaOffsets where the mock cluster has no way to be so."""

    def __init__(self, committed, ends):
        self._committed, self._ends = committed, ends

    def partitions(self):
        return {"orders": [0, 1]}

    def committed(self, group, places):
        return self._committed if places is None else {place: self._committed.get(place) for place in places}

    def ends(self, places):
        return {place: self._ends[place] for place in places}


def scripted(committed, ends, topics):
    kafka = Kafka("kafka", KafkaOptions(bootstrap_servers="unused:1", groups={"loader": topics}), None)
    kafka._connect = lambda: Scripted(committed, ends)
    return kafka


def test_messages_that_retention_took_before_they_were_read_are_a_failure():
    kafka = scripted({("orders", 0): 5, ("orders", 1): 30}, {("orders", 0): (20, 40), ("orders", 1): (20, 40)}, ["orders"])
    (record,) = check_source(kafka, SINCE, NOW)
    assert (record.status, record.raw_status) == (LoadStatus.FAILED, "lost")
    assert record.error == "messages were deleted before the group read them: 15 of orders[0]"
    assert [b.pending for b in kafka.backlog(NOW)] == [20, 10], "only what can still be read waits"


def test_a_group_without_named_topics_reads_those_it_committed_in_all_their_partitions():
    kafka = scripted({("orders", 0): 40}, {("orders", 0): (0, 40), ("orders", 1): (0, 7)}, [])
    assert [(b.partition, b.pending) for b in kafka.backlog(NOW)] == [("orders[0]", 0), ("orders[1]", 7)]


def test_a_group_that_is_to_name_its_topics_and_has_no_offsets_has_failed(cluster):
    kafka = source(cluster, groups={"nobody": []})
    (record,) = check_source(kafka, SINCE, NOW)
    assert (record.status, record.raw_status) == (LoadStatus.FAILED, "missing")
    assert "never read, or its offsets have expired" in record.error
    assert kafka.backlog(NOW) == ()


def test_a_topic_that_is_named_twice_counts_once(cluster):
    assert len(source(cluster, groups={"loader": ["orders", "orders"]}).backlog(NOW)) == 4


def test_an_end_of_a_topic_that_was_made_again_is_forgotten():
    ends = {("orders", 0): (0, 1_000), ("orders", 1): (0, 0)}
    kafka = scripted({("orders", 0): 900}, ends, ["orders"])
    kafka.backlog(NOW)
    kafka.backlog(NOW + timedelta(minutes=1))
    ends["orders", 0] = (0, 950)
    later = NOW + timedelta(minutes=2)
    assert kafka.backlog(later)[0].oldest_pending_at == later


def test_all_offsets_of_a_group_the_broker_may_tell_none(cluster):
    offsets = KafkaOffsets("kafka", {"bootstrap.servers": cluster.servers}, 5, ())
    assert offsets.committed("nobody", None) == {}
    assert offsets.committed("loader", []) == {}
    assert offsets.ends([]) == {}


def test_a_broker_that_is_not_there_is_a_source_error_within_the_timeout():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        servers = f"127.0.0.1:{unused.getsockname()[1]}"
        kafka = Kafka("kafka", KafkaOptions(bootstrap_servers=servers, groups={"g": ["t"]}, timeout=1), None)

        def refused(ask):
            with pytest.raises(
                SourceError, match=rf"ingestion kafka \({servers}\) cannot be read: the topics: no answer within 1 s: .*refused"
            ):
                ask()

        for ask in (lambda: kafka.loads(SINCE, NOW), lambda: kafka.backlog(NOW)):
            assert seconds(partial(refused, ask)) < 5, "it waits for longer than its timeout"


def test_a_server_that_never_answers_is_a_source_error_and_the_password_is_in_no_message():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        options = KafkaOptions(
            bootstrap_servers=f"127.0.0.1:{silent.getsockname()[1]}",
            groups={"g": ["t"]},
            timeout=1,
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="PLAIN",
            sasl_username="dq",
            sasl_password=SecretStr("s3cr3t-w0rd"),
        )
        with pytest.raises(SourceError, match="no answer within 1 s") as caught:
            Kafka("kafka", options, None).backlog(NOW)
    assert "s3cr3t" not in f"{caught.value} {caught.value.__cause__!r} {options!r}"


def test_without_confluent_kafka_it_says_what_to_install(cluster, monkeypatch):
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(SourceError, match=r"needs the extra `kafka`: pip install 'dqmon\[kafka\]'"):
        source(cluster).backlog(NOW)


@pytest.mark.parametrize("missing", ["ssl_ca_location", "ssl_key_location"])
def test_a_file_that_is_not_there_is_a_source_error(missing, tmp_path):
    options = KafkaOptions(
        bootstrap_servers="127.0.0.1:1", groups={"g": ["t"]}, security_protocol="SSL", timeout=1, **{missing: str(tmp_path / "none.pem")}
    )
    with pytest.raises(SourceError, match=missing.replace("_", r"\.")):
        Kafka("kafka", options, None).backlog(NOW)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"groups": {}}, "name the consumer groups"),
        ({"groups": {"a": []}, "dead_letter_topics": ["a"]}, "both a group and a dead-letter topic"),
        ({"groups": {"a": []}, "security_protocol": "SASL_SSL"}, "set both or neither"),
        ({"groups": {"a": []}, "sasl_mechanism": "PLAIN"}, "set both or neither"),
        ({"groups": {"a": []}, "security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN"}, "sasl_username and sasl_password"),
        ({"groups": {"a": []}, "security_protocol": "NONE"}, "SASL_SSL"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(given, message):
    with pytest.raises(ValidationError, match=message):
        KafkaOptions(bootstrap_servers="kafka:9092", **given)


def test_the_settings_are_librdkafkas():
    options = KafkaOptions(
        bootstrap_servers="kafka:9092",
        groups={"g": ["t"]},
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="dq",
        sasl_password=SecretStr("s3cr3t"),
        ssl_ca_location="/etc/ca.pem",
    )
    assert options.settings() == (
        {
            "bootstrap.servers": "kafka:9092",
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": "dq",
            "sasl.password": "s3cr3t",
            "ssl.ca.location": "/etc/ca.pem",
        },
        ["s3cr3t"],
    )
