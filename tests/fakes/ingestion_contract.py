"""What every ingestion source must keep, whatever tool it reads; called by the tests of each with its own recorded state."""

from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel

from dqmon.core.lineage import kind_of
from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.core.options import SourceOptions
from dqmon.core.protocols import AtOnce, Lineaged
from dqmon.core.table import split_dataset

KINDS = {"load", "backfill", "reset", "refresh", "schema"}
UNITS = {"messages", "files", "bytes", "seconds"}
KNOWN = {"success", "failures", "running", "duration", "rows", "schema", "cursor", "rejects", "orphans", "backlog", "schedule", "heartbeat"}
TEXTS = ("raw_status", "schema_version", "cursor", "error", "table")
NUMBERS = ("rows", "rows_rejected")


def check_source(source, since, until):
    """Asserts what holds for all sources, and gives back the records of [since, until) for the test's own assertions."""
    _check_class(source)
    pipelines = source.pipelines()
    assert isinstance(pipelines, tuple)
    for info in pipelines:
        assert isinstance(info, PipelineInfo)
        assert info.source == source.name
        assert info.pipeline, "a pipeline without a name"
        assert isinstance(info.tables, tuple)
        assert info.is_paused in (None, True, False)
    names = [info.pipeline for info in pipelines]
    assert len(set(names)) == len(names), f"pipelines() names one twice: {names}"
    records = source.loads(since, until)
    assert isinstance(records, tuple)
    for record in records:
        check_record(source, record, until)
    _check_order(records)
    if isinstance(source, AtOnce):
        assert source.both(since, until) == (pipelines, records), "asked for both at once, the source says something else"
    assert source.loads(since, until) == records, "asked a second time for the same window, the source says something else"
    assert source.loads(until, until) == () or all(_is_open(r) for r in source.loads(until, until)), "an empty window has finished loads"
    _check_window(source, records, since, until)
    for waiting in source.backlog(until):
        _check_backlog(source, waiting, until)
    if isinstance(source, Lineaged):
        _check_lineage(source)
    return records


def check_record(source, record, until):
    """One record: whose it is, its types, aware UTC, nothing of the future."""
    assert isinstance(record, LoadRecord)
    assert record.source == source.name
    assert record.pipeline
    assert isinstance(record.load_id, str)
    assert record.load_id
    assert isinstance(record.status, LoadStatus)
    assert record.kind in KINDS
    assert isinstance(record.attempt, int)
    for name in TEXTS:
        value = getattr(record, name)
        assert value is None or (isinstance(value, str) and value), f"{name} is {value!r}: neither text nor None"
    for name in NUMBERS:
        value = getattr(record, name)
        assert value is None or (type(value) is int and value >= 0), f"{name} is {value!r}: neither a count nor None"
    for one in fields(record):
        value = getattr(record, one.name)
        if isinstance(value, datetime):
            assert value.tzinfo is UTC, f"{one.name} is {value!r}: not aware UTC"
    assert record.observed_at == until, "`until` is the time of observing"
    assert all(isinstance(k, str) and isinstance(v, str) for k, v in record.extra.items())
    if record.started_at and record.finished_at:
        assert record.started_at <= record.finished_at
    if record.status in (LoadStatus.QUEUED, LoadStatus.RUNNING):
        assert record.finished_at is None, f"a load that is {record.status} has an end"


def _check_class(source):
    cls = type(source)
    assert cls.type == cls.__module__.rpartition(".")[2], "the module is named as the type"
    assert issubclass(cls.Options, SourceOptions)
    assert issubclass(cls.Options, BaseModel)
    assert not is_dataclass(cls.Options)
    assert isinstance(cls.provides, frozenset)
    assert cls.provides <= KNOWN, f"{sorted(cls.provides - KNOWN)} are capabilities that nobody knows"
    assert cls.__doc__, "the class says what it reads"


def _check_order(records):
    keys = [(r.source, r.pipeline, r.load_id, r.attempt, r.table) for r in records]
    doubles = sorted({str(key) for key in keys if keys.count(key) > 1})
    assert not doubles, f"records with one key: {doubles}"
    starts = [r.started_at or r.finished_at or r.observed_at for r in records]
    assert starts == sorted(starts), "records are not in order of their start, oldest first"


def _check_window(source, records, since, until):
    """Finished loads are of [since, until): a window that ends at an end leaves that load to the next one, and none is lost."""
    ends = sorted({r.finished_at for r in records if r.finished_at})
    for end in ends:
        assert since <= end < until, f"a load that ended at {end} is not of [{since}, {until})"
    if not ends:
        return
    last, tick = ends[-1], timedelta(microseconds=1)
    key = lambda r: (r.pipeline, r.load_id, r.attempt, r.table)  # noqa: E731
    expected = {key(r) for r in records if r.finished_at == last}
    before = {key(r) for r in source.loads(since, last) if r.finished_at == last}
    assert not before, "a load that ends at `until` itself belongs to the next window"
    assert expected <= {key(r) for r in source.loads(last, last + tick)}, "a load that ends at `since` belongs to the window"


def _is_open(record):
    return record.finished_at is None


def _check_lineage(source):
    """Nodes are named as in `core.lineage`, nothing is made from itself or from an exposure, and the tool says the same when asked again."""
    found = source.lineage()
    assert source.lineage() == found
    for edge in found.edges:
        assert edge.child != edge.parent, f"{edge.child} is made from itself"
        assert kind_of(edge.parent) != "exposure", f"{edge.child} is made from an exposure"
    for node in found.nodes:
        if kind_of(node) == "dataset":
            assert split_dataset(node.partition(":")[2]), f"{node!r} is no table"
        else:
            assert all(node.partition("/")), f"{node!r} is neither source/pipeline nor an exposure"
    assert all(node == exposure.node for node, exposure in found.exposures.items())


def _check_backlog(source, waiting, at):
    assert isinstance(waiting, Backlog)
    assert waiting.source == source.name
    assert waiting.pipeline
    assert type(waiting.pending) is int
    assert waiting.pending >= 0
    assert waiting.unit in UNITS
    assert waiting.observed_at == at
    assert waiting.oldest_pending_at is None or waiting.oldest_pending_at.tzinfo is UTC
