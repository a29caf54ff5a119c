"""`ThumbnailStorageMixin`: a storage whose `_save` stores the upload and every thumb it is configured for."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from copy import copy
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage

from athumb_storage import conf
from athumb_storage.exceptions import AthumbError, UploadedImageIsUnreadableError
from athumb_storage.formats import EXTENSIONS, MIME_TYPES, format_of_name, sniff
from athumb_storage.naming import Naming, is_marked, marked, unmarked
from athumb_storage.rendering import Limits, check, stripped
from athumb_storage.specs import Thumb, ThumbSet
from athumb_storage.storages.binding import Binding, all_thumbs, find_thumb
from athumb_storage.storages.names import another_name, safe_name
from athumb_storage.storages.options import checked_fallback, checked_formats, checked_naming, checked_on_error
from athumb_storage.storages.source import Source
from athumb_storage.storages.upload import (
    KeyTaken,
    Later,
    Thumbs,
    Upload,
    forget,
    naming_the_file,
    orders_for,
    remember,
    remove_stale_thumbs,
    rendered,
)

if TYPE_CHECKING:
    from typing_extensions import Self

    _Base = Storage
else:
    _Base = object

R = TypeVar("R")

OWN_OPTIONS: Final = frozenset(
    {"thumbs", "naming", "fallback_format", "allowed_formats", "strip_original", "on_error", "placeholder_url"}
    | {"max_pixels", "max_frames", "max_bytes", "time_budget"}
)

_OVERWRITING: Final = ("file_overwrite", "overwrite_files", "allow_overwrite", "_allow_overwrite")
"""What Django and django-storages call the option to replace a file of the same name."""

_TOKEN_LENGTH: Final = 8
"""How much longer Django's `get_alternative_name` makes a name."""

# Django hands max_length to save() and not to _save(), where another name may have to be found.
max_length_of_save: ContextVar[int | None] = ContextVar("max_length_of_save", default=None)

logger = logging.getLogger("athumb_storage")


class ThumbnailStorageMixin(_Base):
    """Gives thumbs to a Django storage: `class MyStorage(ThumbnailStorageMixin, SomeStorage): pass`.

    Args:
        thumbs: the storage's own thumbs; None takes those of the setting `ATHUMB_THUMBS`.
        naming: "folder", "athumb", or an object with the methods of `naming.Naming`.
        fallback_format: the format of a thumb where neither its Thumb nor the original's name tells one.
        allowed_formats: the formats of originals that are opened; to others no thumbs are made.
        max_pixels, max_frames, max_bytes, time_budget: the limits of an image, see `rendering.Limits`.
        strip_original: store originals without their metadata; the pixels stay as they are, byte for byte.
        on_error: "raise" refuses an image whose thumbs cannot be made; "skip" stores it without them.
        placeholder_url: what `url_for_thumb` gives for an original that was stored without thumbs.
    """

    # A storage bound to a field is a second object on the same `__dict__`, so that it shares the connection, every
    # option and all that the storage caches; only what is kept in these slots is its own.
    __slots__ = ("_binding", "_found", "_overlaid")
    _binding: Binding
    _found: tuple[int, dict[str | Thumb, tuple[str, Thumb]]]
    _overlaid: tuple[ThumbSet, ThumbSet]

    limits = Limits()
    allowed_formats = frozenset(MIME_TYPES)

    def __init__(
        self,
        *args: Any,
        thumbs: Any = None,
        naming: str | Naming = "folder",
        fallback_format: str = "JPEG",
        allowed_formats: Iterable[str] = tuple(MIME_TYPES),
        max_pixels: int | None = Limits.max_pixels,
        max_frames: int | None = Limits.max_frames,
        max_bytes: int | None = Limits.max_bytes,
        time_budget: float | None = Limits.time_budget,
        strip_original: bool = False,
        on_error: str = "raise",
        placeholder_url: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._own_thumbs = self._checked("thumbs", lambda: None if thumbs is None else ThumbSet(thumbs))
        self._fallback_format = self._checked("fallback_format", lambda: checked_fallback(fallback_format))
        self.naming = self._checked("naming", lambda: checked_naming(naming))
        self.allowed_formats = self._checked("allowed_formats", lambda: checked_formats(allowed_formats))
        self.limits = self._checked(
            "limits",
            lambda: Limits(max_pixels=max_pixels, max_frames=max_frames, max_bytes=max_bytes, time_budget=time_budget),
        )
        self._strip_original = strip_original
        self._on_error = self._checked("on_error", lambda: checked_on_error(on_error))
        self._placeholder_url = placeholder_url
        super().__init__(*args, **kwargs)

    def _checked(self, option: str, parse: Callable[[], R]) -> R:
        try:
            return parse()
        except ValueError as error:
            raise ImproperlyConfigured(f"{type(self).__name__}: option {option!r}: {error}") from error

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """As a migration writes it down: without thumbs, which touch no column."""
        path, args, kwargs = super().deconstruct()  # type: ignore[misc]  # from @deconstructible
        return path, args, {name: value for name, value in kwargs.items() if name not in OWN_OPTIONS}

    # Thumbs, and the fields they are bound to

    @property
    def thumbs(self) -> ThumbSet:
        """The thumbs that every original saved through this storage gets."""
        own = conf.project_thumbs() if self._own_thumbs is None else self._own_thumbs
        binding = self._bound
        if binding is None:
            return own
        if self._overlaid[0] is not own:
            self._overlaid = own, own.overlaid_with(binding.thumbs)
        return self._overlaid[1]

    @property
    def on_error(self) -> str:
        """What becomes of an image whose thumbs cannot be made: "raise" refuses it, "skip" keeps it without them."""
        binding = self._bound
        return (binding and binding.on_error) or self._on_error

    @property
    def unbound(self) -> Self:
        """The storage as the project made it; itself, if it is bound to no field."""
        binding = self._bound
        return binding.storage if binding else self

    @property
    def _bound(self) -> Binding | None:
        return getattr(self, "_binding", None)

    def with_thumbs(self, thumbs: Any, *, images_only: bool = False, on_error: str | None = None) -> Self:
        """This storage with more thumbs: same connection, same options, its own thumbs overlaid with these.

        Args:
            thumbs: a ThumbSet, or what makes one.
            images_only: whether to refuse what is not an image.
            on_error: "raise" or "skip"; None is what the storage does.
        """
        view = object.__new__(type(self))
        view.__dict__ = self.__dict__
        view._binding = Binding(self.unbound, ThumbSet(thumbs), images_only, on_error)
        view._overlaid = ThumbSet(), ThumbSet()
        return view

    def __reduce_ex__(self, protocol: Any) -> Any:
        # To copy or pickle a bound storage is to do so with the storage itself, and to bind it again.
        binding = self._bound
        if binding:
            return _bind_again, (copy(binding.storage), dict(binding.thumbs), binding.images_only, binding.on_error)
        return super().__reduce_ex__(protocol)

    def _find(self, thumb: str | Thumb) -> tuple[str, Thumb]:
        """The thumb name and the Thumb, remembered until thumbs are defined anew."""
        try:
            generation, found = self._found
            if generation == conf.generation:
                return found[thumb]
        except (AttributeError, KeyError, TypeError):  # not looked up yet, or nothing that can be a thumb
            pass
        looked_up = self._looked_up(thumb)
        if getattr(self, "_found", (-1,))[0] != conf.generation:
            self._found = conf.generation, {}
        self._found[1][thumb] = looked_up
        return looked_up

    def _looked_up(self, thumb: str | Thumb) -> tuple[str, Thumb]:
        if self._bound is None:
            return find_thumb(self, thumb)
        name = self.thumbs.name_of(thumb)
        return name, self.thumbs[name]

    def _all_thumbs(self) -> list[tuple[str, Thumb]]:
        return list(self.thumbs.items() if self._bound else all_thumbs(self))

    # Where a thumb lives

    def thumb_key(self, name: str, thumb: str | Thumb) -> str:
        """Where the thumb of the original `name` is stored, as a storage name.

        Raises:
            UnknownThumb: no such thumb is configured.
            AmbiguousThumb: this storage is bound to no field, and its fields define that thumb differently.
        """
        return self._key(name, *self._find(thumb))

    def _key(self, name: str, thumb_name: str, thumb: Thumb) -> str:
        extension = EXTENSIONS[thumb.format_for(name, self._fallback_format)]
        return self.naming.key(name, thumb_name, thumb, extension)

    def thumb_format(self, name: str, thumb: Thumb) -> str:
        """The format that a thumb of the original `name` has."""
        return thumb.format_for(name, self._fallback_format)

    def url_for_thumb(
        self, name: str, thumb: str | Thumb, *, force_ssl: bool = False, cache_bust: bool = True, **options: Any
    ) -> str:
        """The URL of a thumb, or of the placeholder of an original without thumbs. It is string work: nobody is asked.

        Args:
            name: the original's name.
            thumb: a thumb name or a Thumb.
            force_ssl: make it https where it would be http.
            cache_bust: add the setting `MEDIA_CACHE_BUSTER`, if there is one.
            options: passed on to the storage's `url()`, such as `expire` on S3.

        Raises:
            ValueError: `name` is empty.
            UnknownThumb, AmbiguousThumb: as `thumb_key` does.
        """
        if not name:
            raise ValueError("A thumb has no URL where there is no original.")
        thumb_name, spec = self._find(thumb)
        if self._placeholder_url is not None and is_marked(name):
            return self._placeholder_url
        url = self._thumb_url(self._key(name, thumb_name, spec), force_ssl, options)
        query = conf.cache_buster() if cache_bust else ""
        if query and not self._signs_urls():
            url += ("&" if "?" in url else "?") + query
        return url

    def _thumb_url(self, key: str, force_ssl: bool, options: dict[str, Any]) -> str:
        url = self.url(key, **options)
        return "https://" + url[7:] if force_ssl and url.startswith("http://") else url

    def _signs_urls(self) -> bool:
        """Whether URLs carry a signature, which one more parameter would break."""
        return False

    # Names

    def get_valid_name(self, name: str) -> str:
        # The mark of an original without thumbs is not for uploaders to give.
        return unmarked(super().get_valid_name(name))

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        name = self._checked_name(name, max_length)
        available = super().get_available_name(name, max_length)
        self._refuse_long(available)
        return available

    def _checked_name(self, name: str, max_length: int | None) -> str:
        name = safe_name(name)
        path = posixpath.normpath(name)  # "." and double slashes lead to the same place
        is_folder_of_thumbs = self.naming.original(f"{path}/thumb") is not None
        if is_folder_of_thumbs or self.naming.original(path) is not None:
            raise SuspiciousFileOperation(f"{name!r} cannot be stored: thumbs are stored under names like this.")
        if max_length is None or len(name) <= max_length:  # else it is going to be shortened
            self._refuse_long(name)
        return name

    def _refuse_long(self, name: str) -> None:
        """Refuse a name that this storage has no room for, or not for the keys of its thumbs."""

    def _all_keys(self, name: str) -> list[str]:
        """The name of an original and the keys of its thumbs."""
        return [name, *(self._key(name, thumb_name, thumb) for thumb_name, thumb in self.thumbs.items())]

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
            image_format = self._image_format(source)
            if image_format is None:
                raise UploadedImageIsUnreadableError(f"{content.name!r} is not an image of a format that is accepted.")
            reader: Any = content if source.content is content else source.open()
            image = check(reader, image_format, self.limits)
            content.seek(0)
            return image

    def _save(self, name: str, content: File[Any]) -> str:
        if not self._images_only and not self.thumbs and not self._strip_original:
            return self._save_without_thumbs(name, content)
        with Source(content) as source:
            image_format = self._image_format(source)
            if image_format is None:
                # An image that may not be opened cannot be stripped either.
                if self._images_only or (self._strip_original and sniff(source.head())):
                    raise UploadedImageIsUnreadableError(f"{name!r} is not an image of a format that is accepted.")
                return self._save_without_thumbs(name, source.content)
            with self._to_be_stored(name, source, image_format) as stored:
                return self._uploaded(name, stored, image_format)

    def _uploaded(self, name: str, source: Source, image_format: str) -> str:
        while True:
            upload = Upload(self, name, source, image_format)
            try:
                stored = upload.run()
            except KeyTaken:
                max_length = max_length_of_save.get()
                other_name = another_name(name, max_length, self.get_alternative_name)
                name = self.get_available_name(other_name, max_length)
            else:
                remember(self, stored, upload.thumb_keys)
                return stored

    @property
    def _images_only(self) -> bool:
        return self._bound is not None and self._bound.images_only

    def _image_format(self, source: Source) -> str | None:
        """The format of an image that may be opened; None for anything else."""
        image_format = sniff(source.head())
        return image_format if image_format in self.allowed_formats else None

    def _save_without_thumbs(self, name: str, content: File[Any]) -> str:
        stored = self._save_plain(name, content)
        remember(self, stored, ())
        # Without a prefix, others may be stored at the keys of thumbs; only an image is likely to have had any.
        may_have_thumbs = self.naming.prefix(stored) is not None or format_of_name(stored) is not None
        if self._replaces() and may_have_thumbs:
            remove_stale_thumbs(self, stored, ())
        return stored

    @contextmanager
    def _to_be_stored(self, name: str, source: Source, image_format: str) -> Iterator[Source]:
        """The original as it is stored: with or without its metadata."""
        if not self._strip_original:
            yield source
            return
        with source.open() as reader:
            with naming_the_file(name):
                self.limits.check_bytes(source.size)
                bare = Source.of_pieces(stripped(reader, image_format), source.content.name)
            with bare:
                yield bare

    def _save_plain(self, name: str, content: File[Any]) -> str:
        return super()._save(name, content)  # type: ignore[misc,no-any-return]  # every storage has one

    def _store_original(self, name: str, source: Source, content_type: str) -> str:
        """Store an original as no other file is called; its final name."""
        if hasattr(source.content, "content_type"):
            source.content.content_type = content_type  # the client's word does not count
        return self._save_plain(name, source.content)

    def _store_marked(self, name: str, source: Source, content_type: str) -> str:
        """Store an original whose thumbs failed, with the mark in its name that tells so; its final name."""
        max_length = max_length_of_save.get()
        # Room is left for a token, so that nothing of the mark is cut off for one.
        room = max_length - _TOKEN_LENGTH if max_length else None
        marked_name = marked(name, room)
        if room is not None and len(marked_name) > room:
            raise SuspiciousFileOperation(f"{name!r} has no room for a mark: allow more in the field's max_length.")
        return self._store_original(self.get_available_name(marked_name, max_length), source, content_type)

    def _store_thumb(self, key: str, data: bytes, content_type: str) -> None:
        """Store a thumb at exactly this key, in place of what may be there."""
        if self.exists(key):
            super().delete(key)
        content = ContentFile(data, name=key)
        content.content_type = content_type  # type: ignore[attr-defined]  # read by django-storages' backends
        stored = self._save_plain(key, content)
        if stored != key:
            super().delete(stored)
            raise AthumbError(f"The storage kept thumb {key!r} as {stored!r}, where nobody will look for it.")

    def _claims_thumbs(self) -> bool:
        """Whether somebody's original may be where a thumb goes, because their names look alike."""
        return self.naming.prefix("name") is None and not self._replaces()

    def _claim_thumb(self, key: str, data: bytes, content_type: str) -> None:
        """Store a thumb where nothing is.

        Raises:
            KeyTaken: something is there.
        """
        if self.exists(key):
            raise KeyTaken(key)
        self._store_thumb(key, data, content_type)

    def _submit(self, function: Callable[..., R], *args: Any) -> Future[R]:
        """Begin some I/O. Here it happens when its result is asked for: not every storage is thread-safe."""
        return Later(function, *args)

    def _name_is_final(self) -> bool:
        """Whether the name that `_save` is given is the one that the original will have."""
        return False

    def _replaces(self) -> bool:
        """Whether saving may replace what was there, so that removing it again would lose that for good."""
        return any(getattr(self, option, False) for option in _OVERWRITING)

    def _remove(self, keys: Iterable[str]) -> None:
        """Remove these files, and the folders of thumbs they lay in."""
        keys = list(keys)
        for key in keys:
            super().delete(key)
        for folder in {posixpath.dirname(key) for key in keys if self.naming.original(key) is not None}:
            self._remove_folder(folder)

    def _remove_folder(self, folder: str) -> None:
        """Remove a folder that is empty now, where folders are things of their own."""

    # Deleting

    def delete(self, name: str) -> None:
        """Delete the original and all its thumbs."""
        # The original last: as long as it is there, nobody else can take its name and lose his thumbs.
        self.delete_thumbs(name)
        super().delete(name)
        forget(self, name)

    def delete_thumbs(self, name: str) -> None:
        """Delete all thumbs of the original `name`, also those that are configured no more."""
        self._remove(self._stored_thumbs(name))

    def _stored_thumbs(self, name: str) -> list[str]:
        """The keys of the thumbs that are there; where they cannot be listed, of those that should be."""
        prefix = self.naming.prefix(name)
        listed = None if prefix is None else self._listed(prefix)
        if listed is not None:
            return listed
        return list(dict.fromkeys(self._key(name, thumb_name, thumb) for thumb_name, thumb in self._all_thumbs()))

    def _listed(self, folder: str) -> list[str] | None:
        """The names of all files in a folder; None if this storage cannot tell."""
        try:
            return [folder + file for file in self.listdir(folder)[1]]
        except FileNotFoundError:
            return []
        except NotImplementedError:
            return None

    # Generating again

    def generate_thumbs(self, name: str, only: Iterable[str | Thumb] | None = None) -> dict[str, str]:
        """Render the thumbs of an original that is stored already, and store them at the same keys.

        Args:
            name: the original's name.
            only: the thumb names wanted; None is all.

        Returns:
            Thumb name -> thumb key of each that was generated; none for a file that is not an image, unless only
            images are accepted.

        Raises:
            FileNotFoundError: there is no such original.
            UploadedImageIsUnreadableError: the original cannot be decoded.
        """
        thumbs = self.thumbs if only is None else ThumbSet(dict(self._find(thumb) for thumb in only))
        with self._opened(name) as content, Source(content) as source:
            image_format = self._image_format(source)
            if image_format:
                return self._generate(name, source, image_format, thumbs)
            if self._bound is not None and self._bound.images_only:
                raise UploadedImageIsUnreadableError(f"{name!r} is not an image of a format that is accepted.")
            return {}

    def _opened(self, name: str) -> AbstractContextManager[File[Any]]:
        return self.open(name, "rb")

    def _generate(self, name: str, source: Source, image_format: str, wanted: ThumbSet) -> dict[str, str]:
        thumbs = Thumbs(self)
        try:
            for thumb in rendered(self, name, source, image_format, orders_for(self, name, wanted)):
                thumbs.send(name, thumb)
            thumbs.finish()
        finally:
            thumbs.stop()
        return thumbs.keys


def _bind_again(storage: Any, thumbs: dict[str, Thumb], images_only: bool, on_error: str | None) -> Any:
    return storage.with_thumbs(thumbs, images_only=images_only, on_error=on_error)
