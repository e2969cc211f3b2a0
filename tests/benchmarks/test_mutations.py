"""Typing errors in the worked example's files: found, at their line, with the word that was meant. `-s` prints the figures."""

from __future__ import annotations

import random
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from dqmon.config.project import load_project
from dqmon.config.report import Report
from dqmon.config.yaml_lines import parse_yaml
from dqmon.errors import ConfigError, Problem

EXAMPLE = Path(__file__).parents[2]
FILES = ("checks/flights.yaml", "checks/reference.yaml", "config/dqmon.yaml")
NAMES = {"main", "nyc_dlt", "oncall", "team", "http", "https", "sqlite", "env"}
ENUMS = r"\b(?:error|critical|warning|both|day|column_removed|column_added|type_changed)\b"
WANTED = 30


@dataclass(frozen=True)
class Mutation:
    kind: str
    file: str
    line: int
    old: str
    new: str
    text: str


def typo(word: str, rng: random.Random) -> str:
    """One slip of the fingers: a letter left out, doubled, swapped with the next, or hit beside."""
    while True:
        at = rng.randrange(len(word))
        slips = (
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :],
            word[:at] + "x" + word[at + 1 :],
        )
        found = rng.choice(slips)
        if found not in (word, ""):
            return found


def replaced(lines: list[str], number: int, start: int, end: int, new: str) -> str:
    line = lines[number]
    return "".join((*lines[:number], line[:start] + new + line[end:], *lines[number + 1 :]))


def spots(kind: str, line: str) -> list[re.Match[str]]:
    code = re.sub(r"(?<=\s)#.*", lambda comment: " " * len(comment[0]), line.rstrip("\n"))
    is_check = re.match(r"\s+- [a-z_]+(:|$)", code) and not re.match(r"\s+- (name|dataset|pipeline)\b", code)
    match kind:
        case "key":
            found = re.finditer(r"(?<![\w./-])([a-z_]+)(?=:(\s|$))", code)
            return [m for m in found if m[1] not in NAMES and not (is_check and code[: m.start()].strip() == "-")]
        case "check type":
            return [m for m in re.finditer(r"(?<=- )[a-z_]+", code) if is_check]
        case "enum":
            return [m for m in re.finditer(ENUMS, code) if not re.search("match:|description:|columns:", code)]
        case "number":
            return list(re.finditer(r"(?<=: )-?\d+(?=[,}\s]|$)|(?<=> )\d+(?:\.\d+)?(?=%)", code))
        case "duration":
            return list(re.finditer(r"(?<=: )\d+[smhdw](?=[,}\s]|$)", code))
        case "column list":
            return list(re.finditer(r"(?<=columns: )\[[^\]]*\]|(?<=_on: )\[[^\]]*\]", code))
        case "selector":
            return list(re.finditer(r'(?<=match: ")[^"]*(?=")', code))
        case _:
            return [m for m in [re.match(r" +", code)] if m and code.strip()]


def news(kind: str, old: str, rng: random.Random) -> list[str]:
    match kind:
        case "number":
            return [old.replace("0", "O") if "0" in old else f"{old}x", f"-{old}-", f"{old} of", "many"]
        case "duration":
            return [f"{old[:-1]} {old[-1]}", f"{old}ours", old[:-1], f"1.{old}", f"{old[-1]}{old[:-1]}"]
        case "column list":
            return [old[1:-1], old[:-1], "[]", f"[{old}]", "{" + old[1:-1] + "}", old[:-1] + ", 5]"]
        case "indentation":
            return [old + " ", old[1:], old + "  ", old[2:], old + "    "]
        case "selector":
            key, value = old.split(":")
            return [f"{typo(key, rng)}:{value}", f"{key}:{typo(value, rng)}", f"{key}:"]
        case _:
            return [typo(old, rng)]


def mutations(kind: str) -> list[Mutation]:
    """WANTED different ones that change what the file says, drawn evenly from all places where they can be made."""
    rng = random.Random(f"mutations of {kind}")
    files = {file: (EXAMPLE / file).read_text(encoding="utf-8").splitlines(keepends=True) for file in FILES}
    before = {file: parse_yaml("".join(lines), Report(file)) for file, lines in files.items()}
    places = [(file, number, spot) for file, lines in files.items() for number, line in enumerate(lines) for spot in spots(kind, line)]
    drawn = [(*place, new) for _ in range(12) for place in places for new in news(kind, place[2][0], rng)]
    rng.shuffle(drawn)
    found: dict[str, Mutation] = {}
    for file, number, spot, new in drawn:
        text = replaced(files[file], number, spot.start(), spot.end(), new)
        if len(found) < WANTED and text not in found and parse_yaml(text, Report(file)) != before[file]:
            found[text] = Mutation(kind, file, number + 1, spot[0], new, text)
    return list(found.values())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("checks", "config"):
        (tmp_path / folder).mkdir()
    for file in FILES:
        shutil.copy(EXAMPLE / file, tmp_path / file)
    load_project(tmp_path / "config/dqmon.yaml", {})
    return tmp_path


def problems_of(project: Path, mutation: Mutation) -> tuple[Problem, ...]:
    (project / mutation.file).write_text(mutation.text, encoding="utf-8")
    try:
        load_project(project / "config/dqmon.yaml", {})
    except ConfigError as e:
        return e.problems
    finally:
        shutil.copy(EXAMPLE / mutation.file, project / mutation.file)
    return ()


@pytest.mark.parametrize("kind", ["key", "check type", "enum", "number", "duration", "column list", "indentation", "selector"])
def test_a_slip_is_found_at_its_line(project: Path, kind: str) -> None:
    tried = mutations(kind)
    assert len(tried) >= 20, f"expected 20 mutations of a {kind} or more, found {len(tried)}; extend the example or the slips"
    placed = suggested = 0
    for mutation in tried:
        near = [p for p in problems_of(project, mutation) if p.path == mutation.file and p.line and abs(p.line - mutation.line) <= 1]
        is_suggested = any(repr(mutation.old) in str(p) for p in near)
        placed += bool(near)
        suggested += is_suggested
        if not near or (kind in ("key", "check type", "enum") and not is_suggested):
            print(
                f"missed: {mutation.file}:{mutation.line} {mutation.old!r} -> {mutation.new!r}: {[str(p) for p in problems_of(project, mutation)][:3]}"
            )
    print(f"{kind}: {len(tried)} mutations, {placed} found within one line, {suggested} with the word that was meant")
    assert placed >= 0.9 * len(tried), f"{kind}: {placed} of {len(tried)} found within one line, expected 90 % or more"
    if kind in ("key", "check type", "enum"):
        assert suggested >= 0.9 * len(tried), f"{kind}: the word was suggested in {suggested} of {len(tried)}, expected 90 % or more"
