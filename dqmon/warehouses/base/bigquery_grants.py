"""The statements that make a BigQuery service account which can read what the checks read, and do nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dqmon.core.table import TableRef
from dqmon.warehouses.base.bigquery_sql import quoted

_HEAD = """# Run by an owner of the project: the first commands in a shell, the GRANTs in BigQuery.
# The account reads and runs jobs; it may not write, and sees no other project.
gcloud iam service-accounts create {account} --project={project}
gcloud projects add-iam-policy-binding {project} --member=serviceAccount:{member} --role=roles/bigquery.jobUser"""

_FOOT = """# Not granted, since dqmon needs no key where it runs on Google Cloud; elsewhere:
# gcloud iam service-accounts keys create dqmon.json --iam-account={member}"""


def script(project: str, tables: Iterable[TableRef], dataset: str) -> str:
    """For reading `tables`, those without a dataset in `dataset`; a pattern in a name stands for all tables of its dataset."""
    member = f"dqmon@{project}.iam.gserviceaccount.com"
    known = {"account": "dqmon", "project": project, "member": member}
    lines = _reading(
        {(table.catalog or project, table.schema or dataset, table.name) for table in tables} or {(project, dataset, "*")}, member
    )
    return "\n".join([_HEAD.format(**known), *lines, _FOOT.format(**known)])


def _reading(named: set[tuple[str, str, str]], member: str) -> Iterator[str]:
    """By project where a pattern stands for datasets, by dataset where it stands for tables, else by table.

    Columns are read from the catalogue of a dataset, which needs a role on the dataset that shows no rows.
    """

    def granted(role: str, place: str) -> str:
        return f'GRANT `roles/bigquery.{role}` ON {place} TO "serviceAccount:{member}";'

    for owner in sorted({owner for owner, place, _ in named if "*" in place}):
        yield f"gcloud projects add-iam-policy-binding {owner} --member=serviceAccount:{member} --role=roles/bigquery.dataViewer"
    places = {(owner, place) for owner, place, _ in named if "*" not in place}
    whole = {(owner, place) for owner, place, name in named if "*" in name}
    for owner, place in sorted(places):
        role = "dataViewer" if (owner, place) in whole else "metadataViewer"
        yield granted(role, f"SCHEMA {quoted(owner)}.{quoted(place)}")
    for owner, place, name in sorted(named):
        if (owner, place) in places - whole:
            yield granted("dataViewer", f"TABLE {quoted(owner)}.{quoted(place)}.{quoted(name)}")
