"""`dqmon validate --check-links` (R18): 40 links against a real server over TLS: what is told of each, and how often it is asked."""

from __future__ import annotations

import ssl
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from dqmon.cli.program import run
from dqmon.config.project import Project, load_project
from dqmon.engine.telling.runbook_links import AT_ONCE, broken_links, runbook_links
from dqmon.errors import ConfigError
from dqmon.net import Outgoing

THERE = (200, 201, 202, 203, 204, 206, 300, 301, 302, 303, 307, 308, 304, 401, 403, 407, 429)
BROKEN = (400, 402, 404, 406, 408, 409, 410, 418, 423, 451, 500, 502, 503, 504, 508, 511)
WITH_GET = {"405/200": "", "501/200": "", "405/404": "HTTP 404", "405/500": "HTTP 500"}
CONFIG = "version: 1\nwarehouses: {main: {type: sqlite, path: data/shop.db}}\n"


class Wiki(ThreadingHTTPServer):
    """Answers HEAD of /A/B with status A, GET with B; /together only once as many ask as may at a time. `asked`: how often what was."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.asked: Counter[str] = Counter()
        self.waiting = self.most = 0
        self.lock = threading.Lock()
        self.together = threading.Barrier(AT_ONCE, timeout=10)
        ca = trustme.CA()
        self.ca_file = folder / "ca.pem"
        ca.cert_pem.write_to_path(str(self.ca_file))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("localhost").configure_cert(self.context)
        self.url = f"https://localhost:{self.server_port}"

    def finish_request(self, request, client_address):  # type: ignore[no-untyped-def]  # as the standard library has it
        request.settimeout(20)
        with self.context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request, client_address):  # type: ignore[no-untyped-def]  # clients that do not trust it hang up
        del request, client_address


class _Page(BaseHTTPRequestHandler):
    server: Wiki

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        wiki = self.server
        with wiki.lock:
            wiki.asked[f"{self.command} {self.path}"] += 1
            wiki.waiting += 1
            wiki.most = max(wiki.most, wiki.waiting)
        if self.path.startswith("/together"):
            wiki.together.wait()
        statuses = [int(word) for word in self.path.partition("?")[0].split("/") if word.isdigit()] or [200]
        with wiki.lock:
            wiki.waiting -= 1
        self.send_response(statuses[-1] if self.command == "GET" else statuses[0])
        self.send_header("Location", f"{wiki.url}/404")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()


@pytest.fixture
def wiki(tmp_path: Path) -> Iterator[Wiki]:
    with Wiki(tmp_path) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()


def project(folder: Path, checks: str, config: str = CONFIG) -> Project:
    for name, text in (("config/dqmon.yaml", config), ("checks/wiki.yaml", f"version: 1\n{checks}")):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return load_project(folder / "config" / "dqmon.yaml", {})


def told(folder: Path, urls: Iterable[str], outgoing: Outgoing) -> dict[str, str]:
    """What is said of each URL: an entry of its own, its runbook in lines 5, 8, 11 and so on; empty for one that is there."""
    wanted = list(urls)
    entries = (f"  - dataset: t{number}\n    runbook: {url}\n    checks: [schema_drift]" for number, url in enumerate(wanted))
    found = broken_links(project(folder, "datasets:\n" + "\n".join(entries)), outgoing)
    assert [(problem.path, problem.is_warning) for problem in found] == [("checks/wiki.yaml", True)] * len(found)
    said = {problem.line: str(problem) for problem in found}
    return {url: said.pop(4 + 3 * number, "") for number, url in enumerate(wanted)} | {f"line {line}": text for line, text in said.items()}


def trusting(wiki: Wiki, timeout_s: float = 10) -> Outgoing:
    return Outgoing(timeout_s, str(wiki.ca_file), allow_private=True)


def test_of_40_links_each_is_told_as_it_is(tmp_path: Path, wiki: Wiki) -> None:
    expected = (
        {f"/{status}": "" for status in THERE}
        | {f"/{status}": f"HTTP {status}" for status in BROKEN}
        | {f"/{p}": t for p, t in WITH_GET.items()}
    )
    expected = {f"{wiki.url}{path}": text for path, text in expected.items()}
    expected |= {
        f"{wiki.url}/200?page=1#first-step": "",
        "https://localhost:9/": "cannot be reached",
        "https://wiki.invalid/": "cannot be resolved",
    }
    assert len(expected) == 40
    found = told(tmp_path, expected, trusting(wiki))
    wrong = {url: text for url, text in found.items() if bool(text) is not bool(expected[url]) or expected[url] not in text}
    assert wrong == {}
    assert (
        found[f"{wiki.url}/404"]
        == f"checks/wiki.yaml:{4 + 3 * list(expected).index(f'{wiki.url}/404')}: the runbook {wiki.url}/404 is broken: HTTP 404"
    )
    assert set(wiki.asked.values()) == {1}, "each page is asked for once, and no redirect is followed"
    assert {asked for asked in wiki.asked if asked.startswith("GET")} == {f"GET /{path}" for path in WITH_GET}


def test_a_page_with_several_anchors_is_asked_once_and_told_at_each_line(tmp_path: Path, wiki: Wiki) -> None:
    urls = [f"{wiki.url}/404", f"{wiki.url}/404#first", f"{wiki.url}/404#second"]
    assert all(f"{wiki.url}/404 is broken: HTTP 404" in text for text in told(tmp_path, urls, trusting(wiki)).values())
    assert wiki.asked == {"HEAD /404": 1}


def test_the_links_in_a_markdown_runbook_are_asked_too(tmp_path: Path, wiki: Wiki) -> None:
    """Those of the section that is meant; each page once, whoever links to it; what the policy forbids is never asked."""
    (tmp_path / "late.md").write_text(
        f"# Late\n1. [a]({wiki.url}/404#x) and [b]({wiki.url}/200)\n2. [c](other.md) <https://127.0.0.1:9/x>\n# Other\n[d]({wiki.url}/410)\n"
    )
    (tmp_path / "main.t.md").write_text(f"1. [e]({wiki.url}/404)\n")
    entries = "".join(
        f"  - {{dataset: {name}, runbook: '{book}', checks: [schema_drift]}}\n"
        for name, book in (("s", "late.md#late"), ("t", "{dataset}.md"))
    )
    found = broken_links(project(tmp_path, f"datasets:\n{entries}"), Outgoing(10, str(wiki.ca_file), allow_private=True))
    assert [str(problem) for problem in found if "127.0.0.1:9" not in str(problem)] == [
        f"checks/wiki.yaml:3: the link {wiki.url}/404 of the runbook late.md#late is broken: HTTP 404",
        f"checks/wiki.yaml:4: the link {wiki.url}/404 of the runbook main.t.md is broken: HTTP 404",
    ]
    assert wiki.asked == {"HEAD /404": 1, "HEAD /200": 1}
    guarded = broken_links(project(tmp_path, f"datasets:\n{entries}"), Outgoing(10, str(wiki.ca_file)))
    assert any("127.0.0.1:9" in str(problem) and "private" in str(problem) for problem in guarded), guarded
    assert wiki.asked == {"HEAD /404": 1, "HEAD /200": 1}, "a private address is asked only when that is allowed"


def test_anchors_that_one_line_fills_in_are_told_once(tmp_path: Path, wiki: Wiki) -> None:
    checks = f"""\
defaults: {{runbook: "{wiki.url}/404#{{check}}"}}
datasets:
  - {{dataset: orders, checks: [schema_drift, row_count: {{min: 1}}]}}
  - {{dataset: refunds, checks: [schema_drift]}}
"""
    found = broken_links(project(tmp_path, checks), trusting(wiki))
    assert [str(problem) for problem in found] == [f"checks/wiki.yaml:2: the runbook {wiki.url}/404 is broken: HTTP 404"]


def test_so_many_are_asked_at_a_time_and_no_more(tmp_path: Path, wiki: Wiki) -> None:
    urls = [f"{wiki.url}/together/{number}x" for number in range(2 * AT_ONCE)]
    assert set(told(tmp_path, urls, trusting(wiki)).values()) == {""}, f"{AT_ONCE} wait for each other"
    assert wiki.most == AT_ONCE


def test_nothing_is_sent_to_a_private_address_unless_allowed(tmp_path: Path, wiki: Wiki) -> None:
    (text,) = told(tmp_path, [f"{wiki.url}/200"], Outgoing(5, str(wiki.ca_file))).values()
    assert "cannot be looked at: localhost stands for" in text
    assert wiki.asked == {}


def test_a_server_that_proves_nothing_is_not_believed(tmp_path: Path, wiki: Wiki) -> None:
    (text,) = told(tmp_path, [f"{wiki.url}/200"], Outgoing(5, allow_private=True)).values()
    assert "no TLS with localhost" in text
    assert wiki.asked == {}


def test_links_of_defaults_entries_checks_and_patterns_are_filled_in_and_known_by_their_lines(tmp_path: Path) -> None:
    checks = """\
defaults: {runbook: "https://wiki.example.com/{dataset}#{check}"}
datasets:
  - dataset: orders
    checks:
      - row_count: {min: 1}
      - completeness: {column: id, runbook: "https://wiki.example.com/ids"}
  - dataset: '"my orders"'
    checks: [{row_count: {min: 1}}]
  - dataset: raw_*
    runbook: https://wiki.example.com/raw
    checks: [{row_count: {min: 1}}]
"""
    made = project(tmp_path, checks)
    assert {url: at.line for url, at in runbook_links(made.placed, made.checks).items()} == {
        "https://wiki.example.com/main.orders#main.orders.row_count": 2,
        "https://wiki.example.com/main.%22my%20orders%22#main.%22my%20orders%22.row_count": 2,
        "https://wiki.example.com/ids": 7,
        "https://wiki.example.com/raw": 11,
    }


def test_the_command_says_each_with_its_line_and_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project(tmp_path, "datasets:\n  - dataset: orders\n    runbook: https://localhost:9/rb\n    checks: [schema_drift]\n")
    monkeypatch.chdir(tmp_path)
    said = {}
    for words in (["validate"], ["validate", "--check-links"], ["validate", "--check-links", "--allow-private"]):
        assert run(words) == 0, "a broken link stops nobody"
        said[words[-1]] = [line for line in capsys.readouterr().out.splitlines() if "runbook" in line]
    assert said["validate"] == []
    (inside,) = said["--check-links"]
    assert inside.startswith("warning  checks/wiki.yaml:4: the runbook https://localhost:9/rb cannot be looked at: localhost stands for ")
    (nobody,) = said["--allow-private"]
    assert nobody.startswith(
        "warning  checks/wiki.yaml:4: the runbook https://localhost:9/rb cannot be looked at: localhost:9 cannot be reached"
    )


@pytest.mark.parametrize(
    ("checks", "line"),
    [
        ("defaults: {runbook: https://evil.example/rb}\ndatasets:\n  - dataset: orders\n    checks: [schema_drift]\n", 2),
        ("datasets:\n  - dataset: orders\n    runbook: https://evil.example/rb\n    checks: [schema_drift]\n", 4),
        ("datasets:\n  - dataset: orders\n    checks:\n      - schema_drift: {runbook: https://evil.example/rb}\n", 5),
    ],
)
def test_a_host_that_is_not_listed_stops_the_start_at_the_line_that_names_it(tmp_path: Path, checks: str, line: int) -> None:
    with pytest.raises(ConfigError) as refused:
        project(tmp_path, checks, f'{CONFIG}runbook_hosts: [wiki.example.com, "*.docs.example.com"]\n')
    assert str(refused.value) == (
        f"checks/wiki.yaml:{line}: the runbook's host 'evil.example' is not among runbook_hosts (wiki.example.com, *.docs.example.com)"
        "; add it there, or link elsewhere"
    )
    assert project(tmp_path, checks.replace("evil.example", "a.docs.example.com"), f'{CONFIG}runbook_hosts: ["*.docs.example.com"]\n')
