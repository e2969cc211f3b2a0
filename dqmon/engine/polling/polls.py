"""What came of reading each source last, so that it is asked once for all checks of a slot, whatever it loads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from dqmon.core.load_record import PipelineInfo
    from dqmon.errors import SourceError


@dataclass(frozen=True, slots=True)
class Poll:
    """When reading a source began, and what it said of its pipelines, or why it could not be read."""

    at: datetime
    infos: tuple[PipelineInfo, ...] = ()
    failure: SourceError | None = None


class Polls:
    """The newest poll of each source by this process, by name; shared by its threads."""

    def __init__(self) -> None:
        self._newest: dict[str, Poll] = {}

    def keep(self, source: str, poll: Poll) -> None:
        """Takes the place of the one before."""
        self._newest[source] = poll

    def newest(self, source: str) -> Poll | None:
        """None of a source that was never read."""
        return self._newest.get(source)

    def is_known(self, source: str, since: datetime, now: datetime) -> bool:
        """True when the source was read in [since, now]: what is judged of `since` needs no further look."""
        poll = self._newest.get(source)
        return poll is not None and since <= poll.at <= now
