"""How many of the incidents that people spoke of were real, by check and by owner. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dqmon.core.feedback import Feedback

if TYPE_CHECKING:
    from dqmon.core.incident import Incident
    from dqmon.engine.rehearsal.compare import Known

NOBODY = "-"
"""The owner of checks that name none, or are gone."""


@dataclass(frozen=True, slots=True)
class Precision:
    """What was said of the incidents of a check or an owner: counts of incidents."""

    name: str
    real: int = 0
    expected: int = 0
    bad_threshold: int = 0
    unlabelled: int = 0

    @property
    def labelled(self) -> int:
        """Of how many somebody said what they were."""
        return self.real + self.expected + self.bad_threshold

    @property
    def incidents(self) -> int:
        """All of them."""
        return self.labelled + self.unlabelled

    @property
    def ratio(self) -> float | None:
        """Real ones among those that were labelled, 0 to 1; None while none is."""
        return self.real / self.labelled if self.labelled else None

    @property
    def unlabelled_ratio(self) -> float:
        """The share of which nobody said anything; 0 without any incident."""
        return self.unlabelled / self.incidents if self.incidents else 0.0


def by_check(known: Iterable[Known]) -> tuple[Precision, ...]:
    """By check that people were told of in an incident, those with most incidents first; what was inhibited does not count."""
    return _by((check_id, one) for one in known for check_id in told_checks(one.incident))


def by_owner(known: Iterable[Known], owners: Mapping[str, str | None]) -> tuple[Precision, ...]:
    """By owner of those checks; `owners` is by check. An incident counts once for each owner."""
    return _by((owner, one) for one in known for owner in {owners.get(id_) or NOBODY for id_ in told_checks(one.incident)})


def told_checks(incident: Incident) -> frozenset[str]:
    """The checks whose alerts were the news of it, not the consequence of another one."""
    return frozenset(member.key.check_id for member in incident.members.values() if member.caused_by is None)


def _by(pairs: Iterable[tuple[str, Known]]) -> tuple[Precision, ...]:
    counts: dict[str, Counter[Feedback | None]] = {}
    for name, one in pairs:
        counts.setdefault(name, Counter())[one.feedback] += 1
    words = (Feedback.REAL, Feedback.EXPECTED, Feedback.BAD_THRESHOLD, None)
    found = [Precision(name, *(said[word] for word in words)) for name, said in counts.items()]
    return tuple(sorted(found, key=lambda one: (-one.incidents, one.name)))
