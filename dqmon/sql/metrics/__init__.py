"""The metrics that dqmon's own check types share; one file a family."""

from dqmon.sql.metrics.catalogue import ColumnList
from dqmon.sql.metrics.counts import ColumnCount, InvalidRangeCount, MissingCount, NonMissingCount, RowCount
from dqmon.sql.metrics.instants import FutureCount, LatestInstant, MaxIngestionDelay
from dqmon.sql.metrics.keys import CompleteKeyCount, DistinctKeys, DuplicatedKeys, KeyedRows, SurplusRows
from dqmon.sql.metrics.references import MissingReference
from dqmon.sql.metrics.statistics import Greatest, Least, Sum, statistic
from dqmon.sql.metrics.texts import InvalidFormatCount, InvalidLengthCount, InvalidPatternCount
from dqmon.sql.metrics.totals import TotalsByKey
from dqmon.sql.metrics.values import ListedCount, UnlistedCount
from dqmon.sql.metrics.written import BrokenConditionCount, ReturnedRows, ReturnedValue

__all__ = [
    "BrokenConditionCount",
    "ColumnCount",
    "ColumnList",
    "CompleteKeyCount",
    "DistinctKeys",
    "DuplicatedKeys",
    "FutureCount",
    "Greatest",
    "InvalidFormatCount",
    "InvalidLengthCount",
    "InvalidPatternCount",
    "InvalidRangeCount",
    "KeyedRows",
    "LatestInstant",
    "Least",
    "ListedCount",
    "MaxIngestionDelay",
    "MissingCount",
    "MissingReference",
    "NonMissingCount",
    "ReturnedRows",
    "ReturnedValue",
    "RowCount",
    "Sum",
    "SurplusRows",
    "TotalsByKey",
    "UnlistedCount",
    "statistic",
]
