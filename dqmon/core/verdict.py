"""The closed sets of words: verdict, severity, dimension, unit."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What a check says. ERROR = could not be measured: it says nothing about the data."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WARN = "warn"
    FAIL = "fail"
    ERROR = "error"
    SKIPPED = "skipped"

    @property
    def is_bad(self) -> bool:
        """True for the verdicts that a data alert is made of."""
        return self in (Verdict.WARN, Verdict.FAIL)


class Severity(StrEnum):
    """What an alert costs, in PagerDuty's four words; compare by `rank`."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info up to 3 for critical."""
        return list(Severity).index(self)


def least(a: Severity, b: Severity) -> Severity:
    """The milder of two severities."""
    return min(a, b, key=lambda severity: severity.rank)


def worst(a: Severity, b: Severity) -> Severity:
    """The more severe of two severities."""
    return max(a, b, key=lambda severity: severity.rank)


class Dimension(StrEnum):
    """The quality dimension that a check type speaks of."""

    COMPLETENESS = "completeness"
    UNIQUENESS = "uniqueness"
    VALIDITY = "validity"
    CONSISTENCY = "consistency"
    TIMELINESS = "timeliness"
    VOLUME = "volume"
    SCHEMA = "schema"
    ACCURACY = "accuracy"


class Unit(StrEnum):
    """The unit of an observed value."""

    ROWS = "rows"
    SECONDS = "seconds"
    RATIO = "ratio"
    VALUE = "value"
    CHANGES = "changes"
