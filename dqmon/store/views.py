"""dq_daily_score: how good each dataset was on each day. A view, made by the migrations.

Over the current results of scheduled and `check` runs; ad-hoc runs are not in it. `judged` counts pass, warn and fail, `passed` only
pass. `score` is 0..1, results weighted by severity 1, 2, 4, 8; NULL when nothing was judged. `coverage` is judged / all results:
SKIPPED and ERROR lower it, not the score.
"""

from __future__ import annotations

import sqlalchemy as sa

daily_score = sa.table(
    "dq_daily_score",
    sa.column("warehouse", sa.Text),
    sa.column("dataset", sa.Text),
    sa.column("day", sa.Date),
    sa.column("passed", sa.Integer),
    sa.column("judged", sa.Integer),
    sa.column("score", sa.Double),
    sa.column("coverage", sa.Double),
)
