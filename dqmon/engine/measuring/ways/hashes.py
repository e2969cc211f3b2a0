"""Keys with long texts: their hashes are grouped, and only keys whose hash repeats are looked at themselves.

No repeated hash proves that no key repeats; a repeated one is only a suspicion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqmon.core.metric import Totals
from dqmon.core.table import TypeGroup
from dqmon.engine.measuring.ways.key import MOST_COPIES, answer, counts, key_of, pair
from dqmon.sql.metrics import Copies, RepeatedHashes, SampledLength

if TYPE_CHECKING:
    from dqmon.engine.measuring.ways.way import Question, Steps


LONG = 24
"""Characters of a key's texts from which on hashes are quicker. In DuckDB they take two thirds of the processor time and three quarters
of the memory for 36 characters; for 14 up to 1.1 times as much when some keys have copies, and for other types as much (3 to 10 M
rows, two cores, November 2026)."""


def steps(question: Question) -> Steps:
    """Surplus rows and keys with copies, counted among the keys whose hash repeats, when these are few."""
    key = key_of(question, "hashes")
    if key is None or all(question.column(name).group is not TypeGroup.TEXT for name in key):
        return None
    length = SampledLength(key)
    sampled = (yield (length, *counts(question)))[length]
    if not isinstance(sampled, int) or sampled < LONG:
        return None
    repeated = RepeatedHashes(MOST_COPIES, key)
    values = yield (repeated, *counts(question))
    hashes = values[repeated]
    if not isinstance(hashes, Totals):
        return None
    suspects = tuple(sorted(int(str(hashed)) for hashed in hashes.by_key[()]))
    if not suspects:
        return answer(question, values, (0, 0), "no two keys have the same hash")
    copies = Copies(MOST_COPIES, key, suspects)
    found = pair((yield (copies,))[copies])
    return answer(question, values, found, f"only the keys of {len(suspects)} repeated hashes were counted") if found else None
