"""Logs: an event name and key/values, on stderr; structlog is loaded only when something is logged."""

from __future__ import annotations

import logging
import sys
from functools import cached_property
from typing import Any


class Log:
    """A named logger: `log.info("scan failed", run_id=…, dataset=…)`. Never give it secrets or row values."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, **fields: Any) -> None:
        """For the developer."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """What happened as it should."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """What somebody should look at some day."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """What somebody should look at now; inside `except`, the traceback is logged too at debug level."""
        self._write(logging.ERROR, event, fields)

    def _write(self, level: int, event: str, fields: dict[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, extra={"fields": fields})


FIELD_LIMIT = 8_192
"""Characters of one logged value."""


def configure(level: str, *, as_json: bool) -> None:
    """Sends all logs to stderr, one line a record, control characters escaped."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(as_json=as_json))
    for name, least in (("dqmon", level.upper()), ("apscheduler", "ERROR")):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(least)
        logger.propagate = False


class _Lines(logging.Formatter):
    """structlog's rendering, loaded with the first record: a command that logs nothing does not pay for it."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        return self._inner.format(record)

    @cached_property
    def _inner(self) -> logging.Formatter:
        import structlog

        def flatten(_: object, __: str, event: Any) -> Any:
            fields = getattr(event.get("_record"), "fields", {})
            return event | {key: _clean(value) for key, value in fields.items()}

        return structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                flatten,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer() if self._as_json else structlog.dev.ConsoleRenderer(colors=False),
            ]
        )


def _clean(value: object) -> object:
    if isinstance(value, bool | int | float) or value is None:
        return value
    text = str(value)[:FIELD_LIMIT]
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
