"""Thumbs on S3. Only this room, with `client`, `claims` and `urls` behind it, loads boto3."""

from __future__ import annotations

import copy
import gzip
import io
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from itertools import islice
from typing import IO, Any, Final, TypeVar

from botocore.exceptions import ClientError
from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import Storage
from django.utils.http import content_disposition_header
from s3transfer.constants import ALLOWED_DOWNLOAD_ARGS
from storages.backends.s3 import S3Storage
from storages.utils import clean_name, setting

from athumb_storage.concurrency import SharedPool
from athumb_storage.exceptions import AthumbError
from athumb_storage.storages.base import ThumbnailStorageMixin, logger
from athumb_storage.storages.claims import AskFirst, Claim, ConditionalWrite, Overwrite, RandomToken, candidates
from athumb_storage.storages.client import POOL_SIZE, shared_client, tuned
from athumb_storage.storages.legacy import legacy_settings
from athumb_storage.storages.source import Source
from athumb_storage.storages.urls import Urls, prepared_urls

R = TypeVar("R")

_BATCH: Final = 1000
"""How many keys one DeleteObjects request takes."""

_NOT_IN_MIGRATIONS: Final = frozenset(
    {"access_key", "secret_key", "security_token", "session_profile", "proxies", "client_config"}
    | {"cloudfront_key", "cloudfront_key_id", "cloudfront_signer", "thumb_object_parameters"}
)

_requests = SharedPool(POOL_SIZE, "athumb-s3")

# Django hands max_length to save() and not to _save(), where another name may have to be found.
_max_length: ContextVar[int | None] = ContextVar("max_length", default=None)


class S3ThumbnailStorage(ThumbnailStorageMixin, S3Storage):  # type: ignore[misc]  # S3Storage has no types
    """django-storages' `S3Storage` with thumbs. It reads the same settings and takes the same options, and further:

    Args:
        thumbs, naming, fallback_format: see `ThumbnailStorageMixin`.
        thumb_object_parameters: object parameters that thumbs have instead of the original's.
        unique_names: put a random token in every name, so that no name has to be claimed.
        signed_url_window: seconds for which a signed thumb URL stays the same; None signs each anew.
        conditional_writes: claim names by `If-None-Match: *`; None does so on AWS and not at an `endpoint_url`.

    `file_overwrite` is False unless the project says otherwise.
    """

    __slots__ = ("_urls",)
    _urls: Urls | None
    client_config: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.client_config = tuned(
            self.client_config,
            addressing_style=self.addressing_style,
            signature_version=self.signature_version,
            custom=bool(self.endpoint_url),
        )

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
        }

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        path, args, kwargs = super().deconstruct()
        return path, args, {name: value for name, value in kwargs.items() if name not in _NOT_IN_MIGRATIONS}

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

    def _name_is_final(self) -> bool:
        return self._claim.final_beforehand

    def _replaces(self) -> bool:
        return isinstance(self._claim, Overwrite)

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        name = clean_name(name)
        self._refuse_thumb_key(name)
        return self._claim.available_name(name, max_length) or super().get_available_name(name, max_length)

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        token = _max_length.set(max_length)
        try:
            return super().save(name, content, max_length=max_length)
        finally:
            _max_length.reset(token)

    def _submit(self, function: Callable[..., R], *args: Any) -> Future[R]:
        return _requests.submit(copy_context().run, partial(function, *args))

    def _save_plain(self, name: str, content: File[Any]) -> str:
        if not isinstance(self._claim, ConditionalWrite):
            return super()._save_plain(name, content)
        with Source(content) as source:
            if source.size > self.transfer_config.multipart_threshold:
                # One request is not enough for it, and of several only the last could be conditional.
                free_name = Storage.get_available_name(self, name, _max_length.get())
                return super()._save_plain(free_name, source.content)
            return self._claimed(name, source.open, partial(self._get_write_parameters, content=content))

    def _store_original(self, name: str, source: Source, content_type: str) -> str:
        def parameters(key: str) -> dict[str, Any]:
            return self._image_parameters(key, content_type)

        return self._claimed(name, source.open, parameters)

    def _claimed(self, name: str, opened: Callable[[], IO[bytes]], parameters: Callable[[str], dict[str, Any]]) -> str:
        """Store what `opened` reads, under `name` or another name if it is taken."""

        def put(candidate: str, **conditions: Any) -> None:
            key = self._key_on_s3(candidate)
            with opened() as body:
                self._put(key, body, {**parameters(key), **conditions})

        return self._claim.store(candidates(clean_name(name), _max_length.get(), self.get_alternative_name), put)

    def _store_thumb(self, key: str, data: bytes, content_type: str) -> None:
        key = self._key_on_s3(key)
        parameters = self._image_parameters(key, content_type) | {"ContentType": content_type}
        self._put(key, data, parameters | self.thumb_object_parameters)

    def _image_parameters(self, key: str, content_type: str) -> dict[str, Any]:
        # As _get_write_parameters(), but what the file is was seen in its bytes, so its name has no say.
        parameters = {"ContentType": content_type, **self.get_object_parameters(key)}
        if self.default_acl:
            parameters.setdefault("ACL", self.default_acl)
        return parameters

    def _put(self, key: str, body: IO[bytes] | bytes, parameters: dict[str, Any]) -> None:
        if self.gzip and parameters["ContentType"] in self.gzip_content_types and "ContentEncoding" not in parameters:
            with self._gzipped(body) as zipped:
                self._put(key, zipped, parameters | {"ContentEncoding": "gzip"})
        else:
            self.client.put_object(Bucket=self.bucket_name, Key=key, Body=body, **parameters)

    @contextmanager
    def _gzipped(self, body: IO[bytes] | bytes) -> Iterator[IO[bytes]]:
        with tempfile.SpooledTemporaryFile(max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE) as zipped:
            reader = io.BytesIO(body) if isinstance(body, bytes) else body
            shutil.copyfileobj(self._compress_content(reader), zipped)
            zipped.seek(0)
            yield zipped

    # Deleting

    def delete(self, name: str) -> None:
        if not name:
            S3Storage.delete(self, name)
        else:
            self._remove([name, *self._stored_thumbs(name)])

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
            return [folder + entry["Key"][len(prefix) :] for page in pages for entry in page.get("Contents", ())]
        except ClientError as error:
            if _status(error) != 403:
                raise
            logger.warning("May not list %r; only the thumbs that are configured are deleted.", prefix)
            return None

    # Generating again

    @contextmanager
    def _opened(self, name: str) -> Iterator[File[Any]]:
        # One GET; open() would ask twice for the head first.
        key = self._key_on_s3(name)
        parameters = self.get_object_parameters(key).items()
        wanted = {option: value for option, value in parameters if option in ALLOWED_DOWNLOAD_ARGS}
        try:
            answer = self.client.get_object(Bucket=self.bucket_name, Key=key, **wanted)
        except ClientError as error:
            if _status(error) == 404:
                raise FileNotFoundError(f"File does not exist: {name}") from error
            raise
        with answer["Body"] as body:
            zipped = self.gzip and answer.get("ContentEncoding") == "gzip"
            yield File(io.BytesIO(gzip.decompress(body.read())) if zipped else body, name=name)

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


def _status(error: ClientError) -> int:
    return int(error.response["ResponseMetadata"].get("HTTPStatusCode", 0))
