"""What is known while a run measures, so that what to ask next can follow from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dqmon.core.measurement import Measurement, MetricRequest
from dqmon.core.metric import Value


@dataclass(frozen=True, slots=True)
class Known(Mapping[MetricRequest, Value]):
    """The values of measured requests without segments; one that failed has none."""

    measured: Mapping[MetricRequest, tuple[Measurement, ...]]

    def __getitem__(self, request: MetricRequest) -> Value:
        measurement = self.measured[request][0]
        if measurement.failure is not None:
            raise KeyError(request)
        return measurement.value

    def __iter__(self) -> Iterator[MetricRequest]:
        return (request for request, (first, *_) in self.measured.items() if first.failure is None)

    def __len__(self) -> int:
        return sum(1 for _ in self)
