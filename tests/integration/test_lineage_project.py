"""The graph of a project: what `dqmon lineage` finds in it, and when the daemon notices another one."""

from __future__ import annotations

import io
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dqmon.app import open_app
from dqmon.app.daemon import setup
from dqmon.cli.program import run
from dqmon.core.lineage import Edge, Exposure, Lineage, of_edges
from dqmon.engine.polling.lineage import keep_lineage
from dqmon.errors import UsageError

MANIFEST = Path(__file__).parents[1] / "fixtures" / "ingestion" / "dbt" / "manifest.json"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CONFIG = """\
version: 1
store: {url: "sqlite:///.dqmon/store.db"}
warehouses:
  main: {type: sqlite, path: data/shop.db}
  lake: {type: sqlite, path: data/lake.db}
ingestion:
  dbt: {type: dbt, warehouse: main, target: target}
"""
CHECKS = """\
version: 1
datasets:
  - {dataset: orders, warehouse: lake, upstream: [loaded, "main:raw.orders"], checks: [row_count: {min: 1}]}
  - {dataset: raw.loaded, warehouse: lake, upstream: [dbt/other], checks: [row_count: {min: 1}]}
exposures:
  - {exposure: board, upstream: ["lake:orders"]}
"""
PATTERN = "  - {dataset: main.*, upstream: [raw.base], checks: [row_count: {min: 1}]}\n"


@pytest.fixture
def root(tmp_path):
    for name in ("config", "checks", "target"):
        (tmp_path / name).mkdir()
    (tmp_path / "config/dqmon.yaml").write_text(CONFIG)
    (tmp_path / "checks/a.yaml").write_text(CHECKS)
    shutil.copy(MANIFEST, tmp_path / "target")
    return tmp_path


def opened(root, clock=lambda: NOW):
    return open_app(str(root / "config/dqmon.yaml"), clock=clock)


def found(root, name, *, up=True, down=True):
    with opened(root) as app:
        return app.lineage(name, up=up, down=down)


def poll(app):
    for source in app.sources.values():
        keep_lineage(source, app.database, NOW)


def test_the_environment_has_one_graph_of_files_and_tools(root):
    with opened(root) as app:
        assert app.environment.lineage.ancestors("exposure:/board") == {
            *("lake:main.orders", "lake:main.loaded", "main:raw.orders"),
        }
        poll(app)
    with opened(root) as app:
        graph = app.environment.lineage
        assert graph.descendants("main:raw.orders") == {
            *("lake:main.orders", "exposure:/board", "main:main.stg_orders", "main:main.bad_model", "main:main.downstream"),
        }
        assert graph.exposures == {"exposure:/board": Exposure("board")}


def test_what_a_source_said_that_is_no_longer_configured_is_left_out(root):
    with opened(root) as app:
        poll(app)
    text = CONFIG.replace("  dbt:", "  other:")
    (root / "config/dqmon.yaml").write_text(text)
    (root / "checks/a.yaml").write_text(CHECKS.replace("dbt/other", "other/x"))
    with opened(root) as app:
        assert app.told == {}


def test_the_daemon_notices_another_graph_without_asking_a_warehouse(root):
    with opened(root) as app:
        work = setup(app).work
        assert (work.refresh(), work.relearn()) == (None, None), "nothing has changed"
        poll(app)
        later = work.relearn()
        assert later is not None, "dbt's edges are new"
        assert (later.work.refresh(), later.work.relearn()) == (None, None), "nothing has changed since"
        manifest = root / "target/manifest.json"
        content = json.loads(manifest.read_text())
        del content["nodes"]["model.shop.downstream"]
        manifest.write_text(json.dumps(content))
        poll(app)
        assert later.work.relearn() is not None, "an edge has gone"


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("lake:orders", "lake:main.orders"),
        ("lake:main.orders", "lake:main.orders"),
        ("raw.orders", "main:raw.orders"),
        ("main:raw.orders", "main:raw.orders"),
        ("lake:raw.loaded", "lake:raw.loaded"),
        ("dbt/other", "dbt/other"),
        ("other", "dbt/other"),
        ("board", "exposure:/board"),
        ("exposure:/board", "exposure:/board"),
    ],
)
def test_a_node_is_found_by_the_names_that_check_files_and_people_use(root, name, node):
    assert found(root, name).node == node


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("orders", r"'orders' may be lake:main\.orders or main:raw\.orders; write one of them"),
        ("boord", "nothing is known of a table, pipeline or exposure 'boord'; did you mean 'board'"),
        ("lak:orders", r"did you mean 'lake:main\.orders'"),
        ("dbt/othr", "did you mean 'dbt/other'"),
        ("???", "it has no checks, and nothing names it as upstream"),
        ("", "nothing is known of a table, pipeline or exposure ''"),
        ("a.b.c.d.e", "nothing is known"),
        ('"open', "nothing is known"),
    ],
)
def test_a_name_that_names_nothing_or_several_things_is_refused(root, name, words):
    with pytest.raises(UsageError, match=words):
        found(root, name)


@pytest.mark.parametrize(
    ("up", "down", "others"),
    [
        (True, False, {"lake:main.loaded", "main:raw.orders"}),
        (False, True, {"exposure:/board"}),
        (True, True, {"lake:main.loaded", "main:raw.orders", "exposure:/board"}),
    ],
)
def test_only_what_was_asked_for_is_shown(root, up, down, others):
    assert found(root, "lake:orders", up=up, down=down).nodes.keys() == {"lake:main.orders", *others}


def test_patterns_are_applied_to_the_tables_of_the_graph_without_a_warehouse(root):
    (root / "checks/a.yaml").write_text(CHECKS.replace("exposures:", f"{PATTERN}exposures:"))
    with opened(root) as app:
        poll(app)
    picture = found(root, "main.stg_orders", down=False)
    assert picture.nodes.keys() == {"main:main.stg_orders", "main:raw.base", "dbt/shop", "main:raw.orders"}
    assert picture.nodes["main:main.stg_orders"].state == "no checks", "whether the pattern takes it, only the warehouse knows"


def test_a_chain_of_1000_tables_and_names_that_no_check_file_could_write_are_printed(root, capsys):
    with opened(root) as app:
        edges = [Edge(f"main:main.t{n}", f"main:main.t{n + 1}") for n in range(1_000)]
        edges += [Edge(odd, "main:main.t0") for odd in ("main:", 'main:""', "main:a.b.c.d", "gone:x", "", "/", ":", "dbt/", "\x1b[31m/x")]

        class Source:
            name = "dbt"

            def lineage(self) -> Lineage:
                return of_edges(edges)

        keep_lineage(Source(), app.database, NOW)
    (root / "checks/a.yaml").write_text(CHECKS.replace("exposures:", f"{PATTERN}exposures:"))
    assert run(["lineage", "t0", "--config", str(root / "config/dqmon.yaml")]) == 0
    out = capsys.readouterr().out
    assert out.count("└─ ") == 1_002
    assert "\x1b" not in out


def test_a_terminal_without_unicode_gets_plain_branches(root, monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", out)
    assert run(["lineage", "lake:orders", "--up", "--config", str(root / "config/dqmon.yaml")]) == 0
    out.seek(0)
    assert out.read().splitlines()[3:] == ["  no checks  |- lake:main.loaded", "  no checks  `- raw.orders"]
