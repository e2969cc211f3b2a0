"""What two declarations of the same checks differ in. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Literal

from dqmon.core.check import Check, Hold, PartitionBy, Schedule
from dqmon.core.duration import format_duration

_WRITTEN = {"hold_for": "for", "where": "filter"}
"""Fields of a check that have another name in check files."""
_NOT_SHOWN = ("id", "source", "rule", "table", "pipeline", "was", "python_path", "guide")


@dataclass(frozen=True, slots=True)
class Difference:
    """A key of a check file with its value before and after, as texts; `-` where it is not set."""

    key: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Change:
    """A check that is new (`+`), another one (`~`) or gone (`-`). A new one has no `before`, one that is gone no `after`."""

    sign: Literal["+", "~", "-"]
    before: Check | None
    after: Check | None
    differences: tuple[Difference, ...] = ()

    @property
    def check(self) -> Check:
        """The check as it is, or as it was last."""
        found = self.after or self.before
        assert found is not None  # noqa: S101 - a change has one of them
        return found


def changes(before: Mapping[str, Check], after: Mapping[str, Check]) -> tuple[Change, ...]:
    """What is added, changed and removed, in that order and as declared. A check that moved in its file is the same;
    one with `was:` is that one, changed.
    """
    known = {id_: before.get(id_) or before.get(check.was or "") for id_, check in after.items()}
    added = [Change("+", None, check) for id_, check in after.items() if known[id_] is None]
    changed = []
    for id_, check in after.items():
        old = known[id_]
        if old is not None and (found := tuple(differences(old, check))):
            changed.append(Change("~", old, check, found))
    kept = {old.id for old in known.values() if old is not None}
    removed = [Change("-", check, None) for id_, check in before.items() if id_ not in kept]
    return (*added, *changed, *removed)


def differences(before: Check, after: Check) -> Iterator[Difference]:
    """The keys that differ: those of every check, then the options of its type."""
    if before.id != after.id:
        yield Difference("id", before.id, after.id)
    if before.type != after.type:
        yield Difference("type", before.type, after.type)
    for field in fields(Check):
        if field.name not in _NOT_SHOWN:
            old, new = getattr(before, field.name), getattr(after, field.name)
            if old != new:
                yield Difference(_WRITTEN.get(field.name, field.name), _text(old), _text(new))
    models = {**type(before.rule).model_fields, **type(after.rule).model_fields}
    for name, option in models.items():
        old, new = getattr(before.rule, name, None), getattr(after.rule, name, None)
        if old != new:
            yield Difference(option.alias or name, _text(old), _text(new))


def _text(value: object) -> str:
    match value:
        case None | () | "":
            return "-"
        case Hold():
            return str(value.count) if value.duration_s is None else format_duration(value.duration_s)
        case Schedule():
            return f"every {format_duration(value.every_s)}" if value.every_s is not None else f"{value.cron} {value.timezone}"
        case PartitionBy():
            return f"{value.lookback} {value.grain} of {value.column}, lag {format_duration(value.lag_s)}"
        case tuple() | list() | frozenset():
            return ", ".join(map(str, value))
        case _:
            return str(value)
