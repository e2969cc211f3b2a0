"""Runbooks in Markdown: which files are taken, which section is meant, what its first step is, what messages say of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alert_world import check
from sample_messages import facts, message

from dqmon.config.project import load_project
from dqmon.config.runbooks import FILE_LIMIT, STEP_LIMIT, Runbooks, links_in
from dqmon.core.check import PipelineRef
from dqmon.core.pages import Pages
from dqmon.core.table import TableRef
from dqmon.engine.telling.runbooks import guided, guided_facts
from dqmon.errors import ConfigError

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATE = """\
# Orders are late

They come from **the shop**.

## First steps

1. Open *Fivetran*,
   sync `shop_pg` ([console](https://fivetran.example.com/x)).
2. Ask [on call](oncall.md).

### After it

- Tell <b>them</b>

## First steps

Call somebody.
"""
CONFIG = "version: 1\nwarehouses: {main: {type: sqlite, path: shop.db}}\n"


@pytest.fixture
def load(tmp_path: Path):
    def load(runbook: str, more: str = "", dataset: str = "orders"):
        for name, text in (("config/dqmon.yaml", CONFIG + more), ("docs/late.md", LATE), ("docs/main.orders.md", "1. of orders")):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        (tmp_path / "checks").mkdir(exist_ok=True)
        (tmp_path / "checks/a.yaml").write_text(
            f"version: 1\ndefaults: {{owner: me, severity: critical}}\ndatasets:\n  - dataset: {dataset}\n"
            f"    runbook: {runbook}\n    checks: [schema_drift]\n"
        )
        return load_project(tmp_path / "config/dqmon.yaml", {})

    return load


@pytest.mark.parametrize(
    ("anchor", "begins", "ends", "step"),
    [
        ("", "# Orders are late", "Call somebody.", "Open Fivetran, sync shop_pg (console)."),
        ("#orders-are-late", "# Orders are late", "Call somebody.", "Open Fivetran, sync shop_pg (console)."),
        ("#first-steps", "## First steps", "Tell <b>them</b>", "Open Fivetran, sync shop_pg (console)."),
        ("#First Steps", "## First steps", "Tell <b>them</b>", "Open Fivetran, sync shop_pg (console)."),
        ("#after-it", "### After it", "Tell <b>them</b>", "Tell <b>them</b>"),
        ("#first-steps-1", "## First steps", "Call somebody.", "Call somebody."),
    ],
)
def test_an_anchor_means_its_section(load, anchor: str, begins: str, ends: str, step: str) -> None:
    (found,) = load(f'"docs/late.md{anchor}"').checks
    assert found.guide is not None
    assert (found.guide.place, found.runbook_url) == (f"docs/late.md{anchor}", f"docs/late.md{anchor}")
    assert (found.guide.text.startswith(begins), found.guide.text.strip().endswith(ends), found.guide.first_step) == (True, True, step)


def test_a_path_is_filled_in_and_counts_as_a_runbook(load) -> None:
    (found,) = load('"docs/{dataset}.md"', "require_runbook: critical\nrunbook_hosts: [wiki.example.com]\n").checks
    assert (found.guide and found.guide.first_step, found.runbook_url) == ("of orders", "docs/main.orders.md")


@pytest.mark.parametrize(
    ("runbook", "complaint"),
    [
        ("docs/none.md", "the runbook docs/none.md is not there; write the file, or name another"),
        ("docs/{check}.md", "the runbook docs/main.orders.schema_drift.md is not there"),
        ('"docs/late.md#nowhere"', "the runbook docs/late.md has no heading for #nowhere; it has #orders-are-late, #first-steps, "),
        ("../outside.md", "the runbook ../outside.md is outside of the project"),
        ("/etc/motd.md", "the runbook /etc/motd.md is outside of the project"),
        ("docs/link.md", "the runbook docs/link.md is outside of the project, or no .md file there"),
        ("docs/secret.md", "the runbook docs/secret.md is outside of the project, or no .md file there"),
        ("docs/long.md", "the runbook docs/long.md is longer than 64 KB"),
        ("docs/latin.md", "the runbook docs/latin.md is no UTF-8 text"),
        ("docs/empty.md", "the runbook docs/empty.md is empty"),
        ("docs", "must start with https://, or be a Markdown file of the project such as docs/runbooks/orders.md"),
        ("docs/late.txt", "must start with https://, or be a Markdown file"),
        ("http://wiki.example.com/late.md", "must start with https://"),
        ('"docs\\\\late.md"', "holds a character that the path of a runbook cannot have"),
        ('"docs/{owner}.md"', "holds {owner}; only {check} and {dataset} are filled in"),
    ],
)
def test_what_is_no_runbook_stops_the_start_at_its_line(load, tmp_path: Path, runbook: str, complaint: str) -> None:
    (tmp_path.parent / "outside.md").write_text("1. outside")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/link.md").symlink_to(tmp_path.parent / "outside.md")
    (tmp_path / "docs/secret.md").symlink_to("../config/dqmon.yaml")
    (tmp_path / "docs/long.md").write_text("x" * (FILE_LIMIT + 1))
    (tmp_path / "docs/latin.md").write_bytes("é".encode("latin-1"))
    (tmp_path / "docs/empty.md").write_text(" \n")
    with pytest.raises(ConfigError) as caught:
        load(runbook)
    (problem,) = caught.value.problems
    assert (problem.path, problem.line, complaint in str(problem)) == ("checks/a.yaml", 5, True), str(problem)


def test_a_table_that_a_pattern_finds_stops_nothing_when_its_runbook_is_missing(load) -> None:
    found = load('"docs/{dataset}.md"', dataset="'*'")
    resolved = found.resolve([(TableRef("main", None, "main", name), False) for name in ("orders", "new")])
    assert [(one.dataset, one.guide is not None) for one in resolved.checks] == [("main.orders", True), ("main.new", False)]
    assert [(problem.is_warning, problem.line, "docs/main.new.md" in str(problem)) for problem in resolved.problems] == [(True, 5, True)]
    with pytest.raises(ConfigError, match=r"docs/none\.md is not there"):
        load("docs/none.md", dataset="'*'")


def test_a_file_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A\n1. before\n")
    books = Runbooks(tmp_path)
    first = books.find("a.md")
    (tmp_path / "a.md").write_text("1. after")
    assert books.find("a.md") is first
    assert books.find("a.md#a").first_step == "before", "all of a load says the same"
    assert Runbooks(tmp_path).find("a.md").first_step == "after"


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("# only a heading", ""),
        ("```\n1. code\n```\n", ""),
        ("first\nline\n\nsecond", "first line"),
        ("intro\n\n* one\n* two", "one"),
        ("> quoted\n\n- a\n\n  b", "a"),
        ("1. # heading in an item\n", "heading in an item"),
        ("- " + "x" * 400, "x" * (STEP_LIMIT - 1) + "…"),
        ("1. <script>alert(1)</script> &amp; **b**", "<script>alert(1)</script> & b"),
        ("a\u2028b\r\n\r\n# C\r\n- \u00a0 d", "d"),
    ],
)
def test_the_first_step_is_plain_text(tmp_path: Path, text: str, step: str) -> None:
    (tmp_path / "a.md").write_text(text, newline="")
    assert Runbooks(tmp_path).find("a.md").first_step == step


def test_lines_that_markdown_does_not_end_do_not_shift_a_section(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("x\u2028y\x0cz\r\n# A\r\nof a\r# B\rof b", newline="")
    books = Runbooks(tmp_path)
    assert (books.find("a.md#a").text, books.find("a.md#b").text) == ("# A\nof a", "# B\nof b")


def test_links_are_those_to_https() -> None:
    text = "[a](https://a.example/x#y) <https://b.example> ![i](https://c.example/i.png) [r](d.md) [h](http://e.example) [a](https://a.example/x#y)"
    more = "[u](https://me@f.example) [s](//g.example) `https://h.example` [j](javascript:alert(1)) [c][c]\n\n[c]: https://k.example 't'"
    assert links_in(f"{text} {more}") == ("https://a.example/x#y", "https://b.example", "https://c.example/i.png", "https://k.example")


def _told(tmp_path: Path, text: str = "1. Look there.", pages: Pages | None = None):
    """A message of one alert whose check has that runbook, as it was composed and as it is sent."""
    (tmp_path / "a.md").write_text(text)
    guide = Runbooks(tmp_path).find("a.md")
    known = replace(check("main:orders", "row_count"), runbook="a.md", guide=guide)
    alert = facts(check_id=known.id, runbook="a.md", first_step=f"dqmon explain {known.id}")
    environment = type("Known", (), {"checks": {known.id: known}, "pages": pages})()
    return guided(message(root=alert, alerts=(alert,), links={"runbook": "a.md"}, at=NOON), environment)


def test_a_message_says_the_first_step_before_the_command_and_names_the_file(tmp_path: Path) -> None:
    told = _told(tmp_path)
    assert told.alerts[0].first_step == "Look there; then: dqmon explain orders.row_count"
    assert (told.alerts[0].runbook, told.links) == ("a.md", {"runbook": "a.md"})


@pytest.mark.parametrize(("text", "step"), [("# nothing to do", ""), ("1. " + "x" * 500, "x")])
def test_the_command_is_never_cut_off(tmp_path: Path, text: str, step: str) -> None:
    said = _told(tmp_path, text).alerts[0].first_step
    assert (said[:1] == step or not step, said.endswith("dqmon explain orders.row_count"), len(said) <= 280) == (True, True, True)


def test_with_a_page_the_runbook_is_a_link_to_it(tmp_path: Path) -> None:
    told = _told(tmp_path, pages=Pages("https://dqmon.example.com", b"key", is_open=True))
    page = told.links["incident"]
    until = int((NOON + timedelta(hours=72)).timestamp())
    assert page.startswith(f"https://dqmon.example.com/incidents/{told.incident_id}?until={until}&seal=")
    assert (told.alerts[0].runbook, told.links["runbook"]) == (f"{page}#runbook", f"{page}#runbook")
    closed = _told(tmp_path, pages=Pages("https://dqmon.example.com", b"key", is_open=False))
    assert closed.links["incident"] == f"https://dqmon.example.com/incidents/{told.incident_id}"
    assert "incident" not in _told(tmp_path, pages=Pages(None, b"key", is_open=False)).links


def test_a_link_and_a_file_that_is_the_checks_no_more_stay_as_they_are(tmp_path: Path) -> None:
    alert = _told(tmp_path).alerts[0]
    known = {alert.check_id: replace(check("main:orders", "row_count"), runbook="b.md")}
    other = replace(alert, runbook="https://wiki.example.com/a")
    assert guided_facts(alert, known, "https://page") == alert
    assert guided_facts(other, known, "https://page") == other


def test_a_pipeline_fills_in_its_name() -> None:
    found = replace(check("shop/sync", "last_success"), runbook="docs/{dataset}.md")
    assert (found.pipeline, found.runbook_url) == (PipelineRef("shop", "sync"), "docs/shop/sync.md")
