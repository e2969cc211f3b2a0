"""What a detector must offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from dqmon.core.history import Band, History, Learning


class Detector(Protocol):
    """`dqmon/detectors/<type>.py` or an entry point of `dqmon.detectors`: history in, expected band out. Pure."""

    type: ClassVar[str]
    takes: ClassVar[frozenset[str]]
    """Which it reads of the options that not every method has a use for: false_alerts_per_year, sigmas, percent, tail_percent,
    seasonality. A check that gives another one is refused."""

    def __init__(self, options: Mapping[str, object]) -> None:
        """The options of the anomaly check whose `method` names this detector; those that are not given are left out."""

    def expect(self, history: History, at: datetime, timezone: str) -> Band | Learning:
        """The band for the value at `at`, from points before it; seasons are read in `timezone`."""
