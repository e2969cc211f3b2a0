"""The CSV files of `dqmon backtest --series`: what is read, and what is written."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from dqmon.core.history import Point
from dqmon.errors import UsageError

if TYPE_CHECKING:
    from dqmon.engine.past.backtest import Judged

READ = ("series_id", "timestamp", "value")
WRITTEN = ("series_id", "timestamp", "is_anomaly", "expected_low", "expected_high", "score")


@dataclass(frozen=True, slots=True)
class Row:
    """A value and its time, also as it was written."""

    written_at: str
    point: Point


def read_series(path: str) -> dict[str, list[Row]]:
    """The rows of each series in order of time; series in the order of their first row. `-` is stdin.

    A time without a zone is UTC. UsageError names the line of what is not understood.
    """
    found: dict[str, list[Row]] = {}
    try:
        with _opened(path, "r", "--series") as file:
            for line, fields in _records(file, path):
                found.setdefault(fields["series_id"], []).append(_row(fields, f"{path}:{line}"))
    except UnicodeDecodeError as e:
        raise UsageError(f"{path}: this is no text in UTF-8 ({e.reason} at byte {e.start})") from e
    if not found:
        raise UsageError(f"{path}: there is no row below the header; a row is a series, a time and a value")
    for rows in found.values():
        rows.sort(key=lambda row: row.point.at)
    return found


@contextmanager
def verdict_file(path: str) -> Iterator[VerdictFile]:
    """Where verdicts are written as they come; `-` is stdout. UsageError when it cannot be opened."""
    with _opened(path, "w", "--output") as file:
        yield VerdictFile(file)


class VerdictFile:
    """The verdicts, a row each, after a header."""

    def __init__(self, file: IO[str]) -> None:
        self._rows = csv.writer(file, lineterminator="\n")
        self._rows.writerow(WRITTEN)

    def write(self, series: str, written_at: str, judged: Judged, score: float) -> None:
        """One verdict; a bound that there is none of is empty."""
        expected = judged.judgement.expected
        bounds = ("" if bound is None else f"{bound:.10g}" for bound in (expected.low, expected.high))
        self._rows.writerow((series, written_at, int(judged.is_bad), *bounds, f"{score:.4f}"))


def _records(file: IO[str], path: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The fields of each row that is not empty, with the line on which it ends."""
    reader = csv.reader(file, strict=True)
    try:
        header = [name.strip().lstrip("\ufeff") for name in next(reader, [])]
        if missing := [name for name in READ if name not in header]:
            raise UsageError(f"{path}:1: the header has no {' and no '.join(missing)}; expected {','.join(READ)}")
        for fields in reader:
            if not fields:
                continue
            if len(fields) != len(header):
                raise UsageError(f"{path}:{reader.line_num}: {len(fields)} fields, the header has {len(header)}")
            yield reader.line_num, dict(zip(header, fields, strict=True))
    except csv.Error as e:
        raise UsageError(f"{path}:{reader.line_num}: {e}") from e


def _row(fields: Mapping[str, str], where: str) -> Row:
    written_at, text = fields["timestamp"].strip(), fields["value"].strip()
    try:
        at = datetime.fromisoformat(written_at)
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{where}: {written_at!r} is no time; write it as 2026-03-29 or 2026-03-29T14:00:00Z") from None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"{where}: {text!r} is no finite number; leave the row out where nothing was measured")
    return Row(written_at, Point(at, value))


@contextmanager
def _opened(path: str, mode: str, option: str) -> Iterator[IO[str]]:
    if path == "-":
        yield sys.stdin if mode == "r" else sys.stdout
        return
    try:
        file = Path(path).open(mode, encoding="utf-8", newline="")  # noqa: SIM115 - closed below; only opening is a UsageError
    except OSError as e:
        raise UsageError(f"{option} {path}: {e.strerror}") from e
    with file:
        yield file
