"""Writes to S3: put, claimed by a condition, verified where the answer was lost, undone where a claim is left."""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import IO, Any, Final

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError  # noqa: A004, botocore's
from botocore.parsers import ResponseParserError
from django.utils.crypto import get_random_string

from athumb_storage.exceptions import AthumbError
from athumb_storage.storages.journal import WriteOutcomeUnknown

_MARK: Final = "athumb-upload"

IF_FREE: Final = {"IfNoneMatch": "*"}
"""The parameter of a write that takes place only where nothing is.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

S3_ERRORS: Final = (OSError, BotoCoreError, ClientError, ResponseParserError, Boto3Error)
"""What boto3 raises when S3 fails."""

logger = logging.getLogger("athumb_storage")


@dataclass(frozen=True)
class Target:
    """Where one object goes."""

    client: Any
    bucket: str
    key: str
    name: str
    """Its storage name, for errors."""
    parameters_of: Callable[[str], dict[str, Any]]
    """Gives what an operation needs besides, such as the key that an object is encrypted with."""

    def head(self) -> dict[str, Any] | None:
        """What S3 says of the object; None if there is none."""
        try:
            head: dict[str, Any] = self.client.head_object(
                Bucket=self.bucket, Key=self.key, **self.parameters_of("HeadObject")
            )
        except ClientError as error:
            if status_of(error) != 404:
                raise
            return None
        return head

    def delete(self) -> None:
        """Delete the object, if there is one.

        Raises:
            AthumbError: S3 refuses.
        """
        try:
            self.client.delete_object(Bucket=self.bucket, Key=self.key, **self.parameters_of("DeleteObject"))
        except ClientError as error:
            raise AthumbError(f"S3 did not delete {self.name!r}: {error}") from error

    def put(self, body: IO[bytes] | bytes, parameters: dict[str, Any]) -> None:
        """Put the object, and believe what S3 answers."""
        self.client.put_object(Bucket=self.bucket, Key=self.key, Body=body, **parameters)

    def put_verified(self, body: IO[bytes] | bytes, parameters: dict[str, Any], *, replaces: bool = False) -> str:
        """Put the object. Where no answer comes, what is stored now tells by its token whether it is ours.

        Args:
            body: what is stored.
            parameters: those of PutObject.
            replaces: whether it may take the place of something, so that it is not removed again.

        Returns:
            The token.

        Raises:
            FileExistsError: something is there, and the parameters are those of a conditional write.
            WriteOutcomeUnknown: nobody could be asked.
        """
        token = get_random_string(22)
        try:
            self.client.put_object(Bucket=self.bucket, Key=self.key, Body=body, **_with_token(parameters, token))
        except S3_ERRORS as error:
            if certainly_not_written(error) or self._token_after(error) != token:
                if precondition_failed(error):
                    raise FileExistsError(f"{self.name!r} is taken") from error
                raise
        except BaseException:  # somebody wants this thread to stop
            if not replaces:
                self._remove_own(token)
            raise
        return token

    def put_in_parts(
        self, body: IO[bytes], size: int, parameters: dict[str, Any], config: Any, claim: str | None = None
    ) -> None:
        """Put a large object as the `TransferConfig` says.

        boto3's `upload_fileobj` takes no condition and returns nothing, so a name is claimed before by an empty object,
        and afterwards the token and the length have to be there. Not every server puts parts together atomically under
        a condition either, and those that do tell of a taken name after the last part.

        Args:
            body: what is stored.
            size: its length in bytes.
            parameters: those of PutObject.
            config: the `TransferConfig`.
            claim: the token of the empty object; it is removed if this fails. None, if there is none.

        Raises:
            WriteOutcomeUnknown: nobody could be asked.
        """
        try:
            self._upload(body, size, _with_token(parameters, claim or get_random_string(22)), config, claim)
        except BaseException as error:
            logger.exception("Parts of the upload of %r may be left behind.", self.name)
            if claim is None:
                raise
            self._remove_claim(error)
            if isinstance(error, WriteOutcomeUnknown):  # not any more
                raise error.reason from error
            raise

    def _upload(self, body: IO[bytes], size: int, parameters: dict[str, Any], config: Any, claim: str | None) -> None:
        failure: Exception | None = None
        try:
            try:
                self.client.upload_fileobj(body, self.bucket, self.key, ExtraArgs=parameters, Config=config)
            except RuntimeError as error:
                if type(error) is not RuntimeError:
                    raise
                body.seek(0)  # the main thread has ended, and no thread is begun any more
                alone = copy(config)
                alone.use_threads = False
                self.client.upload_fileobj(body, self.bucket, self.key, ExtraArgs=parameters, Config=alone)
        except S3_ERRORS as error:  # what is stored now tells whether it was one
            failure = error
        try:
            head = self.head()
        except Exception as error:
            if failure is None and claim is None:  # what is there is at least no empty object
                return
            raise WriteOutcomeUnknown(self.name, failure or error) from error
        if _token_of(head) != _token_of(parameters) or (head or {}).get("ContentLength") != size:
            raise failure or AthumbError(f"S3 does not have what was sent as {self.name!r}")

    def _remove_claim(self, error: BaseException) -> None:
        try:
            self.delete()
        except Exception as failure:
            raise WriteOutcomeUnknown(self.name, error) from failure

    def _remove_own(self, token: str) -> None:
        try:
            if _token_of(self.head()) == token:
                self.delete()
        except Exception:
            logger.exception("May be left behind by an upload that was stopped: %r", self.name)

    def _token_after(self, error: Exception) -> str | None:
        try:
            return _token_of(self.head())
        except Exception:  # noqa: BLE001, whatever it is, nothing is known now
            raise WriteOutcomeUnknown(self.name, error) from error


def precondition_failed(error: Exception) -> bool:
    """Whether a conditional write was refused because of what is there, or is being stored there now."""
    return isinstance(error, ClientError) and code_of(error) in ("PreconditionFailed", "ConditionalRequestConflict")


def status_of(error: ClientError) -> int:
    """The HTTP status that S3 answered."""
    return int(error.response["ResponseMetadata"].get("HTTPStatusCode", 0))


def code_of(error: ClientError) -> str:
    """S3's word for the error: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_temporary(error: Exception) -> bool:
    """Whether S3 was out of reach, wants to be asked less, or has an error of its own; its word for the second comes
    with different statuses.
    """
    if isinstance(error, ClientError):
        return status_of(error) in (429, 500, 502, 503, 504) or code_of(error) in ("SlowDown", "RequestLimitExceeded")
    return isinstance(error, HTTPClientError | ConnectionError | TimeoutError)


def certainly_not_written(error: Exception) -> bool:
    """Whether a write that ended in `error` is known to have stored nothing.

    A server may act and its answer get lost; then botocore may have tried again, and been told that something is there.
    """
    if isinstance(error, ClientError):
        is_refusal = 400 <= status_of(error) < 500
        return is_refusal and not error.response["ResponseMetadata"].get("RetryAttempts")
    # A connection that is refused may be that of a second attempt.
    return isinstance(error, BotoCoreError) and not isinstance(error, HTTPClientError | ConnectionError)


def _with_token(parameters: dict[str, Any], token: str) -> dict[str, Any]:
    """The parameters of a write, marked so that what it stores can be told from what others store there."""
    return {**parameters, "Metadata": {**parameters.get("Metadata", {}), _MARK: token}}


def _token_of(head: dict[str, Any] | None) -> str | None:
    """The token in the answer of HeadObject, or in the parameters of a write."""
    return (head or {}).get("Metadata", {}).get(_MARK)  # type: ignore[no-any-return]
