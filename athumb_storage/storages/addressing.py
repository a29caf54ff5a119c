"""Where a thumb lives: its key and its URL, which are string work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from athumb_storage import conf
from athumb_storage.formats import FormatName, format_of_upload
from athumb_storage.geometry import Point
from athumb_storage.naming import is_marked
from athumb_storage.specs import Thumb, Variant
from athumb_storage.storages.options import StorageOptions

if TYPE_CHECKING:
    from athumb_storage.storages.binding import ThumbLookup


class AddressingStorage:
    """How a storage with thumbs tells where they are. Nobody is asked."""

    __slots__ = ()

    options: StorageOptions

    if TYPE_CHECKING:

        @property
        def _lookup(self) -> ThumbLookup: ...
        def url(self, name: str | None) -> str: ...

    def thumb_key(
        self,
        name: str | None,
        thumb: str | Thumb,
        format: FormatName | None = None,  # noqa: A002, it is the option's name
        density: int = 1,
    ) -> str:
        """Where the thumb of the original `name` is stored, as a storage name.

        Args:
            name: the original's name, as a field's file has it.
            thumb: a thumb name or a Thumb.
            format: one of the formats that the thumb lists; None is the plain one, the last.
            density: one of its densities.

        Raises:
            ValueError: `name` is empty.
            UnknownThumb: no such thumb is configured, or not in that format or density.
            AmbiguousThumb: this storage is bound to no field, and its fields define that thumb differently.
        """
        name = named(name)
        return self.options.naming.key(name, self._lookup.variant(name, thumb, format, density))

    def thumb_keys(self, name: str | None) -> dict[str, list[str]]:
        """Where everything is stored that the original `name` has: thumb name -> the keys of all its variants.

        Raises:
            ValueError: `name` is empty.
        """
        name = named(name)
        key = self.options.naming.key
        keys: dict[str, list[str]] = {}
        for variant in self._lookup.variants(name):
            keys.setdefault(variant.thumb_name, []).append(key(name, variant))
        return keys

    def url_for_thumb(
        self,
        name: str | None,
        thumb: str | Thumb,
        format: FormatName | None = None,  # noqa: A002, it is the option's name
        density: int = 1,
        *,
        force_ssl: bool = False,
        cache_bust: bool = True,
        focal: Point | None = None,
        **options: Any,
    ) -> str:
        """The URL of a thumb, or of the placeholder of an original without thumbs. It is string work: nobody is asked.

        Args:
            name, thumb, format, density: as for `thumb_key`.
            force_ssl: make it https where it would be http.
            cache_bust: add the setting `MEDIA_CACHE_BUSTER`, if there is one.
            focal: add this point to the URL of a focal crop, so that caches see that it was moved. A URL that is signed
                stays without both.
            options: passed on to the storage's `url()`, such as `expire` on S3.

        Raises:
            ValueError: `name` is empty.
            UnknownThumb, AmbiguousThumb: as `thumb_key` does.
        """
        name = named(name)
        variant = self._lookup.variant(name, thumb, format, density)
        own = self.options
        if own.placeholder_url is not None and is_marked(name):
            return own.placeholder_url
        query = conf.cache_buster() if cache_bust else ""
        if focal:
            query = _with_point(query, variant, focal)
        return self._thumb_url(own.naming.key(name, variant), force_ssl, query, options)

    def urls_for_thumbs(
        self,
        name: str | None,
        wanted: Iterable[tuple[str | Thumb, FormatName | None, int]],
        *,
        force_ssl: bool = False,
        cache_bust: bool = True,
        focal: Point | None = None,
        **options: Any,
    ) -> list[str]:
        """What `url_for_thumb` gives for each thumb, format and density, in less time.

        Raises:
            ValueError, UnknownThumb, AmbiguousThumb: as `url_for_thumb` does.
        """
        name, own, lookup = named(name), self.options, self._lookup
        variants = lookup.several(name, tuple(wanted))
        if own.placeholder_url is not None and is_marked(name):
            return [own.placeholder_url] * len(variants)
        query = conf.cache_buster() if cache_bust else ""
        key = own.naming.key
        if focal:
            pairs = [(key(name, variant), _with_point(query, variant, focal)) for variant in variants]
            return [self._thumb_url(key, force_ssl, query, options) for key, query in pairs]
        return self._thumb_urls([key(name, variant) for variant in variants], force_ssl, query, options)

    def formats_of(self, name: str | None, thumb: str | Thumb) -> tuple[str, ...]:
        """The formats that `thumb` has for the original `name`, best first; the last is the plain one.

        Raises:
            ValueError, UnknownThumb, AmbiguousThumb: as `thumb_key` does.
        """
        return self._lookup.formats(named(name), thumb)

    def has_thumbs(self, name: str | None) -> bool:
        """Whether the original `name` was stored with thumbs, as far as its name tells. Nobody is asked.

        What this storage saves is named so that it tells: an image with thumbs has the extension of one, unless nothing
        but images is accepted; what has none has another extension or the mark, where names may be chosen.
        """
        if not name or is_marked(str(name)):
            return False
        lookup = self._lookup
        if not lookup.images_only and format_of_upload(str(name)) not in self.options.allowed_formats:
            return False
        return bool(lookup.thumbs)

    def _thumb_urls(self, keys: Sequence[str], force_ssl: bool, query: str, options: dict[str, Any]) -> list[str]:
        """The URLs of several."""
        return [self._thumb_url(key, force_ssl, query, options) for key in keys]

    def _thumb_url(self, key: str, force_ssl: bool, query: str, options: dict[str, Any]) -> str:
        """The URL of a thumb key, with one more query parameter, such as "cbust=42", unless it is empty."""
        url = self.url(key, **options)
        if force_ssl and url.startswith("http://"):
            url = "https://" + url[7:]
        return f"{url}{'&' if '?' in url else '?'}{query}" if query else url


def _with_point(query: str, variant: Variant, focal: Point) -> str:
    """The query of a focal crop, by which caches see that its point was moved; that of others as it is."""
    if variant.thumb.crop != "focal":
        return query
    return f"{query}{'&' if query else ''}focal={focal[0]:g},{focal[1]:g}"


def named(name: str | None) -> str:
    """The name of a field's file, which may have none, or be a Path, as Django's storages take it."""
    if not name:
        raise ValueError("There are no thumbs where there is no original.")
    return str(name)
