"""The command line's frame: help, what it imports, words that are wrong, and what becomes of errors."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from dqmon.cli import program
from dqmon.cli.exit_codes import ExitCode
from dqmon.errors import ConfigError, NotifyError, Problem, QueryFailed, StoreError

ROOT = Path(__file__).parents[2]
HEAVY = ("sqlalchemy", "pandas", "pandera", "snowflake", "pydantic", "pydantic_settings", "duckdb", "numpy", "rich", "structlog", "ruamel")


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("words", "allowed"),
    # typer itself needs pydantic as soon as a command has parameters.
    [(["--help"], []), (["--version"], []), (["check", "--help"], ["pydantic"]), (["incidents", "--help"], ["pydantic"])],
)
def test_help_imports_nothing_heavy(words: list[str], allowed: list[str]) -> None:
    done = _python(f"import sys; from dqmon.cli.program import run; run({words}); print(*(m for m in {HEAVY} if m in sys.modules))")
    found = [name for name in done.stdout.splitlines()[-1].split() if name not in allowed]
    assert found == [], f"`dqmon {' '.join(words)}` must stay instant, but imports {', '.join(found)}"


def test_help_is_instant() -> None:
    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert _python("from dqmon.cli.program import run; run(['--help'])").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    best = min(seconds() for _ in range(5))  # of CPU, the best of five: other processes of the machine must not fail this
    print(f"dqmon --help: {best:.3f} s of CPU")
    assert best <= 0.25, f"`dqmon --help` takes {best:.2f} s; found too many imports, expected at most 0.25 s: see python -X importtime"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chekc"], "No such command"),
        (["check", "--frmat", "json"], "--frmat"),
        (["check", "--format", "jsn"], "did you mean 'json'?"),
        (["check", "--fail-on", "error"], "--fail-on 'error' is unknown: write warn, fail, never"),
        (["check", "--min-severity", "critcal"], "did you mean 'critical'?"),
        (["check", "--at", "yesterday"], "write it as 2013-02-10T12:00Z"),
        (["check", "--at", "2013-02-10T12:00"], "no instant with a zone"),
        (["check", "ownr:me"], "unknown selector key 'ownr'"),
        (["check", "--exclude", "type:"], "has no value"),
        (["check", "--output", "/no/such/folder/x.json"], "there is no folder"),
        (["incidents", "list", "--state", "closed"], "--state 'closed' is unknown"),
        (["incidents", "list", "--limit", "0"], "limit"),
        (["explain"], "CHECK"),
        (["--log-level", "loud", "check"], "'loud' is no level"),
        (["--log-format", "xml", "check"], "'xml' is no format"),
    ],
)
def test_wrong_words_are_exit_code_2_and_one_message(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.run(words) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert said in err
    assert out == ""
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError((Problem("a.yaml", 3, "bad"), Problem("b.yaml", None, "worse", "mend it"))), ExitCode.USAGE, "b.yaml: worse; mend it"),
        (StoreError("the disk is full"), ExitCode.NOT_RECORDED, "dqmon: the disk is full"),
        (NotifyError("no"), ExitCode.NOT_RECORDED, "dqmon: no"),
        (QueryFailed("bad SQL"), ExitCode.NOT_EVALUATED, "dqmon: bad SQL"),
        (KeyError("x\ny"), ExitCode.NOT_EVALUATED, "unexpected KeyError: 'x\\ny'; run it again as `dqmon --debug …`"),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, ""),
    ],
)
def test_errors_become_one_message_and_a_code(
    error: BaseException, code: ExitCode, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> int:
        raise error

    monkeypatch.setattr(program, "_invoke", broken)
    assert program.run(["check"]) == code
    assert said in capsys.readouterr().err


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> int:
        raise KeyError("x")

    monkeypatch.setattr(program, "_invoke", broken)
    with pytest.raises(KeyError):
        program.run(["--debug", "check"])


def test_every_command_has_a_first_sentence_that_fits_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.run(["--help"]) == 0
    commands = capsys.readouterr().out.partition("Commands:")[2]
    assert "..." not in commands, "a command's first sentence is cut off; make it shorter"
