"""django-storages' `S3Storage` with thumbs."""

from __future__ import annotations

import copy
import gzip
import io
import mimetypes
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Final, cast

from botocore import UNSIGNED
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import File
from django.utils.crypto import get_random_string
from django.utils.http import content_disposition_header
from storages.backends.s3 import S3Storage
from storages.utils import clean_name, get_available_overwrite_name, setting

from athumb_storage.concurrency import Threads
from athumb_storage.exceptions import AthumbError
from athumb_storage.formats import INERT_TYPES, MIME_TYPES
from athumb_storage.storages.base import ThumbnailStorageMixin
from athumb_storage.storages.filenames import another_name, refuse_long
from athumb_storage.storages.s3.client import UnexpectedAnswer, connection_of, with_defaults
from athumb_storage.storages.s3.contenttypes import CONTENT_TYPES, DOWNLOAD, known_type
from athumb_storage.storages.s3.legacy import legacy_settings
from athumb_storage.storages.s3.listing import ListingOnS3
from athumb_storage.storages.s3.secrets import without_secrets
from athumb_storage.storages.s3.urls import MOST_SECONDS, UnsignedUrls, Urls, prepared_urls
from athumb_storage.storages.s3.writes import IF_FREE, S3_ERRORS, Target, is_temporary, status_of
from athumb_storage.storages.saving import logger
from athumb_storage.storages.source import Source

if TYPE_CHECKING:
    from typing import Unpack

    from athumb_storage.storages.s3.options import S3OptionsDict

_LONGEST_KEY: Final = 1024
"""How many bytes a key may have: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""

_FOR_EVER: Final = "public, max-age=31536000, immutable"
"""What caches are told of a file that stays as it is (RFC 8246)."""

_READ_AT_ONCE: Final = 8 * 1024**2
"""Up to how many bytes an original is read into memory: it takes little beside its pixels, and a copy on disk time."""

_BATCH: Final = 1000
"""How many keys one DeleteObjects request takes."""


class S3ThumbnailStorage(ListingOnS3, ThumbnailStorageMixin, S3Storage):  # type: ignore[misc]  # S3Storage has no types
    """django-storages' `S3Storage` with thumbs. It reads the same settings and takes the same options, and further:

    Args:
        thumbs, naming, fallback_format: see `ThumbnailStorageMixin`.
        thumb_object_parameters: object parameters that thumbs have instead of the original's.
        unique_names: put a random token in every name, so that no name has to be claimed.
        signed_url_window: seconds for which a signed thumb URL stays the same; None signs each anew.
        conditional_writes: claim names by `If-None-Match: *`; None does so on AWS and on no other server.
        content_types: "bytes" stores what is told by its bytes as what it is, and all else as an attachment;
            "name" believes the client and the file's name, as django-storages does.

    `file_overwrite` is False unless the project says otherwise.
    """

    __module__ = "athumb_storage.storages.s3"  # by which migrations and pickles name it
    __slots__ = ("_urls",)
    _urls: Urls | None
    storage_errors = S3_ERRORS
    _places = frozenset({"bucket_name", "location"})
    client_config: Any

    def __init__(self, *args: Any, **options: Unpack[S3OptionsDict]) -> None:
        super().__init__(*args, **options)
        if self.content_types not in CONTENT_TYPES:
            wrong = f"option 'content_types': {self.content_types!r} is none of {', '.join(CONTENT_TYPES)}"
            raise ImproperlyConfigured(f"{type(self).__name__}: {wrong}")
        if self.signed_url_window and self.querystring_auth and not self.custom_domain:
            seconds = self.querystring_expire + self.signed_url_window
            if seconds > MOST_SECONDS:
                wrong = f"querystring_expire and signed_url_window are {seconds} s together, S3 takes {MOST_SECONDS} s"
                raise ImproperlyConfigured(f"{type(self).__name__}: {wrong}")
        if self.unique_names:  # nothing is ever there that could be replaced
            self.file_overwrite = False
        self.client_config = with_defaults(
            self.client_config, addressing_style=self.addressing_style, signature_version=self.signature_version
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
            "content_types": "bytes",
        }

    def _public_options(self, options: dict[str, Any]) -> dict[str, Any]:
        return without_secrets(options)

    # The client

    @property
    def client(self) -> Any:
        """The boto3 client, shared by all threads of this process."""
        return connection_of(self).client

    @property
    def _threads(self) -> Threads:  # type: ignore[override]
        return connection_of(self).threads

    @property
    def _plain_threads(self) -> Threads:  # type: ignore[override]
        return connection_of(self).plain_threads

    # django-storages would make a client for each thread of each storage.

    @property
    def connection(self) -> Any:
        return connection_of(self).resource

    @property
    def unsigned_connection(self) -> Any:
        return connection_of(self, signature_version=UNSIGNED).resource

    @property
    def bucket(self) -> Any:
        return connection_of(self).bucket(self.bucket_name)

    def _normalize_name(self, name: str) -> str:
        # Whatever is asked of S3 is about a name. Not said earlier, because many commands do without the bucket.
        if not self.bucket_name:
            missing = "the option bucket_name or the setting AWS_STORAGE_BUCKET_NAME"
            raise ImproperlyConfigured(f"{type(self).__name__} has no bucket: set {missing}.")
        return str(super()._normalize_name(name))

    def _key_on_s3(self, name: str) -> str:
        return self._normalize_name(clean_name(name))

    # Saving

    @property
    def claims_names(self) -> bool:
        """Whether names are claimed by conditional writes."""
        if self.unique_names or self.file_overwrite:
            return False
        return connection_of(self).is_aws if self.conditional_writes is None else bool(self.conditional_writes)

    def _available_name(self, name: str, max_length: int | None) -> str:
        name = clean_name(name)
        if self.unique_names:
            return another_name(name, max_length, self.get_alternative_name)
        return get_available_overwrite_name(name, max_length)  # type: ignore[no-any-return]  # taken or not, a write tells

    def exists(self, name: str) -> bool:
        # The root is there, as Django's storages say; S3 has no object without a name to ask for.
        return clean_name(name) == "" or self._target(name).head() is not None

    def _refuse_long(self, keys: Iterable[str]) -> None:
        refuse_long(map(self._key_on_s3, keys), _LONGEST_KEY)

    def _target(self, name: str) -> Target:
        key = self._key_on_s3(name)
        return Target(self.client, self.bucket_name, key, name, partial(self._parameters_of, key=key))

    def _write_upload(self, name: str, source: Source, image_format: str | None) -> str:
        name = clean_name(name)
        target = self._target(name)
        parameters = self._parameters(target.key, source, image_format)
        condition = self._condition(target)
        # A text is none by its bytes; its name may say so, for it is packed and not believed.
        guessed = None if image_format else mimetypes.guess_type(name)[0]
        with self._zipped_if_wanted(source, parameters, guessed) as zipped, zipped.open() as body:
            if image_format is None and zipped.size > self.transfer_config.multipart_threshold:
                claim = target.put_verified(b"", parameters | condition) if condition else None
                target.put_in_parts(body, zipped.size, parameters, self.transfer_config, claim)
            else:
                target.put_verified(body, parameters | condition, replaces=self._replaces)
        return name

    def _condition(self, target: Target) -> dict[str, str]:
        """What makes a write fail where something is; without conditional writes, a question before it has to do.

        Raises:
            FileExistsError: something is there.
        """
        if self.claims_names:
            return IF_FREE
        if not (self.unique_names or self.file_overwrite) and target.head() is not None:
            raise FileExistsError(f"{target.name!r} is taken")
        return {}

    def _write_thumb(self, key: str, data: bytes, content_type: str, *, replace: bool, immutable: bool = False) -> str:
        target = self._target(key)
        parameters = self._thumb_parameters(target.key, content_type, immutable)
        if self._is_to_be_zipped(parameters):
            data = gzip.compress(data, mtime=0)
            parameters["ContentEncoding"] = "gzip"
        if replace:
            target.put(data, parameters)
        else:
            target.put_verified(data, parameters | self._condition(target))
        return key

    def _thumb_parameters(self, key: str, content_type: str, immutable: bool) -> dict[str, Any]:
        parameters = {**({"CacheControl": _FOR_EVER} if immutable else {}), **self._with_defaults(key, {})}
        return parameters | {"ContentType": content_type, **self.thumb_object_parameters}

    def _parameters(self, key: str, source: Source, image_format: str | None) -> dict[str, Any]:
        if image_format:
            return self._with_defaults(key, {"ContentType": MIME_TYPES[image_format]})
        if self.content_types == "name":
            return self._get_write_parameters(key, source.content)
        known = known_type(source.content, source.head())
        return self._with_defaults(key, {"ContentType": known} if known else DOWNLOAD)

    def _get_write_parameters(self, name: str, content: Any = None) -> dict[str, Any]:
        # What is written by open() is not seen before; its name counts as far as it can do no harm.
        if content is not None or self.content_types == "name":
            return super()._get_write_parameters(name, content)  # type: ignore[no-any-return]  # S3Storage has no types
        guessed = mimetypes.guess_type(name)[0]
        return self._with_defaults(name, {"ContentType": guessed} if guessed in INERT_TYPES else DOWNLOAD)

    def _with_defaults(self, key: str, content: Mapping[str, str]) -> dict[str, Any]:
        # As _get_write_parameters(), but what the file is was seen in its bytes, so its name has no say.
        parameters = self.get_object_parameters(key)
        acl = {"ACL": self.default_acl} if self.default_acl else {}
        return {**acl, **({} if "ContentType" in parameters else content), **parameters}

    @contextmanager
    def _zipped_if_wanted(self, source: Source, parameters: dict[str, Any], guessed: str | None) -> Iterator[Source]:
        if not self._is_to_be_zipped(parameters, guessed):
            yield source
            return
        parameters["ContentEncoding"] = "gzip"
        with source.open() as body, Source(File(self._compress_content(body))) as zipped:
            yield zipped

    def _is_to_be_zipped(self, parameters: dict[str, Any], guessed: str | None = None) -> bool:
        is_wanted = self.gzip and not {parameters["ContentType"], guessed}.isdisjoint(self.gzip_content_types)
        return is_wanted and "ContentEncoding" not in parameters

    def honours_conditional_writes(self) -> bool:
        """Try out whether the server refuses a conditional write where something is already.

        It stores an empty object of a random name, and removes it again.
        """
        target = self._target(f"{get_random_string(22)}.check")
        target.put(b"", {"ContentType": "text/plain"})
        try:
            target.put_verified(b"", {"ContentType": "text/plain", **IF_FREE})
        except FileExistsError:
            return True
        except ClientError:
            return False
        finally:
            self._remove([target.name])
        return False

    # Deleting

    def _remove(self, keys: Iterable[str]) -> None:
        remaining = iter(keys)
        while batch := [self._target(key) for key in islice(remaining, _BATCH)]:
            if not self._removed_at_once(batch):
                for target in batch:
                    target.delete()

    def _removed_at_once(self, batch: list[Target]) -> bool:
        """Whether one request did it. Not every server takes it, and not every name fits into its XML."""
        objects = [{"Key": target.key} for target in batch]
        parameters = self._parameters_of("DeleteObjects", batch[0].key)
        try:
            answer = self.client.delete_objects(
                Bucket=self.bucket_name, Delete={"Objects": objects, "Quiet": True}, **parameters
            )
        except (ClientError, ResponseParserError, UnexpectedAnswer) as error:
            logger.info("%r and what belongs to it are deleted one by one: %s", batch[0].name, error)
            return False
        return not answer.get("Errors")

    # Generating again

    def is_temporary(self, error: Exception) -> bool:
        return is_temporary(error)

    @contextmanager
    def _open_original(self, name: str) -> Iterator[File[Any]]:
        # One GET; open() would ask twice for the head first.
        key = self._key_on_s3(name)
        try:
            answer = self.client.get_object(Bucket=self.bucket_name, Key=key, **self._parameters_of("GetObject", key))
        except ClientError as error:
            if status_of(error) == 404:
                raise FileNotFoundError(f"File does not exist: {name}") from error
            raise
        if "ContentLength" not in answer:
            raise AthumbError(f"The answer of S3 was cut off when {name!r} was read.")
        # As a context manager it would give the bare stream, which does not notice that it ends too early.
        with closing(answer["Body"]) as body:
            if self.gzip and answer.get("ContentEncoding") == "gzip":
                try:
                    yield File(cast(IO[bytes], _Unzipped(fileobj=body)), name=name)
                except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                    raise AthumbError(f"{name!r} is damaged: {error}") from error
            elif answer["ContentLength"] <= _READ_AT_ONCE:
                yield File(io.BytesIO(body.read()), name=name)
            else:
                file = File(body, name=name)
                file.size = answer["ContentLength"]
                yield file

    def _parameters_of(self, operation: str, key: str) -> dict[str, Any]:
        """Those of the object parameters that this operation takes, such as ExpectedBucketOwner."""
        takes = self.client.meta.service_model.operation_model(operation).input_shape.members
        return {option: value for option, value in self.get_object_parameters(key).items() if option in takes}

    # URLs

    def _signs_urls(self) -> bool:
        return bool(self.querystring_auth and (self.cloudfront_signer or not self.custom_domain))

    def _thumb_url(self, key: str, force_ssl: bool, query: str, options: dict[str, Any]) -> str:
        if (query or force_ssl) and self._signs_urls():
            query = ""  # one more parameter would break the signature
            if force_ssl and self.url_protocol == "http:" and self.custom_domain:
                # CloudFront signs the whole URL, so it has to be https before that.
                secure = copy.copy(self.unbound)
                secure.url_protocol = "https:"
                return secure._thumb_url(key, False, query, options)
        urls = self._prepared_urls()
        if options or urls is None:
            return super()._thumb_url(key, force_ssl, query, options)
        url = urls.url(key)
        if force_ssl and url.startswith("http:"):
            url = "https" + url[4:]
        return f"{url}{'&' if '?' in url else '?'}{query}" if query else url

    def _thumb_urls(self, keys: Sequence[str], force_ssl: bool, query: str, options: dict[str, Any]) -> list[str]:
        urls = self._prepared_urls()
        if options or query or not isinstance(urls, UnsignedUrls):
            return super()._thumb_urls(keys, force_ssl, query, options)
        made = urls.urls(keys)
        return ["https" + url[4:] for url in made] if force_ssl and made[0].startswith("http:") else made

    def _prepared_urls(self) -> Urls | None:
        try:
            return self._urls
        except AttributeError:
            self._urls = prepared_urls(self)
            return self._urls

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

    __module__ = "athumb_storage.storages.s3"
    default_acl = "public-read"
    querystring_auth = False


class _Unzipped(gzip.GzipFile):
    """Believes that it could go back; what it reads from cannot."""

    def seekable(self) -> bool:
        return False
