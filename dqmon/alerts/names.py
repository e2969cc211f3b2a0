"""What groups remember of the alerts that they told of, name by name, and what differs from it later. Pure.

An alert's name is its key, or its key with a bad partition or segment; one that flaps has a single name that says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from dqmon.alerts.flapping import HELD
from dqmon.alerts.wording import count, named_member, some, trouble
from dqmon.core.alert import AlertKind

if TYPE_CHECKING:
    from dqmon.core.alert import Alert

_FLAPPING = " [flapping]"


def names_of(alerts: Iterable[Alert]) -> tuple[str, ...]:
    """The names of the alerts' bad partitions and segments, sorted."""
    return tuple(sorted(name for alert in alerts for name in _names(alert)))


def check_of(name: str) -> str:
    """The alert of a name."""
    return name.split(" [", 1)[0]


def held_text(names: Collection[str]) -> str:
    """Why nothing is repeated of alerts with these names: all of them flap; empty when one does not."""
    flapping = _flapping(names)
    return _began(flapping) if flapping and len(flapping) == len(names) else ""


def flapping_text(names: Collection[str]) -> tuple[str, ...]:
    """What the first message says besides what is wrong: which of the alerts flap."""
    flapping = _flapping(names)
    return (_began(flapping),) if flapping else ()


def differences(before: Collection[str], after: Collection[str]) -> tuple[str, ...]:
    """What differs between the names that were told and those of now, as sentences."""
    checks_before, checks_after = ({check_of(name) for name in names} for names in (before, after))
    began = _flapping(after) - _flapping(before)
    ended = (_flapping(before) - _flapping(after)) & checks_after
    turned = (began & checks_before) | ended
    added = sorted(name for name in after if name not in before and check_of(name) not in turned)
    gone = sorted(name for name in before if name not in after and check_of(name) not in turned)
    parts = [name for name in added if check_of(name) in checks_before]
    checks = sorted({check_of(name) for name in added} - checks_before)
    said = [_began(began)] if began else []
    if ended:
        said.append(f"steady again: {some(sorted(ended))}")
    if parts:
        noun = "more segment" if all("=" in name for name in parts) else "more partition"
        said.append(f"{count(len(parts), noun)} {_trouble(parts)}: {some(parts)}")
    if checks:
        said.append(f"{count(len(checks), 'more check')} {_trouble(checks)}: {some(checks)}")
    recovered = dict.fromkeys(name if check_of(name) in checks_after else check_of(name) for name in gone)
    if recovered:
        said.append(f"recovered: {some(recovered)}")
    return tuple(said)


def _names(alert: Alert) -> Collection[str]:
    if alert.is_flapping:
        return [f"{alert.key}{_FLAPPING}"]
    return [named_member(alert.key, member) for member in alert.members] or [str(alert.key)]


def _flapping(names: Iterable[str]) -> frozenset[str]:
    """The alerts of the names that flap."""
    return frozenset(check_of(name) for name in names if name.endswith(_FLAPPING))


def _began(flapping: Iterable[str]) -> str:
    return f"flapping, {HELD}: {some(sorted(flapping))}"


def _trouble(names: Sequence[str]) -> str:
    is_error = all(check_of(name).endswith("#error") for name in names)
    return trouble(AlertKind.ERROR if is_error else AlertKind.DATA, len(names))
