"""The metrics that dqmon's own check types share; one file a family."""

from dqmon.sql.metrics.catalogue import ColumnList
from dqmon.sql.metrics.counts import InvalidRangeCount, MissingCount, NonMissingCount, RowCount
from dqmon.sql.metrics.instants import FutureCount, LatestInstant, MaxIngestionDelay
from dqmon.sql.metrics.keys import CompleteKeyCount, DistinctKeys, DuplicatedKeys, KeyedRows, SurplusRows
from dqmon.sql.metrics.references import MissingReference
from dqmon.sql.metrics.statistics import statistic
from dqmon.sql.metrics.texts import InvalidFormatCount, InvalidLengthCount, InvalidPatternCount
from dqmon.sql.metrics.values import ListedCount, UnlistedCount
from dqmon.sql.metrics.written import BrokenConditionCount, ReturnedRows, ReturnedValue

__all__ = [
    "BrokenConditionCount",
    "ColumnList",
    "CompleteKeyCount",
    "DistinctKeys",
    "DuplicatedKeys",
    "FutureCount",
    "InvalidFormatCount",
    "InvalidLengthCount",
    "InvalidPatternCount",
    "InvalidRangeCount",
    "KeyedRows",
    "LatestInstant",
    "ListedCount",
    "MaxIngestionDelay",
    "MissingCount",
    "MissingReference",
    "NonMissingCount",
    "ReturnedRows",
    "ReturnedValue",
    "RowCount",
    "SurplusRows",
    "UnlistedCount",
    "statistic",
]
