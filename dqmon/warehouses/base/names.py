"""Names in statements between the standard's double quotes, and names of engines that read unquoted ones in capitals."""

from __future__ import annotations


def quoted(name: str) -> str:
    """A name in a statement, exactly as the catalogue has it."""
    return '"' + name.replace('"', '""') + '"'


def stored_name(written: str) -> str:
    """The name that the catalogue of Snowflake or Oracle has for one of a check file.

    Without capitals it is read as these engines read it unquoted; with capitals, or in quotes, it is taken as it is.
    """
    if len(written) > 1 and written[0] == written[-1] == '"':
        return written[1:-1].replace('""', '"')
    return written.upper() if written == written.lower() else written


def written_name(stored: str) -> str:
    """How a check file writes a name of the catalogue: in small letters if it has none, in quotes if it has nothing else."""
    written = stored.lower() if stored == stored.upper() else stored
    return written if stored_name(written) == stored else quoted(stored)
