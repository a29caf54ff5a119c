"""`ThumbnailStorageMixin`: a storage whose `_save` stores the upload and every thumb it is configured for."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage

from athumb_storage.concurrency import ThisThread, Threads
from athumb_storage.exceptions import AthumbError, InvalidFocalPoint, shown
from athumb_storage.formats import MIME_TYPES, FormatName
from athumb_storage.geometry import Point, checked_point
from athumb_storage.naming import Naming, unmarked
from athumb_storage.rendering import Rendered, render, verify_decodable
from athumb_storage.signals import thumbs_deleted
from athumb_storage.specs import OriginalOptions, Thumb, Variant
from athumb_storage.storages import saving
from athumb_storage.storages.addressing import AddressingStorage, named
from athumb_storage.storages.binding import ThumbLookup
from athumb_storage.storages.filenames import refuse_thumb_names, safe_name
from athumb_storage.storages.final_names import max_length_of_save, telling_name, under_free_name
from athumb_storage.storages.journal import Journal, kept_journals
from athumb_storage.storages.listing import ListingStorage
from athumb_storage.storages.options import OPTIONS, NamingWord, OnError, StorageOptions
from athumb_storage.storages.source import Source
from athumb_storage.storages.travelling import TravellingStorage
from athumb_storage.thumbsets import Thumbs, ThumbSet, ThumbsOrNone
from athumb_storage.uploads import UploadInfo

if TYPE_CHECKING:
    from typing import Self

    _Base = Storage
else:
    _Base = object

_OVERWRITING: Final = ("file_overwrite", "overwrite_files", "allow_overwrite", "_allow_overwrite")
"""What Django and django-storages call the option to replace a file of the same name."""


class ThumbnailStorageMixin(AddressingStorage, ListingStorage, TravellingStorage, _Base):
    """Gives thumbs to a Django storage: `class MyStorage(ThumbnailStorageMixin, SomeStorage): pass`.

    Its options are those of `StorageOptions`, by keyword, and whatever the storage itself takes. What a storage may do
    in its own way are the methods that begin with an underscore.
    """

    # A storage bound to a field is a second object on the same `__dict__`, so that it shares the connection, every
    # option and all that the storage caches; only what is kept in this slot is its own.
    __slots__ = ("_own_lookup",)
    _own_lookup: ThumbLookup

    options = StorageOptions()
    unique_names = False
    """Whether a name is made unique before it is stored, so that it cannot be taken."""
    storage_errors: tuple[type[Exception], ...] = (OSError,)
    """What storing, reading and deleting raise where the storage fails. Others come through as they are."""
    is_thread_safe = True
    """Whether several threads may use it at once, as those of a web server do."""
    _threads: Threads = ThisThread()
    """Who stores images and thumbs. Not every storage may be used by several threads."""
    _plain_threads: Threads = ThisThread()
    """Who stores other files, which may be large: nobody else waits for these threads."""

    if TYPE_CHECKING:  # what is not ours is whatever the storage itself takes

        def __init__(
            self,
            *args: Any,
            thumbs: ThumbsOrNone = ...,
            naming: NamingWord | Naming = ...,
            fallback_format: FormatName = ...,
            allowed_formats: Iterable[str] = ...,
            max_pixels: int | None = ...,
            max_frames: int | None = ...,
            max_animation_pixels: int | None = ...,
            max_bytes: int | None = ...,
            time_budget: float | None = ...,
            strip_original: bool = ...,
            original: OriginalOptions | None = ...,
            on_error: OnError = ...,
            placeholder_url: str | None = ...,
            **options: Any,
        ) -> None: ...

    else:

        def __init__(self, *args: Any, **options: Any) -> None:
            own = {name: options.pop(name) for name in OPTIONS if name in options}
            try:
                self.options = StorageOptions(**own)
            except ValueError as error:
                raise ImproperlyConfigured(f"{type(self).__name__}: {error}") from error
            super().__init__(*args, **options)

    # Thumbs, and the fields they are bound to

    @property
    def thumbs(self) -> ThumbSet:
        """The thumbs that every original saved through this storage gets."""
        return self._lookup.thumbs

    @property
    def naming(self) -> Naming:
        """Where thumbs are stored."""
        return self.options.naming

    @property
    def on_error(self) -> OnError:
        """What becomes of an image whose thumbs cannot be made: "raise" refuses it, "skip" keeps it without them."""
        return self._lookup.on_error

    @property
    def unbound(self) -> Self:
        """The storage as the project made it; itself, if it is bound to no field."""
        return self._lookup.unbound or self

    @property
    def _lookup(self) -> ThumbLookup:
        try:
            return self._own_lookup
        except AttributeError:  # it is new, or a copy
            self._own_lookup = ThumbLookup(self, self.options)
            return self._own_lookup

    def with_thumbs(
        self,
        thumbs: Thumbs,
        *,
        images_only: bool = False,
        on_error: OnError | None = None,
        original: OriginalOptions | None = None,
    ) -> Self:
        """This storage with more thumbs: same connection, same options, its own thumbs overlaid with these.

        Args:
            thumbs: a ThumbSet, or what makes one.
            images_only: whether to refuse what is not an image.
            on_error: "raise" or "skip"; None is what the storage does.
            original: what an original is bounded to; None is what the storage does.
        """
        view = object.__new__(type(self))
        view.__dict__ = self.__dict__
        view._own_lookup = ThumbLookup(
            self.unbound,
            self.options,
            ThumbSet(thumbs),
            images_only=images_only,
            on_error=on_error,
            original=original,
        )
        return view

    # Names

    def get_valid_name(self, name: str) -> str:
        # The mark of an original without thumbs is not for uploaders to give.
        return unmarked(super().get_valid_name(name))

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        name = safe_name(name)
        refuse_thumb_names(name, self.options.naming)
        if max_length is None or len(name) <= max_length:  # else it is going to be shortened
            self._refuse_long([name])
        available = self._available_name(name, max_length)
        self._refuse_long([available])
        return available

    def _available_name(self, name: str, max_length: int | None) -> str:
        return super().get_available_name(name, max_length)

    def _refuse_long(self, keys: Iterable[str]) -> None:
        """Refuse names and thumb keys of which one is too long for this storage.

        Raises:
            TooLong: one is.
        """

    def open(self, name: str, mode: str = "rb") -> File[Any]:
        if set(mode) & set("wax+"):
            refuse_thumb_names(safe_name(name), self.options.naming)
        return super().open(name, mode)

    # Saving

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        token = max_length_of_save.set(max_length)
        try:
            return super().save(name, content, max_length=max_length)
        finally:
            max_length_of_save.reset(token)

    def check_image(self, content: File[Any]) -> Any:
        """Make sure that `save` would take this content for an image and find it readable.

        It costs the cheapest decoding that there is. The content is left at its beginning, open.

        Returns:
            The Pillow image, opened and not decoded.

        Raises:
            UploadedImageIsUnreadableError: it is no image of an allowed format, or cannot be decoded.
            ImageLimitExceeded: it is over a limit.
        """
        with Source(content) as source:
            image_format = saving.allowed_format(self, source)
            if image_format is None:
                raise saving.not_accepted(content.name, source)
            reader: Any = content if source.content is content else source.open()
            image = verify_decodable(reader, image_format, self.options.limits)
            content.seek(0)
            return image

    def _save(self, name: str, content: File[Any]) -> str:
        with Source(content) as source:
            image_format = saving.accepted_format(self, name, source)
            name = telling_name(self, name, image_format)
            if image_format is None:
                return saving.save_plain(self, name, source)
            as_stored = saving.original_of(self, name, source, image_format)
            with as_stored as (name, original, image_format), Journal(self, name) as journal:
                write = partial(self._write_upload, source=original, image_format=image_format)
                try:
                    stored, thumbs = saving.store_while_rendering(self, name, original, image_format, write, journal)
                    store = partial(saving.store_thumbs, self, stored, thumbs, write, journal)
                    stored = under_free_name(self, stored, store)
                except Exception as error:  # noqa: BLE001, it is raised again unless it is to be skipped
                    stored = saving.store_without_thumbs(self, name, write, journal, error)
            saving.remove_stale_thumbs(self, stored, journal)
            return stored

    @property
    def _replaces(self) -> bool:
        """Whether saving may replace what was there, so that removing it again would lose that for good."""
        return any(getattr(self, option, False) for option in _OVERWRITING)

    def _write_upload(self, name: str, source: Source, image_format: str | None) -> str:
        """Store an upload where nothing is; what it is stored as.

        Args:
            name: where.
            source: its bytes.
            image_format: that of an image, None for another file.

        Raises:
            FileExistsError: something is there, so another name is needed.
        """
        if image_format and hasattr(source.content, "content_type"):
            source.content.content_type = MIME_TYPES[image_format]  # the client's word does not count
        return super()._save(name, source.content)  # type: ignore[misc,no-any-return]  # every storage has one

    def _write_thumb(self, key: str, data: bytes, content_type: str, *, replace: bool, immutable: bool = False) -> str:
        """Store a thumb at exactly this key; the key.

        Args:
            key: where.
            data: its bytes.
            content_type: what they are.
            replace: whether it takes the place of what may be there.
            immutable: whether what is stored here stays as it is, so that it may be cached for ever.

        Raises:
            FileExistsError: something is there that is not to be replaced.
        """
        if self.exists(key):
            if not replace:
                raise FileExistsError(key)
            super().delete(key)
        content = ContentFile(data, name=key)
        content.content_type = content_type  # type: ignore[attr-defined]  # read by django-storages' backends
        stored: str = super()._save(key, content)  # type: ignore[misc]  # every storage has one
        if stored != key:
            super().delete(stored)
            raise AthumbError(f"The storage kept thumb {key!r} as {stored!r}, where nobody will look for it.")
        return key

    def _render(
        self, reader: BinaryIO, image_format: str, variants: Sequence[Variant], info: UploadInfo
    ) -> list[Rendered]:
        """The thumbs of an image; where none is wanted, it is decoded all the same, to prove that it can be.

        Args:
            reader: its bytes.
            image_format: what they are.
            variants: what is wanted.
            info: is told of the image, and tells of its focal point.
        """
        limits = self.options.limits
        if not (variants or info.wants_placeholder):
            verify_decodable(reader, image_format, limits, info.opened)
            return []
        hashed = info.hashed if info.wants_placeholder else None
        return render(reader, image_format, variants, limits, info.opened, info.focal, hashed=hashed)

    def _remove(self, keys: Iterable[str]) -> None:
        """Remove these files, and the folders of thumbs they lay in."""
        keys = list(keys)
        for key in keys:
            super().delete(key)
        for folder in {posixpath.dirname(key) for key in keys if self.options.naming.original(key) is not None}:
            self._remove_folder(folder)

    def _remove_folder(self, folder: str) -> None:
        """Remove a folder that is empty now, where folders are things of their own."""

    # Deleting

    def delete(self, name: str) -> None:
        """Delete the original and all its thumbs."""
        if not name:
            super().delete(name)  # which says that there is no name
            return
        name = str(name)
        # The original last: as long as it is there, nobody else can take its name and lose his thumbs.
        thumbs = saving.stored_thumbs(self, name)
        self._remove([*thumbs, name])
        self._tell_of_deleted(name, thumbs)
        journals = kept_journals.get()
        if journals is not None:
            journals.discard(self, name)

    def delete_thumbs(self, name: str | None) -> None:
        """Delete all thumbs of the original `name`, also those that are configured no more."""
        name = named(name)
        thumbs = saving.stored_thumbs(self, name)
        self._remove(thumbs)
        self._tell_of_deleted(name, thumbs)

    def _tell_of_deleted(self, name: str, keys: list[str]) -> None:
        if keys:
            thumbs_deleted.send_robust(type(self), storage=self, name=name, keys=keys)

    # Generating again

    def generate_thumbs(
        self,
        name: str | None,
        only: Iterable[str | Thumb] | None = None,
        focal: Point | None = None,
        *,
        info: UploadInfo | None = None,
    ) -> dict[str, str]:
        """Render the thumbs of an original that is stored already, and store them at the same keys.

        Args:
            name: the original's name.
            only: the thumb names wanted, or names of responsive sets; None is all.
            focal: what focal crops have in their middle, as fractions of width and height; None is the middle.
            info: is filled with what is found out of the image, as by a save.

        Returns:
            Thumb name -> thumb key of the plain variant of each that was generated; none for a file that is not an
            image, unless only images are accepted.

        Raises:
            ValueError: `name` is empty.
            InvalidFocalPoint: the focal point is not on the image.
            FileNotFoundError: there is no such original.
            SuspiciousOperation: no file can have this name.
            UploadedImageIsUnreadableError: the original cannot be decoded.
        """
        name = named(name)
        try:
            focal = focal and checked_point(focal)
        except ValueError as error:
            raise InvalidFocalPoint(f"{shown(name)}: {error}") from error
        thumbs = self.thumbs if only is None else self._lookup.resolve_all(only)
        with self._open_original(name) as content, Source(content) as source:
            source.info = info or source.info
            source.info.focal = focal
            image_format = saving.allowed_format(self, source)
            if image_format:
                return saving.generate(self, name, source, image_format, thumbs)
            if self._lookup.images_only:
                raise saving.not_accepted(name, source)
            return {}

    def is_temporary(self, error: Exception) -> bool:
        """Whether what failed by one of `storage_errors` may go well in a while: the storage was out of reach, or wants
        to be asked less.
        """
        return isinstance(error, ConnectionError | TimeoutError)

    def _open_original(self, name: str) -> AbstractContextManager[File[Any]]:
        try:
            return self.open(name, "rb")
        except ValueError as error:  # such as a null byte in it
            raise SuspiciousFileOperation(f"{shown(name)}: {error}") from error
