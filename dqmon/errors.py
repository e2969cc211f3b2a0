"""The exception tree. What is wrong with data is a Verdict, never an exception."""

from __future__ import annotations

from dataclasses import dataclass


class DqmonError(Exception):
    """Anything dqmon raises on purpose; its text is fit to be shown to a user as it is."""


class UsageError(DqmonError):
    """The command's words are off: an unknown check, a selector that selects nothing. Exit code 2."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in one file: what was found where, what was expected, what to do.

    `line` is 1-based; None when the file as a whole is meant.
    """

    path: str
    line: int | None
    message: str
    hint: str | None = None
    is_warning: bool = False

    def __str__(self) -> str:
        where = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{where}: {self.message}" + (f"; {self.hint}" if self.hint else "")


class ConfigError(DqmonError):
    """Every problem of the configuration at once. Exit code 2."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class ExtensionError(DqmonError):
    """An extension that cannot be imported, has no such name, or shares a name with another one."""


class WarehouseError(DqmonError):
    """A warehouse could not answer. Driver exceptions never leave `warehouses/` but as one of these."""


class ConnectFailed(WarehouseError):
    """No connection: unreachable, refused, bad credentials, dropped in mid-query."""


class Unreachable(ConnectFailed):
    """The warehouse as a whole does not answer; its own alert says so, not those of its checks."""


class WarehouseBusy(WarehouseError):
    """Another process holds the file for now; worth another try later."""


class QueryFailed(WarehouseError):
    """The engine refused the statement."""


class QueryTimeout(WarehouseError):
    """The statement passed its limit and was cancelled where it ran."""


class PermissionDenied(WarehouseError):
    """The role may not read this."""


class TableMissing(WarehouseError):
    """There is no such table or view, or the role may not see it."""


class ColumnMissing(WarehouseError):
    """The table has no such column."""


class TooManySegments(WarehouseError):
    """`segment_by` has more value combinations than `max_segments`; the message names the count."""


class UnsafeSql(WarehouseError):
    """SQL of the configuration is not one single SELECT."""


class FrameNotJudged(DqmonError):
    """A check could not be measured on a frame, so that nobody can say which of its rows are good."""


class SourceError(DqmonError):
    """An ingestion source could not be read: unknown, neither ok nor stale."""

    @property
    def is_cut_off(self) -> bool:
        """True when nothing but the source's warehouse could not be reached: the warehouse's own alert says that."""
        return isinstance(self.__cause__, ConnectFailed)


class NotifyError(DqmonError):
    """A channel did not take a message."""


class Transient(NotifyError):
    """Worth another try; `retry_after_s` is what the vendor asked for, if it did."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Permanent(NotifyError):
    """The same message will never be taken: a wrong key, a missing channel, a bad payload."""


class OutcomeUnknown(NotifyError):
    """The connection broke after the request was sent: the vendor may have taken the message."""


class StoreError(DqmonError):
    """The store cannot be read or written. Exit code 4 when a check could not be recorded."""


class LeaseLost(StoreError):
    """Somebody else holds the lease now, so this write was refused (fencing)."""
