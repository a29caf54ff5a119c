"""Ways to settle the name of an original: how it is made sure that no upload replaces another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError  # noqa: A004, it is botocore's
from storages.utils import get_available_overwrite_name

from athumb_storage.storages.names import Alternative, another_name

_MARK: Final = "athumb-upload"

Put = Callable[..., None]
"""Stores the original: called with its name, and with more parameters of S3's PutObject by keyword."""


class Claim(Protocol):
    """One way to settle a name."""

    final_beforehand: bool
    """Whether the name is final before the original is stored, so that its thumbs need not wait for it."""

    def available_name(self, name: str, max_length: int | None) -> str | None:
        """The name to begin with, without asking S3; None if S3 has to be asked whether it is taken."""
        ...

    def store(self, names: Iterator[str], put: Put) -> str:
        """Store the original under the first of `names` that can be had; that name."""
        ...


class _FirstName:
    def store(self, names: Iterator[str], put: Put) -> str:
        name = next(names)
        put(name)
        return name


class Overwrite(_FirstName):
    """The name as it is; what was stored under it is replaced (`file_overwrite=True`)."""

    final_beforehand = False

    def available_name(self, name: str, max_length: int | None) -> str | None:
        return get_available_overwrite_name(name, max_length)  # type: ignore[no-any-return]


class AskFirst(_FirstName):
    """Ask S3 whether the name is taken, then store. Two uploads at the same moment may both be told it is free."""

    final_beforehand = False

    def available_name(self, name: str, max_length: int | None) -> str | None:
        return None


class RandomToken(_FirstName):
    """A random token in every name (`unique_names=True`): nothing to claim, nothing to wait for."""

    final_beforehand = True

    def __init__(self, alternative: Alternative) -> None:
        self._alternative = alternative

    def available_name(self, name: str, max_length: int | None) -> str | None:
        return another_name(name, max_length, self._alternative)


class ConditionalWrite:
    """Store only where nothing is (`If-None-Match: *`), and take another name when somebody was first.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """

    final_beforehand = False

    def available_name(self, name: str, max_length: int | None) -> str | None:
        return get_available_overwrite_name(name, max_length)  # type: ignore[no-any-return]

    def store(self, names: Iterator[str], put: Put) -> str:
        for name in names:
            try:
                put(name, IfNoneMatch="*")
            except ClientError as error:
                if not is_lost(error):
                    raise
            else:
                return name
        raise AssertionError("there is always another name")


def is_lost(error: ClientError) -> bool:
    """Whether a conditional write was refused because of what is there (412), or is being stored there now (409)."""
    return status_of(error) in (409, 412)


def status_of(error: ClientError) -> int:
    """The HTTP status that S3 answered."""
    return int(error.response["ResponseMetadata"].get("HTTPStatusCode", 0))


def is_certain(error: Exception) -> bool:
    """Whether a write that ended in `error` is known to have stored nothing.

    A server may act and its answer get lost; then botocore may have tried again, and been told that something is there.
    """
    if isinstance(error, ClientError):
        is_refusal = 400 <= status_of(error) < 500
        return is_refusal and not error.response["ResponseMetadata"].get("RetryAttempts")
    # A connection that is refused may be that of a second attempt.
    return isinstance(error, BotoCoreError) and not isinstance(error, HTTPClientError | ConnectionError)


def with_token(parameters: dict[str, Any], token: str) -> dict[str, Any]:
    """The parameters of a write, marked so that what it stores can be told from what others store there."""
    return {**parameters, "Metadata": {**parameters.get("Metadata", {}), _MARK: token}}


def token_of(head: dict[str, Any]) -> str | None:
    """The token in the answer of HeadObject."""
    return head.get("Metadata", {}).get(_MARK)  # type: ignore[no-any-return]


def candidates(name: str, max_length: int | None, alternative: Alternative) -> Iterator[str]:
    """`name`, then one other name after the other, without end."""
    yield name
    while True:
        yield another_name(name, max_length, alternative)
