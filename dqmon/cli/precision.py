"""`dqmon incidents precision`: how often alerts were right, and what would make them so more often."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from dqmon.cli import options, output

if TYPE_CHECKING:
    from dqmon.app.precision import Precise, Proposal
    from dqmon.core.plain import Json
    from dqmon.engine.rehearsal.precision import Precision
    from dqmon.engine.rehearsal.tuning import Score

Days = Annotated[int, typer.Option("--days", metavar="N", min=1, max=10_000, help="Incidents of the last N days.")]
Tuning = Annotated[bool, typer.Option("--tuning", help="Propose changes of the checks that were wrong too often, each one replayed.")]
Below = Annotated[
    float, typer.Option("--below", metavar="RATIO", min=0, max=1, help="With --tuning: checks whose precision is below this.")
]
Labels = Annotated[int, typer.Option("--labels", metavar="N", min=1, help="With --tuning: and of which so many incidents are labelled.")]
HEADINGS = ("INCIDENTS", "REAL", "EXPECTED", "BAD THRESHOLD", "UNLABELLED", "PRECISION")


def command(
    *,
    selectors: options.Selectors = None,
    days: Days = 90,
    tuning: Tuning = False,
    below: Below = 0.5,
    labels: Labels = 3,
    form: options.JsonFormat = "table",
    config: options.ConfigFile = None,
) -> None:
    """Shows how often alerts were right.

    Precision is the share of real ones among the incidents of which somebody said what they were, by check and by owner. With
    `--tuning` each check below a precision gets a proposal: the smallest change that, replayed on what is stored, misses no real
    incident. Nothing is changed; the proposal is a diff of the check file.
    """
    options.choice("--format", form, ("table", "json"))
    chosen = options.selector(selectors)
    from dqmon.app import open_app
    from dqmon.app.precision import precision, proposals

    with open_app(config) as app:
        found = precision(app, chosen, days)
        proposed = tuple(proposals(app, found, days, below, labels)) if tuning else ()
    if form == "json":
        output.write(json.dumps(document(found, proposed if tuning else None), indent=2, ensure_ascii=False))
        return
    for line in lines(found, days):
        output.write(line)
    if tuning:
        for line in proposal_lines(proposed, below, labels):
            output.write(line)


def lines(found: Precise, days: int) -> Iterator[str]:
    """A table by check and one by owner; one line where there was no incident."""
    if not found.known:
        yield f"no incidents in the last {days} days"
        return
    yield from output.table([_row(one) for one in found.checks], ("CHECK", *HEADINGS))
    yield ""
    yield from output.table([_row(one) for one in found.owners], ("OWNER", *HEADINGS))
    silent = sum(one.feedback is None for one in found.known)
    if silent:
        hint = "`dqmon incidents feedback INCIDENT real` says what one was"
        yield f"{silent} of {len(found.known)} incidents ({silent / len(found.known):.0%}) are not labelled; {hint}"


def proposal_lines(proposed: Sequence[Proposal], below: float, labels: int) -> Iterator[str]:
    """Each proposal as a diff of the check file, with what the replay says before and after."""
    if not proposed:
        yield f"no check has a precision below {below:g} by {labels} labels or more"
    for one in proposed:
        ratio = one.precision.ratio or 0.0
        yield output.clean(f"{one.check.id}: precision {ratio:.0%} of {one.precision.labelled} labelled incidents")
        if one.values:
            yield from map(output.clean, _diff(one))
            yield f"  replayed: {_words(one.before)} -> {_words(one.after)}"
        else:
            yield f"  {one.check.source}: nothing that was tried is quieter and misses no real incident ({_words(one.before)})"


def document(found: Precise, proposed: Iterable[Proposal] | None) -> Json:
    """The same as one object."""
    shown: Json = {
        "schema_version": 1,
        "checks": [{"check_id": one.name} | _counts(one) for one in found.checks],
        "owners": [{"owner": one.name} | _counts(one) for one in found.owners],
    }
    if proposed is not None:
        shown["proposals"] = [_proposal(one) for one in proposed]
    return shown


def _row(one: Precision) -> tuple[str, ...]:
    counts = (one.incidents, one.real, one.expected, one.bad_threshold)
    ratio = "-" if one.ratio is None else f"{one.ratio:.0%}"
    return one.name, *map(str, counts), f"{one.unlabelled} ({one.unlabelled_ratio:.0%})", ratio


def _diff(one: Proposal) -> Iterator[str]:
    for key, value in one.values.items():
        written = one.written.get(key)
        line = written[1] if written else one.check.source.line
        yield f"  --- {one.check.source.path}:{line}"
        if written:
            yield f"  - {key}: {_yaml(written[0])}"
        yield f"  + {key}: {_yaml(value)}"


def _yaml(value: object) -> str:
    """The value as a check file has it; JSON is YAML."""
    return json.dumps(value, ensure_ascii=False)


def _words(found: Score) -> str:
    late = f", {found.delay.total_seconds() / 60:,.0f} min later at most" if found.delay else ""
    from dqmon.alerts.wording import count

    alerts, incidents = (count(*pair) for pair in ((found.alerts, "alert"), (found.missed, "real incident")))
    return f"{alerts}, {found.unreal} not real, {incidents} missed{late}"


def _counts(one: Precision) -> dict[str, Json]:
    said = {"incidents": one.incidents, "real": one.real, "expected": one.expected, "bad_threshold": one.bad_threshold}
    return said | {"unlabelled": one.unlabelled, "precision": one.ratio}


def _proposal(one: Proposal) -> Json:
    source = {"path": one.check.source.path, "line": one.check.source.line}
    return {
        "check_id": one.check.id,
        "source": source,
        "set": dict(one.values),
        "before": _score(one.before),
        "after": _score(one.after),
    }


def _score(found: Score) -> Json:
    return {"alerts": found.alerts, "not_real": found.unreal, "missed": found.missed, "delay_s": found.delay.total_seconds()}
