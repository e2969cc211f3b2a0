"""What the catalogue answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dqmon.core.metric_kinds import MetadataMetric


@dataclass(frozen=True, slots=True)
class ColumnList(MetadataMetric):
    """The table's columns in order, as a tuple of `Column`; never empty."""

    name: ClassVar[str] = "columns"
