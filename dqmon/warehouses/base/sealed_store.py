"""An object store as DuckDB may see it. Imported only where `fsspec` is needed."""

from __future__ import annotations

from typing import Any

from fsspec.implementations.arrow import ArrowFSWrapper  # type: ignore[import-untyped]  # ships no types
from pyarrow.fs import FileSelector


class SealedStore(ArrowFSWrapper):  # type: ignore[misc]  # ships no types
    """Arrow's file system of an object store, read only.

    DuckDB compares a path with the folders that it may read as a text, and Arrow resolves `..` after that: such paths are refused
    here. So are all writes: DuckDB's COPY may write wherever it may read.
    """

    cachable = False  # codespell:ignore cachable

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        plain = path.removeprefix("s3://").rstrip("/")
        if {".", "..", ""} & {*plain.split("/")} and plain:
            raise PermissionError(f"the path {path!r} is not a plain one, so that it is not read")
        return plain

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if mode != "rb":
            raise PermissionError(f"{path!r} is not written: a warehouse is only read")
        return super()._open(path, mode, **options)

    def walk(self, path: str, *args: Any, **options: Any) -> Any:
        """Raises what is wrong with the store; fsspec's own leaves out what cannot be listed, as if it were not there."""
        return super().walk(path, *args, **options | {"on_error": _raise_unless_missing})

    def find(self, path: str, maxdepth: int | None = None, withdirs: bool = False, detail: bool = False, **options: Any) -> Any:
        """All below a folder by one listing; fsspec's own asks for each folder."""
        if maxdepth is not None:
            return super().find(path, maxdepth, withdirs, detail, **options)
        listing = self.fs.get_file_info(FileSelector(self._strip_protocol(path), recursive=True, allow_not_found=True))
        found = {entry["name"]: entry for entry in map(self._make_entry, listing) if withdirs or entry["type"] == "file"}
        return found if detail else sorted(found)

    def _refuse(self, *paths: object, **options: object) -> None:
        del options
        raise PermissionError(f"{paths[0]!r} is not changed: a warehouse is only read")

    rm = rm_file = rmdir = mkdir = makedirs = mv = cp_file = _refuse


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
