"""A backtest of configurations as text and as JSON. Pure: nothing is printed here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dqmon.alerts.wording import count
from dqmon.cli import output
from dqmon.core.duration import format_duration
from dqmon.core.plain import Json, plain
from dqmon.core.verdict import Verdict
from dqmon.engine.rehearsal.compare import Finding, OfCheck, Totals, by_check, findings, misses, new_alerts, totals

if TYPE_CHECKING:
    from dqmon.engine.rehearsal.rehearse import Rehearsed
    from dqmon.engine.rehearsal.replay import Fired, Track
    from dqmon.engine.rehearsal.trial import Trial

SHOWN = 20
"""Checks, incidents and alerts that are listed; JSON has all."""


def lines(found: Trial, title: str, seconds: float) -> Iterator[str]:
    """The sums side by side, what would have been missed, what is new, and the checks with most messages."""
    tracks = [track for side in found.sides for track in side.tracks]
    runs, since = sum(track.runs for track in tracks), output.instant(found.period.since)
    checks = count(len(found.sides[0].tracks), "check")
    yield f"Replayed {checks} since {since}: {count(runs, 'run')} in {seconds:.1f} s; nothing was recorded or sent"
    heads = ("", "TODAY", title) if len(found.sides) > 1 else ("", "TODAY")
    yield from output.table(_sums([totals(side) for side in found.sides]), heads)
    yield from _known(found)
    if len(found.sides) > 1:
        yield from _new(new_alerts(*found.sides))
    yield from _checks(found.sides, heads)
    yield from _remarks(found.sides[0].tracks, (found.period.until - found.period.since).days)


def document(found: Trial, values: Sequence[str], seconds: float) -> Json:
    """The same as one object."""
    names = ("today", "changed")[: len(found.sides)]
    sides = dict(zip(names, found.sides, strict=True))
    more = {"new_alerts": [_alert(one) for one in new_alerts(*found.sides)]} if len(found.sides) > 1 else {}
    return {
        "schema_version": 1,
        "since": plain(found.period.since),
        "until": plain(found.period.until),
        "seconds": round(seconds, 3),
        "set": list(values),
        **{name: _totals(totals(side)) for name, side in sides.items()},
        "known_incidents": [_finding(*pair) for pair in _pairs(found)],
        **more,
        "checks": [
            {"check_id": track.check.id, "runs": track.runs, "days": track.days, "as_recorded": track.recorded}
            | {"reason": track.reason or None}
            | {name: _of_check(by_check(side)[track.check.id]) for name, side in sides.items()}
            for track in found.sides[0].tracks
        ],
    }


def _sums(sides: Sequence[Totals]) -> list[tuple[str, ...]]:
    rows = [(f"results {v.value}", *(f"{side.verdicts.get(v, 0):,}" for side in sides)) for v in Verdict]
    rows += [("alerts", *(f"{s.alerts:,}" for s in sides)), ("incidents", *(f"{s.incidents:,}" for s in sides))]
    for word, of in (("messages", "messages"), ("pages", "pages")):
        by_side: list[Mapping[str, int]] = [getattr(side, of) for side in sides]
        for channel in sorted({name for found in by_side for name in found}):
            rows.append((f"{word} {channel}", *(f"{found.get(channel, 0):,}" for found in by_side)))
    return rows


def _pairs(found: Trial) -> Iterator[tuple[Finding, ...]]:
    """What came of each known incident, by side."""
    yield from zip(*(findings(side, found.known, found.period.until) for side in found.sides), strict=True)


def _known(found: Trial) -> Iterator[str]:
    pairs = list(_pairs(found))
    if not pairs:
        yield "No incident of these checks is known from that time."
        return
    missed = [misses([pair[place] for pair in pairs]) for place in range(len(found.sides))]
    yield f"Known incidents: {len(pairs)}; missed: {' -> '.join(map(str, missed))}"
    rows = [_row(pair) for pair in pairs if any(one.delay is None or one.delay.total_seconds() > 0 for one in pair)]
    if rows:
        heads = ("INCIDENT", "OPENED", "SAID", "ROOT", "TODAY", "CHANGED")[: 4 + len(found.sides)]
        yield from output.table(rows[:SHOWN], heads)
        yield from _rest(len(rows))


def _row(pair: Sequence[Finding]) -> tuple[str, ...]:
    known = pair[0].known
    said = known.feedback.value if known.feedback else ""
    return known.incident.id, output.instant(known.incident.opened_at), said, str(known.incident.root), *(_delay(one) for one in pair)


def _delay(found: Finding) -> str:
    if found.delay is None:
        return "missed"
    return f"{format_duration(found.delay.total_seconds())} later" if found.delay else "found"


def _new(found: Sequence[Fired]) -> Iterator[str]:
    yield f"Alerts that today's configuration would not have raised: {len(found)}"
    rows = [(output.instant(one.at), str(one.key), one.severity.value) for one in found[:SHOWN]]
    yield from output.table(rows, ("FIRED", "ALERT", "SEVERITY")) if rows else ()
    yield from _rest(len(found))


def _checks(sides: Sequence[Rehearsed], heads: Sequence[str]) -> Iterator[str]:
    """The checks that make most noise, each with its sums by side."""
    found = [by_check(side) for side in sides]
    ids = [id_ for id_ in found[0] if any(side[id_].alerts or side[id_].messages for side in found)]
    ids.sort(key=lambda id_: max((side[id_].pages, side[id_].messages, side[id_].alerts) for side in found), reverse=True)
    if not ids:
        return
    yield "Checks with alerts:"
    rows = [(id_, *(" -> ".join(f"{getattr(side[id_], of):,}" for side in found) for of in _COUNTS)) for id_ in ids[:SHOWN]]
    yield from output.table(rows, ("CHECK" if len(heads) == 2 else "CHECK (TODAY -> CHANGED)", *(of.upper() for of in _COUNTS)))  # noqa: PLR2004 - one side
    yield from _rest(len(ids))


_COUNTS = ("alerts", "messages", "pages")


def _remarks(tracks: Sequence[Track], days: int) -> Iterator[str]:
    """What the replay rests on, where that is not all of it."""
    reasons = Counter(track.reason for track in tracks if track.recorded)
    for reason, number in reasons.most_common():
        yield f"As they were recorded, not judged anew: runs of {count(number, 'check')}, since {reason}."
    none = [track.check.id for track in tracks if not track.runs]
    short = [f"{track.check.id} ({track.days})" for track in tracks if track.runs and track.days < days]
    if none:
        yield f"Nothing is kept of {_some(none)} in these days; more comes with time, or by `dqmon backfill`."
    if short:
        yield f"Fewer than {days} days are kept of (days): {_some(short)}."


def _some(names: Sequence[str]) -> str:
    listed = ", ".join(output.clean(name) for name in names[:SHOWN])
    return f"{listed} and {len(names) - SHOWN} more" if len(names) > SHOWN else listed


def _rest(count: int) -> Iterator[str]:
    if count > SHOWN:
        yield f"  and {count - SHOWN} more; --format json has all"


def _totals(found: Totals) -> Json:
    verdicts = {verdict.value: found.verdicts.get(verdict, 0) for verdict in Verdict}
    return {
        "results": verdicts,
        "alerts": found.alerts,
        "incidents": found.incidents,
        "messages": dict(found.messages),
        "pages": dict(found.pages),
    }


def _of_check(found: OfCheck) -> Json:
    verdicts = {verdict.value: found.verdicts.get(verdict, 0) for verdict in Verdict}
    return {"results": verdicts, "alerts": found.alerts, "messages": found.messages, "pages": found.pages}


def _finding(today: Finding, changed: Finding | None = None) -> Json:
    known = today.known
    said = {"feedback": known.feedback.value if known.feedback else None}
    shown = {"incident_id": known.incident.id, "opened_at": plain(known.incident.opened_at), "root": str(known.incident.root)} | said
    found = {"today": _found(today)} | ({"changed": _found(changed)} if changed else {})
    return shown | found


def _found(one: Finding) -> Json:
    return {"is_missed": one.delay is None, "delay_s": None if one.delay is None else one.delay.total_seconds()}


def _alert(one: Fired) -> Json:
    about = {"check_id": one.key.check_id, "kind": one.key.kind.value, "severity": one.severity.value}
    return about | {"at": plain(one.at), "until": plain(one.until)}
