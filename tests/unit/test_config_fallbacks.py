"""`fallback:` of channels in config/dqmon.yaml: what is refused, and what is warned of."""

from __future__ import annotations

import pytest

from dqmon.config.project import load_project
from dqmon.errors import ConfigError

CHECKS = "version: 1\ndatasets:\n  - {dataset: orders, checks: [row_count: {min: 1}]}\ndefaults: {schedule: {every: 1h}}\n"
REST = "  - {name: rest, default: true, to: [team]}\n"
PAGES = '  - {name: pages, match: "severity:critical", to: [oncall]}\n'
KEY = "routing_key: 0123456789abcdef0123456789abcdef"
HOOK = "{type: teams, webhook_url: 'https://ops.example.com/a'"


@pytest.fixture
def load(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "a.yaml").write_text(CHECKS)

    def read(channels, routes=REST):
        text = f"version: 1\nwarehouses: {{main: {{type: sqlite, path: shop.db}}}}\nchannels:\n{channels}routes:\n{routes}"
        (tmp_path / "config" / "dqmon.yaml").write_text(text)
        return load_project(tmp_path / "config" / "dqmon.yaml", {})

    return read


@pytest.mark.parametrize(
    ("channels", "words"),
    [
        (f"  team: {HOOK}, fallback: taem}}\n", "channels.team: unknown fallback 'taem'; did you mean 'team'?"),
        (f"  team: {HOOK}, fallback: team}}\n", "fallback goes in a circle: team -> team"),
        (
            f"  team: {HOOK}, fallback: b}}\n  b: {HOOK}, fallback: c}}\n  c: {HOOK}, fallback: b}}\n",
            "fallback goes in a circle: b -> c -> b",
        ),
        (f"  team: {HOOK}, fallback: []}}\n", "fallback"),
        (f"  team: {HOOK}, fallback: spare}}\n  spare: {{type: teams, webhook_url: '${{env:NO_SUCH}}'}}\n", "NO_SUCH"),
    ],
)
def test_a_fallback_that_cannot_work_is_refused(load, channels, words):
    with pytest.raises(ConfigError) as raised:
        load(channels)
    (problem,) = raised.value.problems
    assert words in str(problem)
    assert problem.line


ONCALL = f"  oncall: {{type: pagerduty, {KEY}}}\n  team: {HOOK}}}\n"


@pytest.mark.parametrize(
    ("channels", "routes", "is_warned"),
    [
        (ONCALL, PAGES + REST, True),
        (ONCALL, PAGES.replace("}", ", continue: true}") + REST, False),
        (ONCALL, PAGES.replace("[oncall]", "[oncall, team]") + REST, False),
        (ONCALL, PAGES.replace("severity:critical", "not:severity:critical") + REST, False),
        (ONCALL, PAGES.replace("severity:critical", "tag:x") + REST, True),
        (ONCALL, PAGES.replace("severity:critical", "severity:warning") + REST, False),
        (ONCALL.replace(KEY, f"{KEY}, fallback: team"), PAGES + REST, False),
        (ONCALL.replace(KEY, f"{KEY}, dry_run: true"), PAGES + REST, False),
    ],
)
def test_what_is_critical_and_hangs_on_one_line_is_warned_of(load, channels, routes, is_warned):
    found = [problem for problem in load(channels, routes).warnings if "while it is out, nobody is" in str(problem)]
    assert [problem.line for problem in found] == [4] * is_warned


def test_a_fallback_that_sends_nothing_is_warned_of(load):
    found = load(f"  team: {HOOK}, fallback: b}}\n  b: {HOOK}, dry_run: true}}\n").warnings
    assert "its fallback b is set to send nothing" in str(found)
    assert set(load(f"  team: {HOOK}, fallback: b}}\n  b: {HOOK}}}\n").settings.channels) == {"team", "b"}


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("secret-of-16-characters", "webhooks come in by web:, which is not set"),
        ("short", "webhook_secret has fewer than 16 characters"),
        ("secret-of-16-characters short", "webhook_secret has fewer than 16 characters"),
    ],
)
def test_a_webhook_that_cannot_come_in_is_refused(load, secret, words):
    with pytest.raises(ConfigError) as raised:
        load(f"  oncall: {{type: pagerduty, {KEY}, webhook_secret: {secret}}}\n", "  - {name: rest, default: true, to: [oncall]}\n")
    assert words in str(raised.value)
    assert "secret-of-16-characters" not in str(raised.value)
