"""JSON over HTTP for ingestion sources: bounded answers, no redirects, no private addresses, one clear SourceError for each trouble."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from pydantic import Field, field_validator

from dqmon.core.duration import Duration
from dqmon.core.options import ProjectPath, SourceOptions
from dqmon.errors import SourceError
from dqmon.net import Answer, NetError, Outgoing

if TYPE_CHECKING:
    from dqmon.core.plain import Json
    from dqmon.ingestion.base.artifact_file import Slim

PAGE_LIMIT = 1_000
"""Pages of one list that are read; a server that gives more turns in a circle, or `since` lies too far back."""
VALUE_LIMIT = 2_000_000
"""Values of one answer: `[[],[],…` of 32 MB would take a gigabyte once parsed."""
_DETAIL_LIMIT = 200
_SHORTEST_SECRET = 4
_MEANINGS = {
    401: "the credentials are missing, wrong or expired",
    403: "the credentials do not permit this",
    404: "there is nothing at this address; is base_url right?",
    429: "too many requests",
}


class HttpSourceOptions(SourceOptions):
    """Options of every source that is read over HTTP.

    base_url: the server. timeout: of one request. verify: a CA file. allow_private_addresses: also plain http and
    addresses of the own network. max_answer_mb: a longer answer is refused.
    """

    base_url: str
    timeout: Duration = 30
    verify: ProjectPath | None = None
    allow_private_addresses: bool = False
    max_answer_mb: int = Field(default=32, ge=1, le=256)

    @field_validator("base_url")
    @classmethod
    def _is_server(cls, value: str) -> str:
        parts = urlsplit(value)  # its ValueError says what is wrong
        if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError(
                "base_url must be the address of a server, such as https://tool.example.com/api, without user, password or query"
            )
        return value


class BadStatus(SourceError):
    """The server answered with another status than 2xx: `status`."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class HttpJson:
    """Asks one server for JSON. `headers` go with each request; what they hold is a secret and in no message, nor is any of `secrets`."""

    def __init__(
        self, options: HttpSourceOptions, name: str, headers: Mapping[str, str] | None = None, secrets: Collection[str] = ()
    ) -> None:
        self._name = name
        self._base = options.base_url.rstrip("/")
        self._limit = options.max_answer_mb * 1024 * 1024
        # One byte more than is taken, so that an answer that was cut is told from one that fits.
        self._outgoing = Outgoing(options.timeout, options.verify, options.allow_private_addresses, self._limit + 1)
        self._headers = {"Accept": "application/json", "User-Agent": "dqmon", **(headers or {})}
        # `Bearer abc` as a whole, then `abc` alone.
        words = [word for value in (headers or {}).values() for word in (value, value.rpartition(" ")[2])]
        self._secrets = [word for word in (*words, *secrets) if len(word) >= _SHORTEST_SECRET]

    def get(self, path: str, params: Mapping[str, object] | None = None, slim: Slim | None = None) -> Json:
        """The answer to GET. `path` is below base_url, or a full URL of the same server; None among `params` is left out.

        Instants are sent in ISO with Z, lists as repeated parameters. `slim` is what is kept of each object. Raises SourceError;
        BadStatus is one.
        """
        given = {key: _parameter(value) for key, value in (params or {}).items() if value is not None}
        return self._json(self._url(path, urlencode(given, doseq=True)), None, slim)

    def post(self, path: str, body: Json) -> Json:
        """The answer to POST of `body` as JSON, for servers whose queries are posted. Raises as `get` does."""
        return self._json(self._url(path, ""), json.dumps(body).encode())

    def listed(self, answer: Json, *keys: str) -> list[dict[str, Json]]:
        """The list of objects at `keys` of an answer. Raises SourceError when the answer has another shape."""
        found = answer
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise self.error(f"the answer has no list of objects at {'.'.join(keys) or 'its top'}; is this the right server and version?")
        return found

    def pages(self) -> Iterator[int]:
        """0, 1, 2, … for a loop over the pages of a list, to be left at the last one. Raises SourceError at PAGE_LIMIT."""
        yield from range(PAGE_LIMIT)
        raise self.error(f"a list has more than {PAGE_LIMIT} pages; its end was not reached")

    def error(self, text: str) -> SourceError:
        """The error to raise for what is wrong with this source: its name, its server, `text` without secrets."""
        return SourceError(self._said(text))

    def _said(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        shown = "".join(c if c.isprintable() else " " for c in text)
        return f"ingestion {self._name} ({urlsplit(self._base).netloc.rpartition('@')[2]}) cannot be read: {shown}"

    def _url(self, path: str, query: str) -> str:
        url = path if re.match(r"https?://", path) else f"{self._base}/{path.lstrip('/')}"
        if urlsplit(url)[:2] != urlsplit(self._base)[:2]:
            raise self.error(f"it points to another server, {urlsplit(url).netloc}, which is not asked")
        return url + (("&" if "?" in url else "?") + query if query else "")

    def _json(self, url: str, body: bytes | None, slim: Slim | None = None) -> Json:
        """The answer to POST of `body`, or to GET without one."""
        sent = self._headers if body is None else {**self._headers, "Content-Type": "application/json"}
        if not all(value.isascii() and value.isprintable() for value in sent.values()):
            raise self.error("a credential has characters that no HTTP header takes; has it a line break at its end?")
        where = f"{'GET' if body is None else 'POST'} {urlsplit(url).path or '/'}"
        try:
            answer = self._outgoing.get(url, sent) if body is None else self._outgoing.post(url, body, sent)
        except NetError as e:
            raise self.error(f"{where}: {e}") from e
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - the class of success
            raise BadStatus(self._said(f"{where}: {_complaint(answer)}"), answer.status)
        try:
            return _parsed(answer, self._limit, slim)
        except ValueError as e:
            raise self.error(f"{where}: {e}") from None


def _parameter(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value).lower() if isinstance(value, bool) else value


def _complaint(answer: Answer) -> str:
    """What a status other than 2xx means, with the server's own words and the pause that it asks for."""
    if 300 <= answer.status < 400:  # noqa: PLR2004 - the class of redirects
        target = urlsplit(answer.headers.get("location", "")).netloc.rpartition("@")[2] or "another path"
        return f"HTTP {answer.status}: it redirects to {target}; redirects are not followed, so set base_url to where it is"
    meaning = _MEANINGS.get(answer.status) or ("the server fails" if answer.status >= 500 else "the request is refused")  # noqa: PLR2004 - HTTP's class
    pause = answer.headers.get("retry-after", "").strip()[:40]
    is_text = answer.body and "html" not in answer.headers.get("content-type", "") and "content-encoding" not in answer.headers
    detail = " ".join(answer.body[: 4 * _DETAIL_LIMIT].decode("utf-8", "replace").split())[:_DETAIL_LIMIT] if is_text else ""
    seconds = " s" if pause.isdigit() else ""
    return f"HTTP {answer.status}: {meaning}" + (f" (retry after {pause}{seconds})" if pause else "") + (f": {detail}" if detail else "")


def _parsed(answer: Answer, limit: int, slim: Slim | None) -> Json:
    """The JSON of an answer. Raises ValueError in words for a person."""
    body = answer.body
    if len(body) <= limit and answer.headers.get("content-encoding", "identity").lower() in ("gzip", "x-gzip", "deflate"):
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
        try:
            body = unpacker.decompress(body, limit + 1)
        except zlib.error:
            raise ValueError("the answer cannot be unpacked") from None
        if len(body) <= limit and not unpacker.eof:
            raise ValueError("the answer is cut short")
    if len(body) > limit:
        raise ValueError(f"the answer is longer than {limit // 1024**2} MB (max_answer_mb); it was not read to its end")
    if sum(map(body.count, (b",", b"[", b"{"))) > VALUE_LIMIT:
        raise ValueError(f"the answer has more than {VALUE_LIMIT} values; it was not read")
    try:
        return json.loads(body, object_hook=slim)
    except RecursionError:
        raise ValueError("the answer is nested too deeply") from None
    except ValueError as e:
        kind = answer.headers.get("content-type", "nothing")[:60]
        raise ValueError(f"the answer is no JSON, or cut short ({len(body)} bytes that say they are {kind}): {str(e)[:80]}") from None
