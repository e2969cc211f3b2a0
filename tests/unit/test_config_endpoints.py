"""`web:` in dqmon.yaml, and the sources that it is there for."""

from __future__ import annotations

import pytest

from dqmon.config.endpoints import address, is_loopback
from dqmon.config.project import load_project
from dqmon.errors import ConfigError

TOKEN = "a-token-of-24-characters"
SETTINGS = """\
version: 1
warehouses: {main: {type: sqlite, path: data/shop.db}}
WEB
ingestion:
  cron: {type: heartbeat, token: TOKEN, pipelines: {backup: {every: 1h}}}
  MORE
"""
CHECKS = """\
version: 1
ingestion:
  - {pipeline: cron/backup, checks: [missed_schedule, last_success: {fail_after: 2h}, stuck_run: {fail_after: 1h, heartbeat_after: 5m},
     failed_runs, run_duration: {fail_after: 1h}, rows_loaded: {min: 1}, zero_rows, rejected_rows, cursor_stall, cursor_regress, source_health]}
"""


@pytest.fixture
def load(tmp_path):
    def load(web="web: {}", more="", token=TOKEN, env=None, checks=CHECKS):
        for folder in ("config", "checks", "data"):
            (tmp_path / folder).mkdir(exist_ok=True)
        path = tmp_path / "config/dqmon.yaml"
        path.write_text(SETTINGS.replace("WEB", web).replace("MORE", more).replace("TOKEN", token))
        (tmp_path / "checks/a.yaml").write_text(checks)
        return load_project(path, env or {})

    return load


def test_it_listens_to_this_machine_alone_unless_told_otherwise(load):
    assert load().settings.web.bind == "127.0.0.1:8321"
    assert load("web: {bind: '[::1]:80'}").settings.web.allow_hosts == ()
    told = load("web: {bind: '0.0.0.0:8321', allow_hosts: [DQMON.example.com, dqmon.example.com, '[fd00::1]']}").settings.web
    assert told.allow_hosts == ("dqmon.example.com", "[fd00::1]")


def test_people_reach_it_by_its_url(load):
    told = load(
        f"web: {{bind: '0.0.0.0:80', url: 'https://DQMON.example.com:8443/', incident_links: true, link_secret: {TOKEN}}}"
    ).settings.web
    assert (told.url, told.hosts, told.has_pages) == ("https://dqmon.example.com:8443", ("dqmon.example.com",), True)
    assert TOKEN not in repr(told)
    local = load(
        "web: {url: 'http://localhost:8321', actors: {anna: '${env:ANNA}'}}", env={"ANNA": "anna-token-of-24-characters"}
    ).settings.web
    assert (local.url, local.has_pages, list(local.actors)) == ("http://localhost:8321", True, ["anna"])
    assert "anna-token" not in repr(local)
    assert not load().settings.web.has_pages


def test_the_environment_may_say_where_to_listen(load):
    assert load(env={"DQMON_WEB__BIND": "127.0.0.1:9000"}).settings.web.bind == "127.0.0.1:9000"


@pytest.mark.parametrize(
    ("changes", "complaint", "line"),
    [
        ({"web": "web: {bind: '0.0.0.0:8321'}"}, "can be reached from other machines; name under allow_hosts", 3),
        ({"web": "web: {bind: 'dqmon.example.com:8321'}"}, "can be reached from other machines", 3),
        ({"web": "web: {bind: '[::]:8321'}"}, "can be reached from other machines", 3),
        ({"web": "web: {bind: 8321}"}, "bind is 8321; text is expected", 3),
        ({"web": "web: {bind: localhost}"}, "write HOST:PORT", 3),
        ({"web": "web: {bind: '127.0.0.1:99999'}"}, "write HOST:PORT", 3),
        ({"web": "web: {allow_hosts: ['https://x.example.com']}"}, "is no host name", 3),
        ({"web": "web: {allow_hosts: ['*.example.com']}"}, "is no host name", 3),
        ({"web": "web: {auth: none}"}, "unknown key 'auth'", 3),
        ({"web": "web: {url: 'https://dqmon.example.com'}"}, "nobody may read the pages that url links to; add incident_links", 3),
        ({"web": "web: {incident_links: true}"}, "incident_links needs url", 3),
        ({"web": "web: {incident_links: true, url: 'https://dqmon.example.com/path'}"}, "without path, user or query", 3),
        ({"web": "web: {incident_links: true, url: 'https://me:pw@dqmon.example.com'}"}, "without path, user or query", 3),
        ({"web": "web: {incident_links: true, url: 'https://dqmon.example.com?a=1'}"}, "without path, user or query", 3),
        ({"web": "web: {incident_links: true, url: 'https://a b'}"}, "url must be a server", 3),
        ({"web": "web: {incident_links: true, url: 'javascript:alert(1)'}"}, "url must be a server", 3),
        ({"web": "web: {incident_links: true, url: 'http://dqmon.example.com'}"}, "url must start with https://", 3),
        ({"web": "web: {actors: {anna: short-secret}}"}, "a secret must have at least 16 characters", 3),
        ({"web": f"web: {{actors: {{anna: {TOKEN}, ben: {TOKEN}}}}}"}, "two of them have the same token", 3),
        ({"web": f"web: {{actors: {{'': {TOKEN}}}}}"}, "actors: '' is no name of a person", 3),
        ({"web": 'web: {actors: {"a\\nb": TOKEN-of-anna-who-acts}}'}, "is no name of a person", 3),
        ({"web": 'web: {actors: {anna: "${env:NO_SUCH}"}}'}, "the environment variable NO_SUCH is not set", 3),
        ({"web": f"web: {{link_secret: short-secret, actors: {{anna: {TOKEN}}}}}"}, "a secret must have at least 16 characters", 3),
        ({"web": ""}, "ingestion.cron: what jobs tell comes in by web:, which is not set; add web: {}", 5),
        ({"token": "short"}, "ingestion.cron: token: the token must have at least 16 characters", 5),
        ({"token": '"${env:NO_SUCH}"'}, "the environment variable NO_SUCH is not set", 5),
        ({"more": "other: {type: heartbeat, pipelines: {a: {}}}"}, "ingestion.other: 'token' is missing", 6),
        ({"more": f"other: {{type: openlineage, token: {TOKEN}}}"}, "ingestion.other has the token of ingestion.cron", 6),
        (
            {"more": "ol: {type: openlineage, token: another-long-token, namespaces: {'postgres://a:1': mian}}"},
            "ingestion.ol.namespaces: unknown warehouse 'mian'; did you mean 'main'?",
            6,
        ),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_line(load, changes, complaint, line):
    with pytest.raises(ConfigError) as caught:
        load(**changes)
    assert f"config/dqmon.yaml:{line}: " in str(caught.value)
    assert complaint in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert "short-secret" not in str(caught.value)


def test_a_check_that_jobs_cannot_feed_is_refused(load):
    with pytest.raises(ConfigError, match="backlog"):
        load(checks="version: 1\ningestion: [{pipeline: cron/backup, checks: [backlog: {fail_if: '> 1'}]}]")


def test_tokens_are_in_no_text_of_the_settings(load):
    from dqmon.config.show import shown

    project = load(more="ol: {type: openlineage, token: another-long-token}")
    assert TOKEN not in shown(project, with_origin=True) + repr(project.settings) + repr(project.settings.ingestion["cron"].options)


@pytest.mark.parametrize(("bind", "found"), [("a:1", ("a", 1)), ("[::1]:0", ("::1", 0)), ("127.0.0.1:65535", ("127.0.0.1", 65_535))])
def test_addresses(bind, found):
    assert address(bind) == found


@pytest.mark.parametrize("bind", ["", "a", ":1", "a:", "a:b", "::1:80", "a:65536", "http://a:1", "a:1/x", "a:-1", "a: 1"])
def test_what_is_no_address(bind):
    with pytest.raises(ValueError, match="write HOST:PORT"):
        address(bind)


def test_what_only_this_machine_reaches():
    assert [is_loopback(host) for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost")] == [True] * 4
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "localhost.example.com", "", "127.1")] == [False] * 6
