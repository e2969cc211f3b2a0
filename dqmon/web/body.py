"""A request's body, read with limits on its size, its time and its shape; nothing is kept beyond the limit."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect

from dqmon.web.refusal import Refused

if TYPE_CHECKING:
    from starlette.requests import Request

    from dqmon.core.plain import Json

BODY_S = 10.0
"""How long a sender may take for its body."""
DEPTH_LIMIT = 64
"""Levels of lists and objects in each other."""
_FIELDS = 20
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{\]}]', re.DOTALL)
"""A text, also one that never ends (or each of its quotes would be searched from to the end), or a bracket."""


async def read(request: Request, limit: int) -> bytes:
    """The body. Refused: 413 as soon as it is, or says that it is, longer than `limit` bytes; 408 when it takes too long."""
    told = request.headers.get("content-length", "")
    if told.isdecimal() and (len(told) > len(str(limit)) or int(told) > limit):
        raise _too_long(limit)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "the body is packed (Content-Encoding); send it as it is")
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_S):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise _too_long(limit)
                parts.append(part)
    except TimeoutError:
        raise Refused(408, f"the body was not there after {BODY_S:g} s") from None
    except ClientDisconnect:
        raise Refused(400, "the connection ended before the body did") from None
    return b"".join(parts)


def read_json(body: bytes) -> Json:
    """The JSON of a body. Refused with 400: what is none, has NaN or infinity, or is nested too deeply."""
    if _is_deep(body):
        raise Refused(400, f"the JSON is nested more than {DEPTH_LIMIT} levels deep")
    try:
        return json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as e:
        reason = "" if isinstance(e, UnicodeDecodeError | RecursionError) else f": {str(e)[:100]}"
        raise Refused(400, f"the body is no JSON{reason}") from None


def read_form(body: bytes) -> dict[str, str]:
    """The fields of a form or of a query. Refused with 400: bytes that are no UTF-8, a field that is there twice, too many."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS, errors="strict")
    except ValueError:
        raise Refused(400, f"the fields cannot be read; send UTF-8, percent-encoded, {_FIELDS} fields at most") from None
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Refused(400, "a field is there twice")
    return found


def _too_long(limit: int) -> Refused:
    return Refused(413, f"the body is longer than {limit // 1024} KB")


def _is_deep(body: bytes) -> bool:
    """True when lists and objects are nested beyond the limit, texts left out; without parsing, which would recurse."""
    depth = 0
    for found in _TOKEN.finditer(body):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(found[0], 0)
        if depth > DEPTH_LIMIT:
            return True
    return False


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")
