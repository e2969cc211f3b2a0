"""Which channels hear what people answer in them: those of the daemon that leads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from dqmon.core.protocols import Listening

if TYPE_CHECKING:
    from dqmon.core.press import Press
    from dqmon.core.protocols import Channel


class Listeners:
    """Starts and stops listening; never waits. Used by the tick, and once at the end."""

    def __init__(self, channels: Iterable[Channel], act: Callable[[Press], str]) -> None:
        self._channels = tuple(channel for channel in channels if isinstance(channel, Listening))
        self._act = act
        self._stops: list[Callable[[], None]] | None = None

    def tune(self, is_leading: bool) -> None:
        """Listens while this process leads: two that hear the same press would both answer it."""
        if is_leading and self._stops is None:
            self._stops = [stop for channel in self._channels if (stop := channel.listen(self._act)) is not None]
        elif not is_leading:
            self.stop()

    def stop(self) -> None:
        """Ends what was started."""
        for stop in self._stops or ():
            stop()
        self._stops = None
