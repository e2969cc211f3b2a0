"""How fast a channel is sent to: a token bucket for each, by what its vendor takes. Nobody waits for a token here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.core.protocols import Paced

if TYPE_CHECKING:
    from dqmon.core.protocols import Channel

_NEARLY = 1 - 1e-6
"""Of a token, since times are rounded to microseconds."""


class Pace:
    """The buckets of one process, by the names of channels; each is full at first, and again when the clock is set back.

    A channel is sent to by one thread at a time.
    """

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, datetime]] = {}

    def ready(self, channels: Mapping[str, Channel], now: datetime) -> dict[str, Channel]:
        """Those that may be sent to at `now`."""
        return {name: channel for name, channel in channels.items() if self.free_at(name, channel, now) <= now}

    def free_at(self, name: str, channel: Channel, now: datetime) -> datetime:
        """When the channel may be sent to: `now`, or when it has a token again."""
        if not isinstance(channel, Paced):
            return now
        tokens = self._tokens(name, channel, now)
        return now if tokens >= _NEARLY else now + timedelta(seconds=(1 - tokens) / channel.rate.per_s)

    def spend(self, name: str, channel: Channel, now: datetime) -> None:
        """Takes a token for an attempt."""
        if isinstance(channel, Paced):
            self._buckets[name] = (self._tokens(name, channel, now) - 1, now)

    def _tokens(self, name: str, channel: Paced, now: datetime) -> float:
        size = float(channel.rate.burst)
        left, at = self._buckets.get(name, (size, now))
        return size if now < at else min(size, left + (now - at).total_seconds() * channel.rate.per_s)
