"""Thumbs on S3. Only this room, with `client`, `claims` and `urls` behind it, loads boto3."""

from __future__ import annotations

import copy
import gzip
import io
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from contextvars import copy_context
from functools import partial
from itertools import islice
from typing import IO, Any, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.files.base import File
from django.utils.crypto import get_random_string
from django.utils.http import content_disposition_header
from s3transfer.constants import ALLOWED_DOWNLOAD_ARGS
from storages.backends.s3 import S3Storage
from storages.utils import clean_name, setting

from athumb_storage.concurrency import SharedPool
from athumb_storage.exceptions import AthumbError, UploadFailed
from athumb_storage.storages.base import ThumbnailStorageMixin, logger, max_length_of_save
from athumb_storage.storages.claims import (
    AskFirst,
    Claim,
    ConditionalWrite,
    Overwrite,
    RandomToken,
    candidates,
    is_certain,
    is_lost,
    status_of,
    token_of,
    with_token,
)
from athumb_storage.storages.client import POOL_SIZE, shared_client, tuned
from athumb_storage.storages.contenttypes import DOWNLOAD, checked_content_types, known_type
from athumb_storage.storages.legacy import legacy_settings
from athumb_storage.storages.multipart import Target, put_in_parts
from athumb_storage.storages.names import refuse_long
from athumb_storage.storages.pickling import announce, state_with_secrets, state_without_secrets, without_secrets
from athumb_storage.storages.source import Source
from athumb_storage.storages.upload import KeyTaken, MaybeStored, forget, removed_again, report_doubtful
from athumb_storage.storages.urls import Urls, prepared_urls

R = TypeVar("R")

_LONGEST_KEY: Final = 1024
"""How many bytes a key may have: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""

_BATCH: Final = 1000
"""How many keys one DeleteObjects request takes."""

_requests = SharedPool(POOL_SIZE, "athumb-s3")


class S3ThumbnailStorage(ThumbnailStorageMixin, S3Storage):  # type: ignore[misc]  # S3Storage has no types
    """django-storages' `S3Storage` with thumbs. It reads the same settings and takes the same options, and further:

    Args:
        thumbs, naming, fallback_format: see `ThumbnailStorageMixin`.
        thumb_object_parameters: object parameters that thumbs have instead of the original's.
        unique_names: put a random token in every name, so that no name has to be claimed.
        signed_url_window: seconds for which a signed thumb URL stays the same; None signs each anew.
        conditional_writes: claim names by `If-None-Match: *`; None does so on AWS and not at an `endpoint_url`.
        content_types: "bytes" stores what is told by its bytes as what it is, and all else as an attachment;
            "name" believes the client and the file's name, as django-storages does.

    `file_overwrite` is False unless the project says otherwise.
    """

    __slots__ = ("_urls",)
    _urls: Urls | None
    client_config: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._checked("content_types", partial(checked_content_types, self.content_types))
        self.client_config = tuned(
            self.client_config,
            addressing_style=self.addressing_style,
            signature_version=self.signature_version,
            custom=bool(self.endpoint_url),
        )
        announce(self)

    def get_default_settings(self) -> dict[str, Any]:
        defaults = super().get_default_settings()
        for name, value in legacy_settings().items():
            defaults[name] = defaults[name] or value
        return {
            **defaults,
            "file_overwrite": setting("AWS_S3_FILE_OVERWRITE", False),
            "thumb_object_parameters": {},
            "unique_names": False,
            "conditional_writes": None,
            "signed_url_window": None,
            "content_types": "bytes",
        }

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        path, args, kwargs = super().deconstruct()
        return path, args, without_secrets({name: kwargs[name] for name in kwargs if name != "thumb_object_parameters"})

    def __getstate__(self) -> dict[str, Any]:
        return state_without_secrets(self, super().__getstate__())

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state_with_secrets(type(self), state))
        announce(self)

    @property
    def client(self) -> Any:
        """The boto3 client, shared by all threads of this process."""
        return shared_client(self)

    def _key_on_s3(self, name: str) -> str:
        return str(self._normalize_name(clean_name(name)))

    # Saving

    @property
    def _claim(self) -> Claim:
        if self.unique_names:
            return RandomToken(self.get_alternative_name)
        if self.file_overwrite:
            return Overwrite()
        conditional = not self.endpoint_url if self.conditional_writes is None else self.conditional_writes
        return ConditionalWrite() if conditional else AskFirst()

    @property
    def claims_names(self) -> bool:
        """Whether names are claimed by conditional writes."""
        return isinstance(self._claim, ConditionalWrite)

    def _name_is_final(self) -> bool:
        return self._claim.final_beforehand

    def _replaces(self) -> bool:
        return isinstance(self._claim, Overwrite)

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        name = self._checked_name(clean_name(name), max_length)
        try:
            available = self._claim.available_name(name, max_length) or super().get_available_name(name, max_length)
        except (ClientError, BotoCoreError) as error:
            raise UploadFailed(name, error) from error
        self._refuse_long(available)
        return available

    def exists(self, name: str) -> bool:
        return self._head(name) is not None

    def _head(self, name: str) -> dict[str, Any] | None:
        """What S3 says of an object; None if there is none."""
        key = self._key_on_s3(name)
        try:
            head: dict[str, Any] = self.client.head_object(
                Bucket=self.bucket_name, Key=key, **self._read_parameters(key)
            )
        except ClientError as error:
            if status_of(error) != 404:
                raise
            return None
        return head

    def _refuse_long(self, name: str) -> None:
        refuse_long(map(self._key_on_s3, self._all_keys(name)), _LONGEST_KEY)

    def _submit(self, function: Callable[..., R], *args: Any) -> Future[R]:
        return _requests.submit(copy_context().run, partial(function, *args))

    def _save_plain(self, name: str, content: File[Any]) -> str:
        with Source(content) as source:
            head = source.head()

            def parameters(key: str) -> dict[str, Any]:
                return self._plain_parameters(key, content, head)

            try:
                return self._claimed(name, source, parameters, may_be_split=True)
            except (AthumbError, SuspiciousOperation):
                raise
            except MaybeStored as error:
                report_doubtful(name, [error.name])
                raise UploadFailed(name, error, [error.name]) from error
            except Exception as error:
                raise UploadFailed(name, error) from error

    def _store_original(self, name: str, source: Source, content_type: str) -> str:
        def parameters(key: str) -> dict[str, Any]:
            return self._image_parameters(key, content_type)

        return self._claimed(name, source, parameters)

    def _claimed(
        self, name: str, source: Source, parameters: Callable[[str], dict[str, Any]], *, may_be_split: bool = False
    ) -> str:
        """Store an upload under `name`, or another name if it is taken."""
        is_split = may_be_split and source.size > self.transfer_config.multipart_threshold

        def store(candidate: str, **conditions: Any) -> None:
            self._refuse_long(candidate)
            key = self._key_on_s3(candidate)
            if is_split:
                self._put_in_parts(candidate, source, parameters(key), conditions)
                return
            with source.open() as body:
                self._put_surely(candidate, partial(self._put, key, body), {**parameters(key), **conditions})

        names = candidates(clean_name(name), max_length_of_save.get(), self.get_alternative_name)
        return self._claim.store(names, store)

    def _put_surely(self, name: str, put: Callable[[dict[str, Any]], None], parameters: dict[str, Any]) -> None:
        """Put an object. Where no answer comes, what is stored now tells by its token whether it is ours.

        Raises:
            MaybeStored: nobody could be asked.
        """
        token = get_random_string(22)
        try:
            put(with_token(parameters, token))
        except Exception as error:
            if is_certain(error) or self._token_at(name, error) != token:
                raise

    def _token_at(self, name: str, error: Exception) -> str | None:
        try:
            return token_of(self._head(name) or {})
        except Exception:  # noqa: BLE001, whatever it is, nothing is known now
            raise MaybeStored(name, error) from error

    def _put_in_parts(self, name: str, source: Source, parameters: dict[str, Any], conditions: dict[str, Any]) -> None:
        """Put a large file. If its name has to be claimed, an empty object does that before the parts go up.

        Not every server puts parts together atomically where a condition is to hold, and on those that do, a name that
        is taken would be noticed after the last part.
        """
        key = self._key_on_s3(name)
        if conditions:
            self._put_surely(name, partial(self._put, key, b""), {**parameters, **conditions})
        try:
            with self._zipped_if_wanted(source, parameters) as (body, more):
                self._put_surely(name, partial(self._put_parts, key, body), {**parameters, **more})
        except BaseException as error:
            if conditions and removed_again(self, name, [name]):
                raise MaybeStored(name, error) from error
            raise

    def _put_parts(self, key: str, source: Source, parameters: dict[str, Any]) -> None:
        target = Target(self.client, self.bucket_name, key, parameters)
        put_in_parts(target, source, self.transfer_config.multipart_chunksize, self._submit)

    def _store_thumb(self, key: str, data: bytes, content_type: str) -> None:
        self._put(self._key_on_s3(key), data, self._thumb_parameters(key, content_type))

    def _claims_thumbs(self) -> bool:
        return super()._claims_thumbs() and not self.unique_names

    def _claim_thumb(self, key: str, data: bytes, content_type: str) -> None:
        parameters = self._thumb_parameters(key, content_type)
        if self.claims_names:
            parameters["IfNoneMatch"] = "*"
        elif self.exists(key):
            raise KeyTaken(key)
        try:
            self._put_surely(key, partial(self._put, self._key_on_s3(key), data), parameters)
        except ClientError as error:
            if is_lost(error):
                raise KeyTaken(key) from error
            raise

    def _thumb_parameters(self, key: str, content_type: str) -> dict[str, Any]:
        parameters = self._image_parameters(self._key_on_s3(key), content_type)
        return {**parameters, "ContentType": content_type, **self.thumb_object_parameters}

    def _image_parameters(self, key: str, content_type: str) -> dict[str, Any]:
        # As _get_write_parameters(), but what the file is was seen in its bytes, so its name has no say.
        return self._with_acl({"ContentType": content_type, **self.get_object_parameters(key)})

    def _plain_parameters(self, key: str, content: File[Any], head: bytes) -> dict[str, Any]:
        if self.content_types == "name":
            return self._get_write_parameters(key, content)  # type: ignore[no-any-return]  # S3Storage has no types
        known = known_type(content, head)
        harmless = {"ContentType": known} if known else DOWNLOAD
        parameters = self.get_object_parameters(key)
        return self._with_acl(parameters if "ContentType" in parameters else {**harmless, **parameters})

    def _with_acl(self, parameters: dict[str, Any]) -> dict[str, Any]:
        return {"ACL": self.default_acl, **parameters} if self.default_acl else parameters

    def _put(self, key: str, body: IO[bytes] | bytes, parameters: dict[str, Any]) -> None:
        if self._is_to_be_zipped(parameters):
            with self._gzipped(body) as zipped:
                self._put(key, zipped, parameters | {"ContentEncoding": "gzip"})
        else:
            self.client.put_object(Bucket=self.bucket_name, Key=key, Body=body, **parameters)

    def _is_to_be_zipped(self, parameters: dict[str, Any]) -> bool:
        is_wanted = self.gzip and parameters["ContentType"] in self.gzip_content_types
        return is_wanted and "ContentEncoding" not in parameters

    @contextmanager
    def _gzipped(self, body: IO[bytes] | bytes) -> Iterator[IO[bytes]]:
        with tempfile.SpooledTemporaryFile(max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE) as zipped:
            reader = io.BytesIO(body) if isinstance(body, bytes) else body
            shutil.copyfileobj(self._compress_content(reader), zipped)
            zipped.seek(0)
            yield zipped

    @contextmanager
    def _zipped_if_wanted(self, source: Source, parameters: dict[str, Any]) -> Iterator[tuple[Source, dict[str, Any]]]:
        if not self._is_to_be_zipped(parameters):
            yield source, {}
            return
        with source.open() as body, self._gzipped(body) as zipped, Source(File(zipped)) as small:
            yield small, {"ContentEncoding": "gzip"}

    def honours_conditional_writes(self) -> bool:
        """Try out whether the server refuses a conditional write where something is already.

        It stores an empty object of a random name, and removes it again.
        """
        name = f"{get_random_string(22)}.check"
        self._put(self._key_on_s3(name), b"", {"ContentType": "text/plain"})
        try:
            self._put(self._key_on_s3(name), b"", {"ContentType": "text/plain", "IfNoneMatch": "*"})
        except ClientError as error:
            return is_lost(error)
        finally:
            self._remove([name])
        return False

    # Deleting

    def delete(self, name: str) -> None:
        if not name:
            S3Storage.delete(self, name)
        else:
            self._remove([*self._stored_thumbs(name), name])
            forget(self, name)

    def _remove(self, keys: Iterable[str]) -> None:
        remaining = iter(keys)
        while batch := [{"Key": self._key_on_s3(key)} for key in islice(remaining, _BATCH)]:
            answer = self.client.delete_objects(Bucket=self.bucket_name, Delete={"Objects": batch, "Quiet": True})
            errors = [f"{error['Key']}: {error.get('Code')}" for error in answer.get("Errors", ())]
            if errors:
                raise AthumbError(f"S3 did not delete {', '.join(errors)}")

    def _listed(self, folder: str) -> list[str] | None:
        prefix = self._key_on_s3(folder)
        listing = self.client.get_paginator("list_objects_v2")
        # What lies in folders below was stored by somebody else.
        pages = listing.paginate(Bucket=self.bucket_name, Prefix=prefix, Delimiter="/")
        try:
            return [folder + entry["Key"][len(prefix) :] for page in pages for entry in _contents(page)]
        except ClientError as error:
            if status_of(error) != 403:
                raise
            logger.warning("May not list %r; only the thumbs that are configured are deleted.", prefix)
            return None

    # Generating again

    @contextmanager
    def _opened(self, name: str) -> Iterator[File[Any]]:
        # One GET; open() would ask twice for the head first.
        key = self._key_on_s3(name)
        try:
            answer = self.client.get_object(Bucket=self.bucket_name, Key=key, **self._read_parameters(key))
        except ClientError as error:
            if status_of(error) == 404:
                raise FileNotFoundError(f"File does not exist: {name}") from error
            raise
        if "ContentLength" not in answer:
            raise AthumbError(f"The answer of S3 was cut off when {name!r} was read.")
        # As a context manager it would give the bare stream, which does not notice that it ends too early.
        with closing(answer["Body"]) as body:
            zipped = self.gzip and answer.get("ContentEncoding") == "gzip"
            yield File(io.BytesIO(gzip.decompress(body.read())) if zipped else body, name=name)

    def _read_parameters(self, key: str) -> dict[str, Any]:
        parameters = self.get_object_parameters(key).items()
        return {option: value for option, value in parameters if option in ALLOWED_DOWNLOAD_ARGS}

    # URLs

    def _signs_urls(self) -> bool:
        return bool(self.querystring_auth and (self.cloudfront_signer or not self.custom_domain))

    def _thumb_url(self, key: str, force_ssl: bool, options: dict[str, Any]) -> str:
        if force_ssl and self.url_protocol == "http:" and self._signs_urls() and self.custom_domain:
            # CloudFront signs the whole URL, so it has to be https before that.
            secure = copy.copy(self.unbound)
            secure.url_protocol = "https:"
            return secure._thumb_url(key, False, options)
        if not hasattr(self, "_urls"):
            self._urls = prepared_urls(self)
        if options or self._urls is None:
            return super()._thumb_url(key, force_ssl, options)
        url = self._urls.url(key)
        return "https" + url[4:] if force_ssl and url.startswith("http:") else url

    def url_as_attachment(self, name: str, filename: str | None = None) -> str:
        """A signed URL by which a browser saves the file, as `filename` if one is given, instead of showing it."""
        disposition = content_disposition_header(as_attachment=True, filename=filename or "")
        return str(
            self.client.generate_presigned_url(
                "get_object",
                Params={
                    "Bucket": self.bucket_name,
                    "Key": self._key_on_s3(name),
                    "ResponseContentDisposition": disposition,
                },
                ExpiresIn=self.querystring_expire,
            )
        )


class PublicS3ThumbnailStorage(S3ThumbnailStorage):
    """For a bucket that everybody may read: objects are stored public-read, and URLs carry no signature."""

    default_acl = "public-read"
    querystring_auth = False


def _contents(page: dict[str, Any]) -> Iterable[dict[str, Any]]:
    # An answer that was cut off before its body looks like that of an empty folder.
    if "Name" not in page and "KeyCount" not in page:
        raise AthumbError("The answer of S3 was cut off when a folder was listed.")
    return page.get("Contents", ())  # type: ignore[no-any-return]  # boto3 has no types
