"""JSON files that another program writes into an object store: bounded, and read again only once they have changed."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from dqmon.core.duration import Duration
from dqmon.core.options import Options, ProjectPath
from dqmon.errors import SourceError
from dqmon.ingestion.base.artifact_file import Artifact, Slim, parsed
from dqmon.net import NetError, Outgoing

if TYPE_CHECKING:
    from collections.abc import Mapping

_SIGNED_FOR_S = 60
_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,60})</Code>")
_OK, _UNCHANGED, _MISSING = 200, 304, 404
_HINTS = {
    "NoSuchBucket": "there is no such bucket; correct url",
    "AccessDenied": "the credentials do not permit this (s3:GetObject; without s3:ListBucket so is what is not there)",
    "InvalidAccessKeyId": "the access key is wrong",
    "SignatureDoesNotMatch": "the secret access key is wrong",
    "ExpiredToken": "the credentials have expired",
    "PermanentRedirect": "the bucket is in another region",
    "AuthorizationHeaderMalformed": "the bucket is in another region",
}


class S3Artifacts(Options):
    """url: s3://bucket/prefix. region: of the bucket. profile, or access_key_id, secret_access_key and session_token: else what the
    environment has. endpoint: another server in Amazon's place. timeout: of one request. verify: a CA file.
    allow_private_addresses: also plain http and addresses of the own network.
    """

    url: str = Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^?#]*)?$")
    region: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    profile: str | None = None
    access_key_id: str | None = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
    endpoint: str | None = Field(default=None, pattern=r"^https?://[^/@?#]+/?$")
    timeout: Duration = 30
    verify: ProjectPath | None = None
    allow_private_addresses: bool = False

    @model_validator(mode="after")
    def _has_one_login(self) -> S3Artifacts:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key belong together")
        if self.profile and self.access_key_id:
            raise ValueError("set profile, or access_key_id and secret_access_key")
        return self


class S3Bucket:
    """Where the files are. A request is signed by boto3, and sent under dqmon's own policy for outgoing HTTP."""

    def __init__(self, source: str, options: S3Artifacts, limit_mb: int) -> None:
        self.source, self.limit = source, limit_mb * 1024 * 1024
        parts = urlsplit(options.url)
        self.bucket, self.prefix = parts.netloc, parts.path.strip("/")
        self._options = options
        self._client: Any = None
        # One byte more than is taken, so that a file that was cut is told from one that fits.
        self._outgoing = Outgoing(options.timeout, options.verify, options.allow_private_addresses, self.limit + 1)

    def get(self, key: str, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of the object's answer. Raises NetError, and SourceError without boto3 or credentials."""
        try:
            import boto3  # type: ignore[import-untyped]  # it ships no types
            from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]  # it ships no types
        except ModuleNotFoundError as e:
            raise SourceError(f"ingestion {self.source} needs the extra `aws` for s3: pip install 'dqmon[aws]'") from e
        try:
            self._client = self._client or self._made(boto3)
            params = {"Bucket": self.bucket, "Key": key}
            url = self._client.generate_presigned_url("get_object", Params=params, ExpiresIn=_SIGNED_FOR_S)
        except (BotoCoreError, ValueError) as e:
            raise SourceError(f"ingestion {self.source}: s3://{self.bucket} cannot be read: {' '.join(str(e).split())[:200]}") from e
        answer = self._outgoing.get(url, headers)
        return answer.status, answer.headers, answer.body

    def _made(self, boto3: Any) -> Any:
        from botocore.config import Config  # type: ignore[import-untyped]  # it ships no types

        given = self._options
        session = boto3.Session(
            aws_access_key_id=given.access_key_id,
            aws_secret_access_key=given.secret_access_key.get_secret_value() if given.secret_access_key else None,
            aws_session_token=given.session_token.get_secret_value() if given.session_token else None,
            region_name=given.region,
            profile_name=given.profile,
        )
        # Unasked, boto3 signs in the old way, which newer regions refuse. A certificate of Amazon's is not for a bucket with dots.
        style = "path" if given.endpoint or "." in self.bucket else "virtual"
        config = Config(signature_version="s3v4", s3={"addressing_style": style})
        return session.client("s3", endpoint_url=given.endpoint, config=config)


class S3File:
    """One object that may or may not be there. `slim` is applied to each JSON object in it."""

    def __init__(self, bucket: S3Bucket, name: str, slim: Slim | None = None) -> None:
        self._bucket, self._slim = bucket, slim
        self._key = f"{bucket.prefix}/{name}" if bucket.prefix else name
        self._kept: tuple[str, Artifact] | None = None

    def read(self) -> Artifact | None:
        """The file's object, None without a file; sent and parsed again only once the file has changed.

        Raises SourceError for what cannot be read or is too large.
        """
        known = {"If-None-Match": self._kept[0]} if self._kept else {}
        try:
            status, headers, body = self._bucket.get(self._key, known)
        except NetError as e:
            raise self.error(f"cannot be read: {e}") from e
        if status == _UNCHANGED and self._kept:
            return self._kept[1]
        code = found[1].decode() if (found := _CODE.search(body[:2_000])) else ""
        if status == _MISSING and code != "NoSuchBucket":
            return None
        if status != _OK:
            raise self.error(f"cannot be read: HTTP {status}: {_HINTS.get(code) or code or 'the store says no more'}")
        changed_at = _changed_at(headers.get("last-modified", ""))
        if changed_at is None:
            raise self.error("has no Last-Modified; is this an object store?")
        artifact = Artifact(parsed(body, self._bucket.limit, self._slim, self.error), changed_at)
        self._kept = (headers["etag"], artifact) if "etag" in headers else None
        return artifact

    def error(self, text: str) -> SourceError:
        """The error to raise for what is wrong with the file."""
        return SourceError(f"ingestion {self._bucket.source}: s3://{self._bucket.bucket}/{self._key} {text}")


def _changed_at(header: str) -> datetime | None:
    try:
        return parsedate_to_datetime(header).astimezone(UTC)
    except ValueError:
        return None
