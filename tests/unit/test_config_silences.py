"""`silences:` and `maintenance:`: what is read, and what is refused, with file and line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from dqmon.config.json_schema import schemas
from dqmon.config.project import load_project
from dqmon.config.show import shown
from dqmon.core.check import Schedule
from dqmon.core.selector import parse_selector
from dqmon.core.silence import Maintenance, Silence
from dqmon.errors import ConfigError

CHECKS = "version: 1\ndatasets:\n  - dataset: orders\n    checks: [{row_count: {min: 1}}]\n"
CRON = 'write minute hour day month weekday, such as "15 * * * *"'
UNTIL = 'from: 2026-11-20T08:00Z, until: "2026-11-20T10:00+01:00", reason: backfill, by: "@oncall"'


def project(root: Path, text: str) -> Path:
    for folder in ("config", "checks"):
        (root / folder).mkdir()
    (root / "checks/orders.yaml").write_text(CHECKS)
    path = root / "config/dqmon.yaml"
    path.write_text(f"version: 1\nwarehouses:\n  main: {{type: sqlite, path: shop.db}}\n{text}\n")
    return path


def test_they_are_read_in_declared_order(tmp_path: Path) -> None:
    text = (
        f'silences:\n  - {{match: "main.orders", {UNTIL}}}\nmaintenance:\n'
        '  - {name: nightly load, match: "*", cron: "0 2 * * sat,sun", for: 2h, timezone: Europe/Berlin}\n'
        '  - {name: vacuum, match: "warehouse:main type:row_count", cron: "*/10 * * * *", for: 9m}\n'
    )
    found = load_project(project(tmp_path, text), {})
    start, end = datetime(2026, 11, 20, 8, tzinfo=UTC), datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert found.quiet == (
        Silence("config/dqmon.yaml:5", parse_selector(("main.orders",)), start, end, "backfill", "@oncall"),
        Maintenance("nightly load", parse_selector(("*",)), Schedule("0 2 * * sat,sun", None, "Europe/Berlin"), 7_200),
        Maintenance("vacuum", parse_selector(("warehouse:main type:row_count",)), Schedule("*/10 * * * *", None, "UTC"), 540),
    )
    assert 'silences: [{"match": "main.orders", "from": "2026-11-20 08:00:00+00:00"' in shown(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("silences: x", "config/dqmon.yaml:4: silences is 'x'; a list is expected"),
        ("silences: [x]", "config/dqmon.yaml:4: silences is 'x'; a mapping of keys to values is expected"),
        ("silences:\n  - {match: x, from: 2026-11-20T08:00Z, reason: a, by: b}", "config/dqmon.yaml:5: 'until' is missing; add until:"),
        (f"silences:\n  - {{{UNTIL}}}", "config/dqmon.yaml:5: 'match' is missing; add match:"),
        (f"silences:\n  - {{match: x, untl: x, {UNTIL}}}", "config/dqmon.yaml:5: unknown key 'untl'; did you mean 'until'?"),
        (
            f"silences:\n  - match: severity:critcal\n    {UNTIL.replace(', ', chr(10) + '    ')}",
            "config/dqmon.yaml:5: silences[0]: unknown severity 'critcal'; did you mean 'critical'?",
        ),
        (
            "silences:\n  - {match: x, from: 2026-11-20T08:00Z, until: 2026-11-20, reason: a, by: b}",
            "config/dqmon.yaml:5: until: '2026-11-20' is no instant with a zone; write it as 2013-02-10T12:00Z",
        ),
        (
            "silences:\n  - {match: x, from: 2026-11-20T08:00Z, until: 2026-11-20T08:00Z, reason: a, by: b}",
            "config/dqmon.yaml:5: silences: until: must be after from:",
        ),
        (
            "silences:\n  - {match: x, from: 2026-11-20T08:00Z, until: 2026-12-21T08:00Z, reason: a, by: b}",
            "config/dqmon.yaml:5: silences: a silence lasts 30d at most; change the check or its route if it should be quiet for longer",
        ),
        (
            'maintenance:\n  - {name: a, match: "x", cron: "0 2 * *", for: 2h}',
            f"config/dqmon.yaml:5: cron: '0 2 * *' is not a cron expression of five fields; {CRON}",
        ),
        (
            'maintenance:\n  - {name: a, match: "x", cron: "0 2 * * *", for: 2h, timezone: Europe/Berln}',
            "config/dqmon.yaml:5: timezone: unknown time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?",
        ),
        (
            'maintenance:\n  - {name: a, match: "x", cron: "0 2 * * *", for: 120}',
            "config/dqmon.yaml:5: for: 120 is not a duration; write a number and s, m, h, d or w, such as 90m or 2h",
        ),
        (
            'maintenance:\n  - {name: a, match: "x", cron: "0 2 * * *", for: 0s}',
            "config/dqmon.yaml:5: for is '0s'; it should be greater than 0",
        ),
        (
            'maintenance:\n  - {name: a, match: "x", cron: "0 2 * * *", for: 24h}',
            "config/dqmon.yaml:5: maintenance: a window of 1d never ends before the next one, so that nothing would be told; shorten for:",
        ),
        (
            'maintenance:\n  - {name: a, match: "* severity:eror", cron: "0 2 * * *", for: 2h}',
            "config/dqmon.yaml:5: maintenance[0]: unknown severity 'eror'; did you mean 'error'?",
        ),
    ],
)
def test_what_is_wrong_is_refused_where_it_stands(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as found:
        load_project(project(tmp_path, text), {})
    assert str(found.value) == said


@pytest.mark.parametrize("cron", ["0 2 * * *", "* * * * *", "0 0 1 * *", "0 0 29 2 *"])
def test_a_window_that_leaves_a_break_is_taken(tmp_path: Path, cron: str) -> None:
    span = {"0 2 * * *": "23h", "* * * * *": "59s", "0 0 1 * *": "30d", "0 0 29 2 *": "30d"}[cron]
    text = f'maintenance:\n  - {{name: a, match: "x", cron: "{cron}", for: {span}}}'
    assert len(load_project(project(tmp_path, text), {}).quiet) == 1


@pytest.mark.parametrize(
    ("key", "value", "is_valid"),
    [
        ("silences", [{"match": "x", "from": "2026-11-20T08:00Z", "until": "2026-11-20T09:00Z", "reason": "a", "by": "b"}], True),
        ("silences", [{"match": "x", "from": "2026-11-20T08:00Z", "reason": "a", "by": "b"}], False),
        ("silences", {}, False),
        ("maintenance", [{"name": "a", "match": "x", "cron": "0 2 * * *", "for": "2h"}], True),
        ("maintenance", [{"name": "a", "match": "x", "cron": "0 2 * * *"}], False),
        ("maintenance", [{"name": "a", "match": "x", "cron": "0 2 * * *", "for": "2h", "tz": "UTC"}], False),
    ],
)
def test_editors_know_them(key: str, value: object, *, is_valid: bool) -> None:
    schema = schemas()["dqmon.schema.json"]
    assert jsonschema.Draft7Validator(schema).is_valid({"version": 1, key: value}) is is_valid
