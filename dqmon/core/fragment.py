"""The pieces that an engine keeps a table in, each of which can be read alone and says whether it has changed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fragment:
    """A file or child table. The rows of a table are those of its fragments, each row in one of them.

    name: unique within the table, the same while it is the same piece. place: where the engine finds it, in its own terms.
    proof: what stays the same only while its rows do (`Session.unchanged_proof`); None in doubt.
    """

    name: str
    place: tuple[str, ...]
    proof: str | None
