"""The metrics that dqmon's own check types share; one file a family, imported when one of it is asked for (PEP 562)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dqmon.sql.metrics.catalogue import ColumnList, LastChange
    from dqmon.sql.metrics.counts import ColumnCount, InvalidRangeCount, MissingCount, NonMissingCount, RowCount
    from dqmon.sql.metrics.histograms import ColumnHistogram
    from dqmon.sql.metrics.instants import FutureCount, LatestInstant, MaxIngestionDelay
    from dqmon.sql.metrics.key_ways import Copies, IsOutOfOrder, RepeatedHashes, SampledLength, SurplusByBitmap
    from dqmon.sql.metrics.keys import CompleteKeyCount, DistinctKeys, DuplicatedKeys, KeyedRows, SurplusRows
    from dqmon.sql.metrics.references import MissingReference
    from dqmon.sql.metrics.rows import Buckets, ComparedColumns, KeyBound, RowHashes, RowSums
    from dqmon.sql.metrics.samples import BrokenRules
    from dqmon.sql.metrics.shortcuts import CountByValue, SampledValues
    from dqmon.sql.metrics.statistics import Greatest, Least, Sum, statistic
    from dqmon.sql.metrics.texts import InvalidFormatCount, InvalidLengthCount, InvalidPatternCount
    from dqmon.sql.metrics.totals import TotalsByKey
    from dqmon.sql.metrics.values import ListedCount, UnlistedCount
    from dqmon.sql.metrics.written import BrokenConditionCount, ReturnedRows, ReturnedValue

__all__ = [
    "BrokenConditionCount",
    "BrokenRules",
    "Buckets",
    "ColumnCount",
    "ColumnHistogram",
    "ColumnList",
    "ComparedColumns",
    "CompleteKeyCount",
    "Copies",
    "CountByValue",
    "DistinctKeys",
    "DuplicatedKeys",
    "FutureCount",
    "Greatest",
    "InvalidFormatCount",
    "InvalidLengthCount",
    "InvalidPatternCount",
    "InvalidRangeCount",
    "IsOutOfOrder",
    "KeyBound",
    "KeyedRows",
    "LastChange",
    "LatestInstant",
    "Least",
    "ListedCount",
    "MaxIngestionDelay",
    "MissingCount",
    "MissingReference",
    "NonMissingCount",
    "RepeatedHashes",
    "ReturnedRows",
    "ReturnedValue",
    "RowCount",
    "RowHashes",
    "RowSums",
    "SampledLength",
    "SampledValues",
    "Sum",
    "SurplusByBitmap",
    "SurplusRows",
    "TotalsByKey",
    "UnlistedCount",
    "statistic",
]

_FAMILIES = {
    "catalogue": ("ColumnList", "LastChange"),
    "counts": (
        "ColumnCount",
        "InvalidRangeCount",
        "MissingCount",
        "NonMissingCount",
        "RowCount",
    ),
    "histograms": ("ColumnHistogram",),
    "instants": (
        "FutureCount",
        "LatestInstant",
        "MaxIngestionDelay",
    ),
    "key_ways": (
        "Copies",
        "IsOutOfOrder",
        "RepeatedHashes",
        "SampledLength",
        "SurplusByBitmap",
    ),
    "keys": (
        "CompleteKeyCount",
        "DistinctKeys",
        "DuplicatedKeys",
        "KeyedRows",
        "SurplusRows",
    ),
    "references": ("MissingReference",),
    "samples": ("BrokenRules",),
    "rows": (
        "Buckets",
        "ComparedColumns",
        "KeyBound",
        "RowHashes",
        "RowSums",
    ),
    "shortcuts": (
        "CountByValue",
        "SampledValues",
    ),
    "statistics": (
        "Greatest",
        "Least",
        "Sum",
        "statistic",
    ),
    "texts": (
        "InvalidFormatCount",
        "InvalidLengthCount",
        "InvalidPatternCount",
    ),
    "totals": ("TotalsByKey",),
    "values": (
        "ListedCount",
        "UnlistedCount",
    ),
    "written": (
        "BrokenConditionCount",
        "ReturnedRows",
        "ReturnedValue",
    ),
}
_FILES = {name: family for family, names in _FAMILIES.items() for name in names}


def __getattr__(name: str) -> object:
    """The metric of that name, from its family's file."""
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FILES[name]}"), name)
