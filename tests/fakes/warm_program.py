"""`python -m dqmon` in a process of its own that is forked from one that has imported it: a start costs a tenth of the CPU.

The forked process is a fresh one in all else: folder, environment, streams, the module `__main__`, its end. What a start
costs and imports is the matter of tests/benchmarks/test_start.py, and daemons are started as a user starts them.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("cli", "app", "engine", "store", "checks", "alerts", "detectors", "config", "notify")
LONGEST_REQUEST = 1 << 20


def run(words: tuple[str, ...], folder: Path, environment: Mapping[str, str], timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """How `dqmon WORDS` ended in `folder`; its stdin is empty. Raises TimeoutError when it does not end."""
    server = _server()
    request = json.dumps({"words": words, "folder": str(folder), "environment": dict(environment)}).encode()
    assert len(request) < LONGEST_REQUEST
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        server.settimeout(timeout_s)
        socket.send_fds(server, [request], [out.fileno(), err.fileno()])
        code = int(server.recv(16))
        said = []
        for stream in (out, err):
            stream.seek(0)
            said.append(stream.read().decode().replace("\r\n", "\n"))
    return subprocess.CompletedProcess(words, code, *said)


@cache
def _server() -> socket.socket:
    """The other end of this process' server, which lives as long as this process does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, __file__, str(theirs.fileno())]
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _import_all() -> None:
    """What most commands import; the vendors' packages stay for those that need them."""
    for room in ROOMS:
        package = importlib.import_module(f"dqmon.{room}")
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in found.name:
                importlib.import_module(found.name)
    importlib.import_module("dqmon.warehouses.sqlite")
    gc.collect()
    gc.freeze()  # the collector of a forked process would copy all these pages


def _serve(peer: socket.socket) -> bool:
    """Forks for each request and answers with the exit code; True in the forked process, which is set up to be the program."""
    while True:
        request, files, _, _ = socket.recv_fds(peer, LONGEST_REQUEST, 2)
        if not request:
            return False
        if (pid := os.fork()) == 0:
            peer.close()
            _become(json.loads(request), files)
            return True
        for file in files:
            os.close(file)
        _, status = os.waitpid(pid, 0)
        peer.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(request: dict[str, object], files: list[int]) -> None:
    for stream, file in enumerate(files, start=1):
        os.dup2(file, stream)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["environment"])  # type: ignore[call-overload]
    time.tzset()
    os.chdir(str(request["folder"]))
    sys.argv = ["dqmon", *request["words"]]  # type: ignore[misc]


if __name__ == "__main__":
    sys.path.remove(str(Path(__file__).parent))
    _import_all()
    if _serve(socket.socket(fileno=int(sys.argv[1]))):
        runpy.run_module("dqmon", run_name="__main__", alter_sys=True)
