"""JSON files that another program writes: bounded, read whole or not at all, and parsed once for each version of them."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from dqmon.errors import SourceError

if TYPE_CHECKING:
    from dqmon.core.plain import Json

Slim: TypeAlias = Callable[[dict[str, Any]], "Json"]
"""What is kept of an object of the file, asked from the innermost outwards, so that the rest never piles up."""
_BYTES_A_VALUE = 16
"""A file may have one value for so many bytes: `[[],[],…` of 64 MB would take gigabytes once parsed."""
_ENDS_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a file held when it was read, and when it was put there."""

    content: dict[str, Json]
    changed_at: datetime


class ArtifactFile:
    """One file that may or may not be there. `slim` is applied to each JSON object in it."""

    def __init__(self, source: str, path: Path, limit_mb: int, slim: Slim | None = None) -> None:
        self._source = source
        self._path = path
        self._limit = limit_mb * 1024 * 1024
        self._slim = slim
        self._kept: tuple[tuple[int, ...], Artifact] | None = None

    def read(self) -> Artifact | None:
        """The file's object, None without a file; parsed again only once the file has changed.

        Raises SourceError for what cannot be read, is too large, or is still being written.
        """
        try:
            # O_NONBLOCK: a named pipe in the file's place would be waited for, for ever.
            with os.fdopen(os.open(self._path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
                before = os.fstat(file.fileno())
                if not stat.S_ISREG(before.st_mode):
                    raise self.error("is no plain file")
                if self._kept and self._kept[0] == _version(before):
                    return self._kept[1]
                # Python takes as much memory as is asked for, before it knows how much there is.
                raw = file.read(min(before.st_size, self._limit) + 1)
                after = os.fstat(file.fileno())
        except FileNotFoundError:
            return None
        except OSError as e:
            raise self.error(f"cannot be read: {e.strerror or e}") from e
        if len(raw) <= self._limit and _version(before) != _version(after):
            raise self.error("is being written; it is read again at the next poll")
        artifact = Artifact(parsed(raw, self._limit, self._slim, self.error), datetime.fromtimestamp(after.st_mtime, UTC))
        self._kept = (_version(after), artifact)
        return artifact

    def error(self, text: str) -> SourceError:
        """The error to raise for what is wrong with the file."""
        return SourceError(f"ingestion {self._source}: {self._path} {text}")


def parsed(raw: bytes, limit: int, slim: Slim | None, error: Callable[[str], SourceError]) -> dict[str, Json]:
    """The JSON object that an artifact of `limit` bytes at most holds; what is wrong with it is raised as `error` makes it."""
    if len(raw) > limit:
        raise error(f"is larger than {limit // 1024**2} MB; max_file_mb permits more")
    if sum(map(raw.count, (b",", b"[", b"{"))) > limit // _BYTES_A_VALUE:
        raise error(f"has more than {limit // _BYTES_A_VALUE} values; max_file_mb permits more")
    try:
        found = json.loads(raw, object_hook=slim)
    except RecursionError:
        raise error("is nested too deeply") from None
    except ValueError as e:
        raise error(f"is being written, or was cut short ({str(e)[:_ENDS_SHOWN]}); it is read again at the next poll") from None
    if not isinstance(found, dict):
        raise error("is no JSON object")
    return found


def _version(found: os.stat_result) -> tuple[int, ...]:
    return found.st_ino, found.st_size, found.st_mtime_ns
