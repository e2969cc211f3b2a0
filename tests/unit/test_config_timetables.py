"""`digest:` and `hours:` of routes, `storm:` and `digest:` of the project: what is read, and what is refused, with file and line."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import jsonschema
import pytest

from dqmon.cli.program import run
from dqmon.config.json_schema import schemas
from dqmon.config.project import load_project
from dqmon.core.check import Schedule
from dqmon.core.digest import DigestPlan
from dqmon.core.due_days import DAY_NAMES
from dqmon.core.timetable import ALWAYS, Digest, Hours
from dqmon.errors import ConfigError

CHECKS = "version: 1\ndatasets:\n  - dataset: orders\n    checks: [{row_count: {min: 1}}]\n"
HEAD = """version: 1
warehouses: {main: {type: sqlite, path: shop.db}}
channels:
  team: {type: slack, dry_run: true, channel: "#x"}
  oncall: {type: pagerduty, dry_run: true}
  mail: {type: email, host: "${env:MAIL_HOST}", sender: dq@example.com, to: [ana@example.com]}
"""
REST = "routes: [{name: rest, default: true, to: [team]}]\n"


def project(root: Path, text: str) -> Path:
    for folder in ("config", "checks"):
        (root / folder).mkdir()
    (root / "checks/orders.yaml").write_text(CHECKS)
    path = root / "config/dqmon.yaml"
    path.write_text(HEAD + text)
    return path


def routed(route: str) -> str:
    return f"routes:\n  - {{name: low, to: [team], {route}}}\n  - {{name: rest, default: true, to: [team]}}\n"


def test_timetables_of_routes(tmp_path: Path) -> None:
    text = """routes:
  - {name: low, match: "severity:info,warning", to: [team], digest: {cron: "0 9 * * *", timezone: Europe/Berlin}}
  - {name: each, match: "tag:x", to: [team], digest: {cron: "0 9 * * *"}, group_by: [incident]}
  - name: office
    match: "severity:error"
    to: [team]
    hours: {days: weekdays, from: "08:00", to: "18:00", timezone: America/New_York, calendar: US}
  - {name: rest, default: true, to: [team], hours: {from: "22:00", to: "06:00"}}
"""
    low, each, office, rest = load_project(project(tmp_path, text), {}).routes
    assert (low.speaks, low.group_by) == (Digest(Schedule("0 9 * * *", None, "Europe/Berlin")), ("owner",))
    assert (each.speaks, each.group_by) == (Digest(Schedule("0 9 * * *", None, "UTC")), ("incident",))
    assert (office.speaks, office.group_by) == (Hours(DAY_NAMES[:5], time(8), time(18), "America/New_York", "US"), ("incident",))
    assert rest.speaks == Hours(DAY_NAMES, time(22), time(6), "UTC")


def test_the_defaults(tmp_path: Path) -> None:
    found = load_project(project(tmp_path, REST), {})
    assert (found.settings.storm_above, found.settings.digest, found.routes[0].speaks) == (20, None, ALWAYS)


def test_storms_and_digests(tmp_path: Path) -> None:
    text = 'storm: {above: 5}\ndigest:\n  schedule: {cron: "0 9 * * 1"}\n  to: [team]\n  owners: {"@orders": [mail, team], "@old": []}\n'
    settings = load_project(project(tmp_path, text + REST), {"MAIL_HOST": "mail.example.com"}).settings
    assert settings.storm_above == 5
    assert settings.digest == DigestPlan(Schedule("0 9 * * 1", None, "UTC"), ("team",), {"@orders": ("mail", "team"), "@old": ()})
    assert [settings.digest.channels(owner) for owner in ("@orders", "@old", "@new", "")] == [("mail", "team"), (), ("team",), ("team",)]


def test_a_channel_that_only_digests_go_to_is_in_use(tmp_path: Path) -> None:
    text = 'digest: {schedule: {cron: "0 9 * * 1"}, to: [team], owners: {"@orders": [mail]}}\n'
    with pytest.raises(ConfigError, match="MAIL_HOST"):
        load_project(project(tmp_path, text + REST), {})


CRON = 'write minute hour day month weekday, such as "15 * * * *"'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (routed('match: "tag:x", digest: {cron: "0 9 * *"}'), f"8: cron: '0 9 * *' is not a cron expression of five fields; {CRON}"),
        (routed('match: "tag:x", digest: {corn: "0 9 * * *"}'), "8: unknown key 'corn'; did you mean 'cron'?"),
        (
            routed('match: "tag:x", digest: {cron: "0 9 * * *", timezone: Berlin}'),
            "8: timezone: unknown time zone 'Berlin'; did you mean 'Europe/Berlin'?",
        ),
        (
            routed('match: "tag:x", digest: {cron: "0 9 * * *"}, hours: {from: "08:00", to: "18:00"}'),
            "8: route 'low' has both digest and hours; keep one",
        ),
        (routed('match: "tag:x", hours: {from: "08:00"}'), "8: 'to' is missing; add to:"),
        (routed('match: "tag:x", hours: {from: "08:00", to: 18}'), '8: to: 18 is not a time of day; write it in quotes as "07:00"'),
        (
            routed('match: "tag:x", hours: {from: "08:00", to: "08:00"}'),
            "8: hours: from: and to: are the same time; leave hours: out where every hour is meant",
        ),
        (
            routed('match: "tag:x", hours: {from: "08:00", to: "18:00", calendar: XX}'),
            "8: hours: there is no calendar 'XX'; write a country such as US or DE, with a part US-NY, or a market such as XNYS",
        ),
        (
            routed('match: "tag:x", hours: {days: [], from: "08:00", to: "18:00"}'),
            "8: hours: days: names none; write weekdays, say, or [mon, wed]",
        ),
        ("storm: {above: 0}\n" + REST, "7: above is 0; it should be greater than or equal to 1"),
        ("storm: 20\n" + REST, "7: storm is 20; a mapping of keys to values is expected"),
        ('digest: {schedule: {cron: "0 9 * * 1"}}\n' + REST, "7: 'to' is missing; add to:"),
        ("digest: {to: [team]}\n" + REST, "7: 'schedule' is missing; add schedule:"),
        (
            'digest:\n  schedule: {cron: "0 9 * * 1"}\n  to: [taem]\n' + REST,
            "9: digest: unknown channel 'taem'; did you mean 'team'?",
        ),
        (
            'digest:\n  schedule: {cron: "0 9 * * 1"}\n  to: [team]\n  owners:\n    "@x": [oncall]\n' + REST,
            "11: digest: oncall wakes people, and takes no digests; name a channel that people read, such as Slack or mail",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_project(project(tmp_path, text), {"MAIL_HOST": "mail.example.com"})
    assert f"config/dqmon.yaml:{said}" in str(raised.value)


@pytest.mark.parametrize(
    ("match", "is_warned"),
    [
        ("severity:critical", True),
        ("severity:critical tag:x", True),
        ("severity:critical,error", False),
        ("not:severity:critical", False),
        ("tag:x", False),
    ],
)
@pytest.mark.parametrize("key", ['digest: {cron: "0 9 * * *"}', 'hours: {from: "08:00", to: "18:00"}'])
def test_pages_that_are_kept_back_are_warned_of(tmp_path: Path, match: str, key: str, is_warned: bool) -> None:
    found = load_project(project(tmp_path, routed(f'match: "{match}", {key}')), {})
    name = key.partition(":")[0]
    warning = (
        f"config/dqmon.yaml:8: route 'low' takes what pages, and {name}: keeps that back; leave {name}: out, so that it is told at any time"
    )
    assert (warning in map(str, found.warnings)) is is_warned


def test_editors_know_them() -> None:
    schema = schemas()["dqmon.schema.json"]
    route = {"name": "rest", "default": True, "to": ["team"], "hours": {"days": ["mon"], "from": "08:00", "to": "18:00"}}
    digest = {"schedule": {"cron": "0 9 * * 1"}, "to": ["team"], "owners": {"@x": ["team"]}}
    jsonschema.validate({"version": 1, "routes": [route], "storm": {"above": 5}, "digest": digest}, schema)
    for wrong in ({"storm": {"above": 0}}, {"digest": {"to": ["team"]}}, {"routes": [route | {"hours": {"from": "8", "to": "18:00"}}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"version": 1} | wrong, schema)


def test_route_names_the_timetable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    hours = 'hours: {days: weekdays, from: "08:00", to: "18:00", timezone: Europe/Berlin}'
    text = routed(f'match: "severity:warning", {hours}')
    project(tmp_path, text)
    monkeypatch.chdir(tmp_path)
    assert run(["route", "show"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert all(
        line.rstrip().endswith(end) for line, end in zip(shown, ("SPEAKS", "mon-fri 08:00-18:00 Europe/Berlin", "always"), strict=True)
    ), shown
    assert run(["route", "test", "severity:warning"]) == 0
    assert capsys.readouterr().out == "team (route low, mon-fri 08:00-18:00 Europe/Berlin)\n"
    assert run(["route", "test", "severity:error"]) == 0
    assert capsys.readouterr().out == "team (route rest)\n"
