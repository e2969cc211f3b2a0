"""The source kinesis on moto's streams and metrics, and on botocore's stubs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from aws_world import clients, made, moto, stubbed
from ingestion_contract import check_source

from dqmon.errors import SourceError
from dqmon.ingestion.kinesis import LOOK_BACK, STREAMS_A_CALL, Kinesis

SINCE = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
AGE, INCOMING = "GetRecords.IteratorAgeMilliseconds", "IncomingRecords"


@pytest.fixture(scope="module")
def url():
    with moto() as found:
        yield found


def put(client, stream, metric, *points):
    """Values of a metric, each so many minutes before NOW."""
    dimensions = [{"Name": "StreamName", "Value": stream}]
    data = [
        {"MetricName": metric, "Dimensions": dimensions, "Timestamp": NOW - timedelta(minutes=ago), "Value": value} for ago, value in points
    ]
    client.put_metric_data(Namespace="AWS/Kinesis", MetricData=data)


def test_the_backlog_of_a_server_is_the_age_of_what_was_read_last(url):
    make = clients(url, "eu-west-1")
    for stream in ("orders", "clicks", "quiet", "unwatched"):
        make("kinesis").create_stream(StreamName=stream, ShardCount=1)
    put(make("cloudwatch"), "orders", AGE, (9.0, 900_000.0), (3.0, 125_900.0))
    put(make("cloudwatch"), "orders", INCOMING, (2.0, 70.0))
    put(make("cloudwatch"), "clicks", AGE, (2.0, 0.0))
    source = made(Kinesis, url, "eu-west-1", streams=["orders", "clicks", "quiet"])
    assert check_source(source, SINCE, NOW) == ()
    assert [p.pipeline for p in source.pipelines()] == ["clicks", "orders", "quiet"]
    clicks, orders = source.backlog(NOW)
    assert (clicks.pipeline, clicks.pending, clicks.oldest_pending_at) == ("clicks", 0, None)
    assert (orders.pipeline, orders.pending, orders.unit) == ("orders", 125, "seconds")
    assert orders.oldest_pending_at == NOW - timedelta(seconds=125)


def waiting(ages=(), incoming=()):
    """Seconds behind; points are (minutes ago, value)."""
    source = made(Kinesis)
    with stubbed(source._kinesis) as streams, stubbed(source._cloudwatch) as metrics:
        streams.add_response("list_streams", {"StreamNames": ["s"], "HasMoreStreams": False})
        results = [
            {"Id": id_, "Timestamps": [NOW - timedelta(minutes=ago) for ago, _ in points], "Values": [value for _, value in points]}
            for id_, points in (("a0", ages), ("i0", incoming))
        ]
        metrics.add_response("get_metric_data", {"MetricDataResults": results})
        found = source.backlog(NOW)
    return [one.pending for one in found]


@pytest.mark.parametrize(
    ("ages", "incoming", "expected"),
    [
        ([(1, 4_999.0)], [(1, 9.0)], [4]),
        ([(15, 60_000.0)], [(1, 9.0)], [60]),
        ([(16, 60_000.0)], [(15, 9.0), (1, 9.0)], [900]),
        ([(100, 0.0)], [(120, 9.0)], [0]),
        ([(100, 0.0)], [(90, 0.0)], [0]),
        ([(100, 7_200_000.0)], [(120, 9.0)], []),
        ([], [(170, 1.0), (1, 3.0)], [10_200]),
        ([], [(170, 0.0)], []),
        ([], [], []),
        ([(1, 1_000.0), (20, 9_000_000.0)], [], [1]),
    ],
    ids=[
        "a reader that reads",
        "the last minute at which it counts as reading",
        "nobody reads, and records come in",
        "nobody reads what was read to its end",
        "zeros are no records",
        "who stopped far behind has left what nobody can tell",
        "nobody ever read",
        "nothing came and nobody read",
        "no metrics at all",
        "the newest value counts, in any order",
    ],
)
def test_how_far_a_reader_is_behind(ages, incoming, expected):
    assert waiting(ages, incoming) == expected


def test_many_streams_take_few_calls_and_all_pages_are_read():
    names = [f"s{n:03d}" for n in range(STREAMS_A_CALL + 1)]
    source = made(Kinesis)
    with stubbed(source._kinesis) as streams, stubbed(source._cloudwatch) as metrics:
        streams.add_response("list_streams", {"StreamNames": names[:100], "HasMoreStreams": True, "NextToken": "more"}, {})
        streams.add_response("list_streams", {"StreamNames": names[100:], "HasMoreStreams": False}, {"NextToken": "more"})
        point = {"Timestamps": [NOW], "Values": [1_000.0]}
        last = {"Id": f"a{STREAMS_A_CALL - 1}", **point}
        metrics.add_response(
            "get_metric_data", {"MetricDataResults": [{"Id": "a0", **point, "StatusCode": "PartialData"}], "NextToken": "t"}
        )
        metrics.add_response("get_metric_data", {"MetricDataResults": [{"Id": "a0", **point}, last]})
        metrics.add_response("get_metric_data", {"MetricDataResults": [{"Id": "a0", **point}]})
        found = source.backlog(NOW)
    assert [one.pipeline for one in found] == ["s000", names[STREAMS_A_CALL - 1], names[STREAMS_A_CALL]]


def test_what_is_asked_of_cloudwatch():
    asked = {}
    source = made(Kinesis, streams=["s"])
    with stubbed(source._kinesis) as streams, stubbed(source._cloudwatch) as metrics:
        streams.add_response("list_streams", {"StreamNames": ["s", "t"], "HasMoreStreams": False})
        source._cloudwatch._client.meta.events.register_first("before-parameter-build", lambda params, **_: asked.update(params))
        metrics.add_response("get_metric_data", {"MetricDataResults": []})
        assert source.backlog(NOW) == ()
    assert (asked["StartTime"], asked["EndTime"]) == (NOW - LOOK_BACK, NOW)
    told = [(query["Id"], query["MetricStat"]["Metric"]["MetricName"], query["MetricStat"]["Stat"]) for query in asked["MetricDataQueries"]]
    assert told == [("a0", AGE, "Maximum"), ("i0", INCOMING, "Sum")]


@pytest.mark.parametrize("status", ["Forbidden", "InternalError"])
def test_a_metric_that_cannot_be_read_is_a_source_error(status):
    source = made(Kinesis)
    with stubbed(source._kinesis) as streams, stubbed(source._cloudwatch) as metrics:
        streams.add_response("list_streams", {"StreamNames": ["s"], "HasMoreStreams": False})
        metrics.add_response("get_metric_data", {"MetricDataResults": [{"Id": "a0", "StatusCode": status}]})
        with pytest.raises(SourceError, match=rf"ingestion aws \(cloudwatch in eu-west-1\) cannot be read: get_metric_data: {status}"):
            source.backlog(NOW)


def test_no_permission_is_a_source_error():
    source = made(Kinesis)
    with stubbed(source._kinesis) as streams:
        streams.add_client_error(
            "list_streams", "AccessDeniedException", "not authorized to perform: kinesis:ListStreams", http_status_code=400
        )
        with pytest.raises(SourceError, match=r"do not permit this .*kinesis:ListStreams"):
            source.pipelines()
