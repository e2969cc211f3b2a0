"""What is measured: a metric, the kind of statement that answers it, and the values that it may have."""

from __future__ import annotations

import dataclasses
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from dqmon.core.histogram import Histogram
from dqmon.core.table import Column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


Key: TypeAlias = tuple[str | None, ...]
"""The values of key columns as texts that are equal on all engines when the values are; None is NULL."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Several values for each key of a table. The store keeps only how many keys there were."""

    by_key: Mapping[Key, tuple[Value, ...]]

    def __str__(self) -> str:
        return f"{len(self.by_key):,} keys"


Value: TypeAlias = int | float | Decimal | str | datetime | tuple[Column, ...] | Totals | Histogram | None
"""A measured value. Decimals stay exact, datetimes are aware UTC, None is SQL's NULL (nothing to measure)."""


class MetricKind(StrEnum):
    """Which kind of scan answers a metric."""

    AGGREGATE = "aggregate"
    SAMPLED = "sampled"
    GROUPED = "grouped"
    STATEMENT = "statement"
    QUERY = "query"
    ROWS = "rows"
    BINNED = "binned"
    METADATA = "metadata"


@dataclass(frozen=True, slots=True)
class Metric(ABC):
    """One thing that can be measured of a table. Equal metrics are measured once.

    A subclass is a frozen, slotted dataclass of hashable fields; `name` is what the store calls it.
    """

    kind: ClassVar[MetricKind]
    name: ClassVar[str]
    empty: ClassVar[Value] = None
    """The value of no rows at all: 0 for a count."""
    is_mergeable: ClassVar[bool] = False
    """True when the value of all rows may follow from those of the table's fragments, by `merge`."""
    is_kept: ClassVar[bool] = True
    """False for a step of a search, such as the buckets that hold differing rows: the store does not keep it."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns of the table that the metric reads, as declared; looked up before any SQL runs."""

    @property
    def key(self) -> str:
        """The canonical text `name(field=value, …)`: stable across runs, part of the stored series."""
        fields = ((f.name, getattr(self, f.name)) for f in dataclasses.fields(self))
        shown = (f"{name}={json.dumps(value, default=str, sort_keys=True)}" for name, value in fields if value not in (None, ()))
        return f"{self.name}({', '.join(shown)})"

    @property
    def written_sql(self) -> tuple[str, ...]:
        """SQL of the configuration that stands in the metric."""
        return ()

    @property
    def beside(self) -> tuple[Metric, ...]:
        """Further metrics of each fragment that `can_merge`, `merge` and `stands` need."""
        return ()

    def can_merge(self, fragments: Sequence[Mapping[Metric, Value]]) -> bool:
        """True when the fragments' values of `beside` show that `merge` will tell the value of all rows."""
        del fragments
        return self.is_mergeable

    def merge(self, fragments: Sequence[Mapping[Metric, Value]]) -> Value:
        """The value of the rows of several fragments together, from the values of each, this metric's and those of `beside`.

        Exactly what one statement over all rows gives; of doubles, up to their rounding. Only where `can_merge`.
        """
        raise TypeError(f"{self.name} of {len(fragments)} fragments: is_mergeable is False")

    def stands(self, value: Value, others: Mapping[Metric, Value]) -> bool:
        """True when `value`, measured earlier over the very same rows together with `others`, is the value now.

        Override where time enters: what was not in the future then may be now.
        """
        del value, others
        return True

    def restore(self, number: float | None, text: str | None) -> Value:
        """The value of a kept measurement; exact where `text` is kept, since it is kept wherever `number` says less."""
        if text is not None:
            return float(text) if text.lower() in ("nan", "inf", "-inf") else Decimal(text)
        return int(number) if number is not None and number.is_integer() else number

    def decode(self, raw: object) -> Value:
        """The value of what the driver returned; override where more than the raw value is meant."""
        return raw  # type: ignore[return-value]  # drivers return the plain types of Value for numbers and text
