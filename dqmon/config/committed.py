"""A project with the check files of an earlier commit: `dqmon plan --changed-since REF`."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from dqmon.config.check_file import declared
from dqmon.config.check_files import MAX_TOTAL_BYTES
from dqmon.config.report import Report
from dqmon.config.targets import place
from dqmon.config.yaml_lines import read_yaml
from dqmon.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from dqmon.config.project import Project
    from dqmon.config.targets import Placed
    from dqmon.core.registry import Registry

_TIMEOUT_S = 60
_FILES = ("100644", "100755")
"""Modes of plain files; links and other repositories are left out (https://git-scm.com/docs/git-fast-import, filemodify)."""


@dataclass(frozen=True, slots=True)
class _Blob:
    """A file of the commit; `path` is below the folder of check files."""

    path: PurePosixPath
    object_id: str
    size: int


def at_commit(project: Project, ref: str, types: Registry) -> Project:
    """The project as if its check files were those of the commit that `ref` names; all other configuration is today's.

    UsageError where git is missing, the project is in no repository, or it knows no such commit; ConfigError for check files that
    were wrong then, or are with today's configuration. No program of the repository's configuration is run.
    """
    folder = project.root / project.file.keys.checks_path
    _git(folder, "rev-parse", "--git-dir", hint="; --changed-since compares with a commit, so the project must be in git")
    words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    commit = _git(folder, *words, refused=f"git knows no commit {ref!r}; write a branch, a tag or a commit").decode().strip()
    blobs = tuple(_check_files(_git(folder, "ls-tree", "-r", "-z", "-l", commit)))
    if sum(blob.size for blob in blobs) > MAX_TOTAL_BYTES:
        raise UsageError(f"the check files of {ref} have more than {MAX_TOTAL_BYTES:,} bytes in all")
    report = Report("")
    placed = tuple(_placed(project, blobs, _contents(folder, blobs), report, types))
    if report.errors:
        raise ConfigError(tuple(replace(problem, path=f"{ref}:{problem.path}") for problem in report.errors))
    return replace(project, placed=placed)


def _placed(project: Project, blobs: Sequence[_Blob], contents: Iterable[bytes], report: Report, types: Registry) -> Iterator[Placed]:
    """The entries of the files. A file's name never becomes one here: it may be anything that git takes."""
    with TemporaryDirectory(prefix="dqmon-commit-") as folder:
        for number, (blob, content) in enumerate(zip(blobs, contents, strict=True)):
            path = Path(folder) / f"{number}.yaml"
            path.write_bytes(content)
            own = report.of(str(PurePosixPath(project.file.keys.checks_path) / blob.path))
            if (data := read_yaml(path, own)) is not None:
                yield from (found for entry in declared(data, own, types) if (found := place(entry, project.facts)))


def _check_files(listed: bytes) -> Iterator[_Blob]:
    """What `ls-tree -z -l` lists, as far as it is a check file by the rules of `config.project`."""
    for line in filter(None, listed.split(b"\0")):
        facts, _, name = line.partition(b"\t")
        mode, _, object_id, size = facts.decode().split()
        path = PurePosixPath(name.decode(errors="replace"))
        is_hidden = any(part.startswith(".") for part in path.parts)
        if mode in _FILES and path.suffix in (".yaml", ".yml") and path.parts[0] != "tests" and not is_hidden:
            yield _Blob(path, object_id, int(size))


def _contents(folder: Path, blobs: Sequence[_Blob]) -> Iterator[bytes]:
    """The files' contents, in their order, from one process (https://git-scm.com/docs/git-cat-file, BATCH OUTPUT)."""
    if not blobs:
        return
    found = _git(folder, "cat-file", "--batch", given="".join(f"{blob.object_id}\n" for blob in blobs).encode())
    start = 0
    for blob in blobs:
        start = found.index(b"\n", start) + 1
        yield found[start : start + blob.size]
        start += blob.size + 1


def _git(folder: Path, *words: str, given: bytes = b"", refused: str = "", hint: str = "") -> bytes:
    """What git says. Raises UsageError: git's reason and `hint`, or `refused`, which is what a failure without a reason means."""
    program = shutil.which("git")
    if program is None:
        raise UsageError("--changed-since asks git, and there is no git on the PATH; install it")
    try:
        done = subprocess.run(  # noqa: S603 - words of ours and one name behind --end-of-options; no shell
            [program, "-C", str(folder), *words], input=given, capture_output=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as e:
        raise UsageError(f"git {words[0]} has not answered within {_TIMEOUT_S} s") from e
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.decode(errors="replace").strip().splitlines()
    raise UsageError(said[0].removeprefix("fatal: ") + hint if said else refused or f"git {words[0]} failed with {done.returncode}")
