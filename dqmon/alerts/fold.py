"""One run's results of one check, folded into one outcome for its data alert and one for its error alert."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from dqmon.alerts.wording import observed_text
from dqmon.core.alert import Member, MemberExit, MemberKey, Outcome
from dqmon.core.measurement import segment_key
from dqmon.core.result import record
from dqmon.core.verdict import Severity, Verdict, least

if TYPE_CHECKING:
    from dqmon.core.check import Check
    from dqmon.core.measurement import Partition
    from dqmon.core.result import CheckResult


def fold(
    results: Sequence[CheckResult],
    members: Mapping[MemberKey, Member],
    lookback: Collection[Partition | None],
) -> Outcome | None:
    """What a run says of the data: the worst of FAIL > WARN > PASS over its judged results and the members still open.

    `members` are the alert's before the run, `lookback` the partitions that the run was asked for (None: the whole
    table). A bad member stays until it is measured as passing (PASSED), its partition is no longer asked for
    (AGED_OUT), or its partition was measured without it (GONE); REMOVED when that is since the check has other partitions or
    segments than it had. ERROR keeps members as they are, and so does what the budget left out. None, no outcome: nothing was
    judged and no member left, or nothing but these was found.
    """
    found = {_key(result): result for result in results}
    failed = {key.partition for key, result in found.items() if _is_unseen(result)}
    if not found or all(map(_is_unseen, results)):
        return None
    asked = {partition.key if partition else "" for partition in lookback} | {key.partition for key in found}
    measured = {partition for partition in asked - failed if not failed or any(key.partition == partition for key in found)}
    before = {key: member for key, member in members.items() if member.verdict.is_bad}
    left: dict[MemberKey, MemberExit] = {}
    for key in before:
        why = _exit(key, found, asked, measured)
        if why is not None:
            left[key] = why
    judged = [result for result in results if result.verdict in (Verdict.PASS, Verdict.WARN, Verdict.FAIL)]
    if not judged and not left:
        return None
    now_bad = {_key(result): _member(result, before.get(_key(result))) for result in judged if result.verdict.is_bad}
    still_open = {key: member for key, member in before.items() if key not in left} | now_bad
    verdicts = {member.verdict for member in still_open.values()}
    verdict = next((v for v in (Verdict.FAIL, Verdict.WARN) if v in verdicts), Verdict.PASS)
    return Outcome(verdict, _severity(results[0].check, verdict), still_open, left)


def fold_errors(results: Sequence[CheckResult]) -> Outcome | None:
    """What a run says of measuring: FAIL when any result is ERROR, else PASS (no data included); None without results.

    With `on_error: record` it is always PASS, so that an alert from before that setting resolves and none ever opens. That a
    warehouse cannot be reached is said by the warehouse's own alert: where nothing else is wrong, it is no outcome.
    """
    if not results:
        return None
    check = results[0].check
    bad = [result for result in results if result.verdict is Verdict.ERROR and not result.is_blind and check.on_error == "alert"]
    if not bad and any(result.is_blind for result in results):
        return None
    members = {_key(result): _member(result, None) for result in bad}
    return Outcome(Verdict.FAIL if bad else Verdict.PASS, check.error_severity, members)


def _is_unseen(result: CheckResult) -> bool:
    return result.verdict is Verdict.ERROR or result.is_blind


def _key(result: CheckResult) -> MemberKey:
    return MemberKey(result.partition.key if result.partition else "", segment_key(result.segment))


def _exit(
    key: MemberKey,
    found: Mapping[MemberKey, CheckResult],
    asked: Collection[str],
    measured: Collection[str],
) -> MemberExit | None:
    if key in found:
        return MemberExit.PASSED if found[key].verdict is Verdict.PASS else None
    if key.partition not in asked:
        return MemberExit.REMOVED if bool(key.partition) is ("" in asked) else MemberExit.AGED_OUT
    if key.partition not in measured:
        return None
    segment_by = next(iter(found.values())).check.segment_by
    return MemberExit.GONE if set(json.loads(key.segment)) == set(segment_by) else MemberExit.REMOVED


def _member(result: CheckResult, before: Member | None) -> Member:
    """The member that a bad result is; `since` is the slot in which it was first bad."""
    since = before.since if before else result.scheduled_at
    observed = observed_text(record(result), is_short=True)
    return Member(result.verdict, since, result.reason, result.id, observed, result.expected.text)


def _severity(check: Check, verdict: Verdict) -> Severity:
    return least(check.severity, check.warn_severity) if verdict is Verdict.WARN else check.severity
