"""`config/dqmon.yaml` with mistakes: each is said at its line, in words of the file, and none hides or makes up another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from dqmon.config.check_files import yaml_files
from dqmon.config.project import load_project
from dqmon.config.report import Report
from dqmon.errors import ConfigError

CONFIG = """\
version: 1
warehouses: {main: {type: sqlite, path: shop.db}}
ingestion: {cron: {type: heartbeat, token: "0123456789abcdef", pipelines: {backup: {cron: "0 2 * * *"}}}}
channels: {oncall: {type: pagerduty, dry_run: true}, team: {type: slack, channel: "#data", dry_run: true}}
"""
WEB = "web: {}\n"
ROUTES = "routes: [{name: rest, default: true, to: [team]}]\n"
CHECKS = """\
version: 1
defaults: {schedule: "0 * * * *"}
datasets: [{dataset: orders, checks: [row_count: {min: 1}]}]
"""


def refused(root: Path, config: str, checks: str = CHECKS) -> list[str]:
    """What is said of a project, without the names of its two files."""
    for name, content in (("config/dqmon.yaml", config), ("checks/orders.yaml", checks)):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_project(root / "config/dqmon.yaml", {})
    return [line.removeprefix("config/dqmon.yaml:").removeprefix("checks/orders.yaml:") for line in str(caught.value).splitlines()]


def route(text: str) -> str:
    return f"routes: [{{{text}}}, {{name: rest, default: true, to: [team]}}]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("storm: {above: many}\n" + ROUTES, ["6: above is 'many'; a whole number is expected"]),
        (route('name: a, match: "*", to: []'), ["6: to is []; at least 1 item is expected"]),
        (
            route('name: a, match: "state:passing", to: [team]'),
            ["6: route 'a': no open alert can match 'state:passing'; name one severity, kind or state that is open"],
        ),
        (
            route('name: a, match: "*", to: [team], hours: {days: mondays, from: "08:00", to: "18:00"}'),
            ["6: days: 'mondays' is none of all, weekdays, weekends; write one of them, or a list such as [mon, wed]"],
        ),
        (
            'escalation: [{name: a, match: "*", steps: [{after: 15, to: [team]}]}]\n' + ROUTES,
            ["6: after: 15 is not a duration; write a number and s, m, h, d or w, such as 90m or 2h"],
        ),
        (
            'maintenance: [{name: a, match: "*", cron: "0 2 * * *", for: 31d}]\n' + ROUTES,
            ["6: for is '31d'; it should be less than or equal to 30d"],
        ),
        ('platform_owner: ""\n' + ROUTES, ["6: platform_owner is ''; at least 1 character is expected"]),
        (
            'silences: [{match: "*", from: 2026-11-20T08:00Z, until: 2026-11-21T06:00Z, reason: "${env:NO}", by: ann}]\n' + ROUTES,
            ["6: silences: the environment variable NO is not set; set it"],
        ),
    ],
)
def test_one_mistake_is_one_message(tmp_path: Path, text: str, said: list[str]) -> None:
    assert refused(tmp_path, CONFIG + WEB + text) == said


def test_a_wrong_setting_hides_nothing_of_the_others(tmp_path: Path) -> None:
    wrong = (
        "web: {prot: 1}\n"
        "storm: {above: 0}\n"
        'escalation: [{name: a, match: "*", steps: [{after: 5m, to: [tem]}]}]\n'
        "digest: {schedule: {cron: 0 9 * * 1}, to: [oncall]}\n"
    )
    assert refused(tmp_path, CONFIG + wrong + ROUTES) == [
        "5: unknown key 'prot'; there are actors, allow_hosts, bind, incident_links, link_secret, url",
        "6: above is 0; it should be greater than or equal to 1",
        "7: escalation 'a': unknown channel 'tem'; did you mean 'team'?",
        "8: digest: oncall wakes people, and takes no digests; name a channel that people read, such as Slack or mail",
    ]


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ('webhook, url: "https://x"', "secret is not set; set a random one of 16 or more, which the receiver knows too"),
        ('webhook, url: x, secret: "0123456789abcdef"', "url: it is no address; write the whole of it, such as https://host.example.com"),
        ("slack, token: s, channel: 5", "channel is 5; text is expected"),
        ('slack, token: s, channel: "#s", verify: none.pem', "verify: there is no file"),
        ('slack, token: s, channel: "#s", base_url: "ftp://s"', "base_url: it is no address; write the whole of it"),
        ('slack, token: s, channel: "#s", timeout: 0s', "timeout is 0; it should be greater than 0"),
    ],
)
def test_a_channel_with_a_mistake_and_a_secret_of_one_letter(tmp_path: Path, channel: str, said: str) -> None:
    (found,) = refused(
        tmp_path, CONFIG.replace('team: {type: slack, channel: "#data", dry_run: true}', f"team: {{type: {channel}}}") + WEB + ROUTES
    )
    assert found.startswith(f"4: channels.team: {said}")


def test_a_source_of_pings_needs_web_only_where_it_is_not_written(tmp_path: Path) -> None:
    (said,) = refused(tmp_path, CONFIG + ROUTES)
    assert said.startswith("3: ingestion.cron: what jobs tell comes in by web:, which is not set")


def test_a_folder_that_cannot_be_read_is_no_empty_one(tmp_path: Path) -> None:
    report = Report("")
    assert yaml_files(tmp_path / "gone", report) == []
    assert [str(one) for one in report.errors] == [
        f"{tmp_path}/gone: the folder cannot be read: No such file or directory; give this user the right to read it"
    ]


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("freshness: {column: made}", "3: freshness has no limit; write warn_after:, fail_after:, deadline: or arrival: learned"),
        ("volume_anomaly: {false_alerts_per_year: 0}", "3: false_alerts_per_year is 0; it should be greater than 0"),
        ("schema_drift: {colums: [a]}", "3: unknown key 'colums'; did you mean 'columns'?"),
        ("row_count: {streak: 3}", "3: unknown key 'streak'; there are max, min"),
    ],
)
def test_a_check_with_a_mistake(tmp_path: Path, check: str, said: str) -> None:
    assert refused(tmp_path, CONFIG + WEB + ROUTES, CHECKS.replace("row_count: {min: 1}", check)) == [said]


def test_a_table_without_any_warehouse(tmp_path: Path) -> None:
    rest = CONFIG.replace("warehouses: {main: {type: sqlite, path: shop.db}}", "#")
    assert refused(tmp_path, rest + WEB + ROUTES) == ["3: the table has no warehouse; declare it under warehouses: in dqmon.yaml"]
