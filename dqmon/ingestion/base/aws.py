"""AWS APIs for ingestion sources: boto3 makes, signs and reads the messages; dqmon's own policy for outgoing HTTP carries them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from io import BytesIO
from typing import Any

from pydantic import Field, SecretStr, model_validator

from dqmon.errors import SourceError
from dqmon.ingestion.base.http_json import PAGE_LIMIT, VALUE_LIMIT, HttpSourceOptions
from dqmon.net import Answer, Broken, NetError, Outgoing

_LONGEST_DETAIL = 300
_SERVER_FAILS = 500
_MEANINGS = {
    "Throttl": "too many requests",
    "TooManyRequests": "too many requests",
    "LimitExceeded": "too many requests",
    "Expired": "the credentials have expired",
    "AccessDenied": "the credentials do not permit this",
    "NotAuthorized": "the credentials do not permit this",
    "UnrecognizedClient": "the credentials are wrong",
    "InvalidClientTokenId": "the credentials are wrong",
    "Signature": "the credentials are wrong, or this machine's clock is",
    "MissingAuthenticationToken": "the credentials are missing",
}
"""What an error code that contains the word means: https://docs.aws.amazon.com/glue/latest/APIReference/CommonErrors.html"""

_CHAIN = "without keys and profile boto3's own chain counts: the environment, ~/.aws, the role of the machine or pod"


class AwsOptions(HttpSourceOptions):
    """Options of every source that is read from AWS. The timeout is of one request; nothing is tried twice."""

    base_url: str = Field(default="", description="another server in Amazon's place")
    region: str = Field(pattern=r"^[a-z0-9-]{1,40}$", description="such as eu-west-1")
    profile: str | None = Field(default=None, description="of ~/.aws/config; one with role_arn assumes that role")
    access_key_id: str | None = Field(default=None, description=_CHAIN)
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None

    @model_validator(mode="after")
    def _has_one_login(self) -> AwsOptions:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("set both access_key_id and secret_access_key, or neither")
        if self.session_token and not self.secret_access_key:
            raise ValueError("session_token belongs to access_key_id and secret_access_key; set them, too")
        if self.profile and self.secret_access_key:
            raise ValueError("set profile, or access_key_id and secret_access_key")
        return self


class Aws:
    """One service in one region. All raise SourceError, whose text has no secret."""

    def __init__(self, options: AwsOptions, name: str, service: str) -> None:
        self._options, self._name, self._service = options, name, service
        self._secrets = [key.get_secret_value() for key in (options.secret_access_key, options.session_token) if key]
        self._limit = options.max_answer_mb * 1024 * 1024
        # Amazon's own names may stand for addresses of the own network: those of interface endpoints of a VPC do.
        allow_private = options.allow_private_addresses or not options.base_url
        self._outgoing = Outgoing(options.timeout, options.verify, allow_private, self._limit + 1)

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """The answer to an operation, by its name in boto3, such as `get_job_runs`."""
        client = self._client
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]  # it ships no types
        from botocore.parsers import ResponseParserError  # type: ignore[import-untyped]  # it ships no types

        try:
            answer: dict[str, Any] = getattr(client, operation)(**params)
        except ClientError as e:
            raise self.error(f"{operation}: {_complaint(e.response)}") from e
        except (BotoCoreError, ResponseParserError, NetError, RecursionError) as e:
            raise self.error(f"{operation}: {_in_words(e)}") from e
        except (ValueError, TypeError, AttributeError) as e:  # botocore stumbles over what the API would never say
            raise self.error(f"{operation}: the answer has another shape than the API's; is base_url right?") from e
        return answer

    def told(self, one: Mapping[str, Any], key: str) -> str:
        """The text at `key`, which the API always tells. Raises SourceError where it does not."""
        if not one.get(key):
            raise self.error(f"an answer has no {key}; is base_url right?")
        return str(one[key])

    def pages(self, operation: str, key: str, token: str = "NextToken", **params: Any) -> Iterator[list[Any]]:  # noqa: S107 - a key's name
        """The lists at `key` of all pages; `token` is what the service calls the mark of the next page."""
        for _ in range(PAGE_LIMIT):
            answer = self.call(operation, **params)
            yield answer.get(key) or []
            if not answer.get(token):
                return
            params[token] = answer[token]
        raise self.error(f"{operation}: a list has more than {PAGE_LIMIT} pages; its end was not reached")

    def all(self, operation: str, key: str, token: str = "NextToken", **params: Any) -> Iterator[Any]:  # noqa: S107 - as above
        """What is on all pages."""
        for page in self.pages(operation, key, token, **params):
            yield from page

    def error(self, text: str) -> SourceError:
        """The error to raise for what is wrong with this source."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        shown = "".join(c if c.isprintable() else " " for c in text)
        return SourceError(f"ingestion {self._name} ({self._service} in {self._options.region}) cannot be read: {shown}")

    @cached_property
    def _client(self) -> Any:
        """boto3's client, made once: that takes a tenth of a second. Credentials that expire are renewed by it."""
        try:
            import boto3  # type: ignore[import-untyped]  # it ships no types
            from botocore.config import Config  # type: ignore[import-untyped]  # it ships no types
            from botocore.exceptions import BotoCoreError
        except ModuleNotFoundError as e:
            raise SourceError(f"ingestion {self._name} needs the extra `aws`: pip install 'dqmon[aws]'") from e
        given = self._options
        try:
            session = boto3.Session(
                aws_access_key_id=given.access_key_id,
                aws_secret_access_key=given.secret_access_key.get_secret_value() if given.secret_access_key else None,
                aws_session_token=given.session_token.get_secret_value() if given.session_token else None,
                region_name=given.region,
                profile_name=given.profile,
            )
            config = Config(retries={"total_max_attempts": 1, "mode": "standard"})
            client = session.client(self._service, endpoint_url=given.base_url or None, config=config)
        except (BotoCoreError, ValueError) as e:
            raise self.error(_in_words(e)) from e
        client.meta.events.register("before-send", self._send)
        return client

    def _send(self, request: Any, **_: object) -> Any:
        """Sends in boto3's place, which would follow the environment's proxies and read answers of any length."""
        from botocore.awsrequest import AWSResponse  # type: ignore[import-untyped]  # it ships no types

        headers = {name: value.decode() if isinstance(value, bytes) else str(value) for name, value in request.headers.items()}
        body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
        answer = self._outgoing.post(request.url, body, headers)
        self._check(answer, is_json="json" in headers.get("Content-Type", ""))
        return AWSResponse(request.url, answer.status, dict(answer.headers), _Body(answer.body))

    def _check(self, answer: Answer, *, is_json: bool) -> None:
        """Raises Broken for what boto3 would follow, take for an empty answer, or make millions of values of."""
        if 300 <= answer.status < 400:  # noqa: PLR2004 - the class of redirects
            raise Broken(f"HTTP {answer.status}: it redirects; redirects are not followed, so set base_url to where it is")
        if len(answer.body) > self._limit:
            raise Broken(f"the answer is longer than {self._options.max_answer_mb} MB (max_answer_mb); it was not read to its end")
        if sum(map(answer.body.count, (b",", b"[", b"{"))) > VALUE_LIMIT:
            raise Broken(f"the answer has more than {VALUE_LIMIT} values; it was not read")
        if is_json and answer.status < 300:  # noqa: PLR2004 - the class of success
            try:
                json.loads(answer.body)
            except ValueError:
                raise Broken(f"the answer is no JSON ({len(answer.body)} bytes); is base_url right?") from None


class _Body(BytesIO):
    """An answer's body as botocore reads it."""

    def stream(self, **_: object) -> Iterator[bytes]:
        """All of it at once."""
        yield self.read()


def _complaint(response: Any) -> str:
    """What an error answer means, with AWS's own words."""
    told = response.get("Error", {})
    code, status = str(told.get("Code", "")), response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    meaning = next((meaning for word, meaning in _MEANINGS.items() if word in code), None)
    meaning = meaning or ("AWS fails" if status >= _SERVER_FAILS else "the request is refused")
    detail = " ".join(str(told.get("Message") or "").split())[:_LONGEST_DETAIL]
    return f"{meaning} ({code}, HTTP {status})" + (f": {detail}" if detail else "")


def _in_words(e: Exception) -> str:
    from botocore.exceptions import NoCredentialsError

    if isinstance(e, NoCredentialsError):
        return "no credentials are found; set access_key_id and secret_access_key, or profile, or give the machine a role"
    if isinstance(e, RecursionError):
        return "the answer is nested too deeply"
    return " ".join(str(e).split())[:_LONGEST_DETAIL]
