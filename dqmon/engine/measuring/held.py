"""A file's session that is given back again and again, so that whoever loads into the file need not wait for a whole run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, Self, cast

if TYPE_CHECKING:
    from types import TracebackType

    from dqmon.core.protocols import Session, Warehouse
    from dqmon.core.spending import Spending
    from dqmon.core.table import TableRef

HELD_S = 2.0
"""How long a file stays open at most before the next statement; opening it anew costs 14 ms."""


@contextmanager
def session_of(warehouse: Warehouse) -> Iterator[Session]:
    """A session as `warehouse.open()` gives it; of a file one that is given back every HELD_S."""
    with Held(warehouse) if warehouse.capabilities.is_file else warehouse.open() as session:
        yield cast("Session", session)


class Held:
    """Does what the session of `warehouse.open()` does, by another one once the last was open for HELD_S.

    Between two of them somebody may write: what was looked up before may be of older rows than what is read after. Raises
    what `open` raises, from any call.
    """

    def __init__(self, warehouse: Warehouse, clock: Callable[[], float] = monotonic) -> None:
        self._warehouse = warehouse
        self._clock = clock
        self._announced: list[TableRef] = []
        self._labels: Mapping[str, str] = {}
        self._stack = ExitStack()
        self._session: Session
        self._since: float

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def spent(self) -> Spending:
        """Of the last fetch."""
        return self._session.spent

    @property
    def labels(self) -> Mapping[str, str]:
        """As of a session; they hold for the following ones, too."""
        return self._labels

    @labels.setter
    def labels(self, labels: Mapping[str, str]) -> None:
        self._labels = self._session.labels = labels

    def announce(self, tables: Iterable[TableRef]) -> None:
        """As of a session; holds for the following ones, too."""
        self._announced += tables
        self._session.announce(self._announced)

    def __getattr__(self, name: str) -> Any:
        """A method of the session."""
        if self._clock() - self._since > HELD_S:
            self._stack.close()
            self._open()
        return getattr(self._session, name)

    def _open(self) -> None:
        self._session = self._stack.enter_context(self._warehouse.open())
        self._session.announce(self._announced)
        self._session.labels = self._labels
        self._since = self._clock()
