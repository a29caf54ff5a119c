"""The steps of a save: the original and its thumbs are all stored, or nothing is."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO, Protocol

from athumb_storage.concurrency import Threads
from athumb_storage.exceptions import AthumbError, UploadedImageIsUnreadableError, shown
from athumb_storage.formats import MIME_TYPES, format_of_name, is_image, sniff
from athumb_storage.rendering import (
    HEIC_NEEDED,
    Rendered,
    bounded,
    readable_formats,
    stripped,
)
from athumb_storage.signals import thumbs_failed, thumbs_generated
from athumb_storage.specs import Thumb, Variant
from athumb_storage.storages import final_names
from athumb_storage.storages import journal as journals
from athumb_storage.storages.filenames import TooLong
from athumb_storage.storages.final_names import Write, marked_name, renamed, under_free_name
from athumb_storage.storages.journal import Journal, is_of_storing
from athumb_storage.storages.source import Source
from athumb_storage.uploads import UploadInfo

logger = logging.getLogger("athumb_storage")


class Storage(journals.Storage, final_names.Storage, Protocol):
    """What is asked of a storage."""

    _threads: Threads
    _plain_threads: Threads

    def exists(self, name: str) -> bool: ...
    def _write_upload(self, name: str, source: Source, image_format: str | None) -> str: ...
    def _write_thumb(self, key: str, data: bytes, content_type: str, *, replace: bool, immutable: bool) -> str: ...
    def _list_folder(self, folder: str) -> list[str] | None: ...
    def _render(
        self, reader: BinaryIO, image_format: str, variants: Sequence[Variant], info: UploadInfo
    ) -> list[Rendered]: ...


def allowed_format(storage: Storage, source: Source) -> str | None:
    """The format of an image that may be opened; None for anything else."""
    image_format = sniff(source.head())
    return image_format if image_format in storage.options.allowed_formats else None


def accepted_format(storage: Storage, name: str, source: Source) -> str | None:
    """The format of an image that gets thumbs, or has to be looked at; None for what is stored as it is.

    Raises:
        UploadedImageIsUnreadableError: it is refused, by what its first bytes say.
    """
    info = source.info
    info.width = info.height = info.format = info.placeholder = None
    images_only, is_stripped = storage._lookup.images_only, _is_stripped(storage)
    if not (images_only or is_stripped or storage._lookup.thumbs):
        return None
    image_format = allowed_format(storage, source)
    # An image that may not be opened cannot be stripped either.
    if image_format is None and (images_only or (is_stripped and is_image(source.head()))):
        raise not_accepted(name, source)
    return image_format


def not_accepted(name: str | None, source: Source) -> UploadedImageIsUnreadableError:
    """What is raised where an image of an allowed format is wanted."""
    image_format = sniff(source.head())
    is_missing = image_format is not None and image_format not in readable_formats()
    hint = f" {HEIC_NEEDED}." if is_missing else ""
    return UploadedImageIsUnreadableError(f"{shown(name)} is not an image of a format that is accepted.{hint}")


@contextmanager
def naming_the_file(name: str) -> Iterator[None]:
    """Let the errors of rendering say which file they are about."""
    try:
        yield
    except AthumbError as error:
        raise type(error)(f"{shown(name)}: {error}") from error


@contextmanager
def original_of(storage: Storage, name: str, source: Source, image_format: str) -> Iterator[tuple[str, Source, str]]:
    """The original as it is stored, with the name to be asked for and its format: bounded, stripped, or as it came."""
    with naming_the_file(name):
        if _is_stripped(storage) or storage._lookup.on_error == "raise":
            source.refuse_more_than(storage.options.limits)
        original = source
        if storage._lookup.original is not None:
            name, original, image_format = _bounded(storage, name, source, image_format, storage._lookup.original)
        elif storage.options.strip_original:
            original = _stripped(source, image_format)
    with original:
        yield name, original, image_format


def _is_stripped(storage: Storage) -> bool:
    return storage.options.strip_original or storage._lookup.original is not None


def _stripped(source: Source, image_format: str) -> Source:
    with source.open() as reader:
        return source.replaced(stripped(reader, image_format))


def _bounded(
    storage: Storage, name: str, source: Source, image_format: str, original: Thumb
) -> tuple[str, Source, str]:
    with source.open() as reader:
        rendered = bounded(reader, image_format, original, storage.options.fallback_format, storage.options.limits)
    stored_format = rendered.variant.format if rendered else image_format
    name = renamed(storage, name, stored_format)
    kept = source.replaced(iter([rendered.data])) if rendered else _stripped(source, image_format)
    return name, kept, stored_format


def save_plain(storage: Storage, name: str, source: Source) -> str:
    """Store what gets no thumbs; its final name."""
    with Journal(storage, name) as journal:
        write = partial(storage._write_upload, source=source, image_format=None)
        stored = journal.record(
            storage._plain_threads.submit(under_free_name, storage, name, write, has_thumbs=False),
            ours=name if storage.unique_names else None,
        ).result()
    # Without a prefix, others may be stored at the keys of thumbs; only an image is likely to have had any.
    if storage.options.naming.prefix(stored) is not None or format_of_name(stored) is not None:
        remove_stale_thumbs(storage, stored, journal)
    return stored


def store_while_rendering(
    storage: Storage, name: str, source: Source, image_format: str, write: Write, journal: Journal
) -> tuple[str, list[Rendered]]:
    """Store the original while its thumbs are rendered.

    One after the other, where the storage has no threads, or where a bad image must not replace a good one.

    Returns:
        The final name, and the thumbs.
    """
    # As under_free_name() does, but before a thumb is stored: where names are unique, thumbs do not wait for that.
    storage._refuse_long(storage._lookup.keys(name))
    variants = storage._lookup.variants(name)
    render = partial(_rendered, storage, name, source, image_format)
    ready = render(variants) if storage._replaces or not storage._threads.overlap else None
    original = journal.record(
        storage._threads.submit(under_free_name, storage, name, write), ours=name if storage.unique_names else None
    )
    thumbs = render(variants) if ready is None else ready
    stored = name if storage.unique_names else original.result()
    again = storage._lookup.variants(stored)
    return stored, thumbs if again == variants else render(again)  # the storage gave it another extension


def store_thumbs(
    storage: Storage, stored: str, thumbs: Iterable[Rendered], write: Write | None, journal: Journal, name: str
) -> str:
    """Store the thumbs of an original, which moves to `name` if that is not where it is stored; its name.

    Args:
        storage: where.
        stored: what the original is stored as.
        thumbs: the thumbs.
        write: what stores the original; None where it stays, whatever may be where a thumb goes.
        journal: notes what is written.
        name: what the original is to be stored as.

    Raises:
        FileExistsError: something is where a thumb goes, which may be where their keys look like names of originals.
    """
    if write and name != stored:
        journal.undo()
        name = journal.record(storage._threads.submit(write, name)).result()
    replace = write is None or not _claims_keys(storage)
    keyed = _keyed(storage, name, thumbs)
    for key, thumb in keyed.items():
        content_type = MIME_TYPES[thumb.variant.format]
        immutable = storage.options.is_immutable(thumb.variant) and not storage._replaces
        write_thumb = partial(storage._write_thumb, replace=replace, immutable=immutable)
        job = storage._threads.submit(write_thumb, key, thumb.data, content_type)
        journal.record(job, ours=key if replace else None)
    journal.wait()
    if keyed:
        thumbs_generated.send_robust(type(storage), storage=storage, name=name, keys=[*keyed])
    return name


def _keyed(storage: Storage, name: str, thumbs: Iterable[Rendered]) -> dict[str, Rendered]:
    """The thumbs by where they are stored.

    Raises:
        AthumbError: the project's own naming puts two of them at one key.
    """
    keyed: dict[str, Rendered] = {}
    for thumb in thumbs:
        key = storage.options.naming.key(name, thumb.variant)
        if key in keyed:
            one, other = keyed[key].variant, thumb.variant
            both = f"{one.label} in {one.format} and {other.label} in {other.format}"
            raise AthumbError(f"The naming gives the same key to {both}: {shown(key)}")
        keyed[key] = thumb
    return keyed


def store_without_thumbs(storage: Storage, name: str, write: Write, journal: Journal, error: Exception) -> str:
    """Keep the original of an image whose thumbs failed, if the project wants that; its final name.

    Where a placeholder is shown instead of thumbs, the name gets a mark that tells so; what is replaced keeps its name.

    Raises:
        Exception: the error, if it is not to be skipped.
    """
    if storage._lookup.on_error == "raise" or not is_of_storing(storage, error):
        raise error
    stored = journal.original()  # if that has failed, too, its own error is raised
    if storage.options.placeholder_url is not None and not storage._replaces:
        journal.undo()
        stored, name = None, marked_name(storage, name)
    if stored is None:
        stored = journal.record(storage._threads.submit(under_free_name, storage, name, write)).result()
    journal.undo(keep=stored)
    logger.error("%r is stored without its thumbs: %s", stored, error)
    thumbs_failed.send_robust(type(storage), storage=storage, name=stored, error=error)
    return stored


def remove_stale_thumbs(storage: Storage, name: str, journal: Journal) -> None:
    """Remove the thumbs of an original that was replaced, but for those that were stored with the new one.

    The new original is stored, whatever comes of this; so a failure is logged and not raised.
    """
    if not storage._replaces:
        return
    try:
        fresh = journal.wait()
        stale = [key for key in stored_thumbs(storage, name) if key not in fresh]
        if stale:
            storage._remove(stale)
    except Exception as error:
        logger.exception("Thumbs of the replaced %r may be left behind.", name)
        if not is_of_storing(storage, error):
            raise


def stored_thumbs(storage: Storage, name: str) -> list[str]:
    """The keys of the thumbs that are there; where they cannot be listed, of those that should be."""
    listed = _listed(storage, name)
    if listed is not None:
        return listed
    sets = storage._lookup.thumb_sets().values()
    keys = dict.fromkeys(key for thumbs in sets for key in storage._lookup.keys(name, thumbs))
    return [key for key in keys if not _is_too_long(storage, key)]


def _listed(storage: Storage, name: str) -> list[str] | None:
    """The keys of the thumbs that are there; None where they cannot be listed."""
    prefix = storage.options.naming.prefix(name)
    if prefix is None:
        return None
    return [] if _is_too_long(storage, prefix) else storage._list_folder(prefix)  # a plain file may have such a name


def _is_too_long(storage: Storage, key: str) -> bool:
    """Whether nothing can be stored at this key, so that to ask for it would be an error."""
    try:
        storage._refuse_long([key])
    except TooLong:
        return True
    return False


def generate(
    storage: Storage, name: str, source: Source, image_format: str, thumbs: Mapping[str, Thumb]
) -> dict[str, str]:
    """Render thumbs of an original that is stored already, and store them; thumb name -> thumb key."""
    with naming_the_file(name):
        source.refuse_more_than(storage.options.limits)
    variants = storage._lookup.variants(name, thumbs)
    journal = Journal(storage, name)  # of which nothing is undone: what was there before is replaced
    try:
        store_thumbs(storage, name, _rendered(storage, name, source, image_format, variants), None, journal, name)
    finally:
        journal.cancel_and_wait()
    plain = [variant for variant in variants if variant.density == 1]  # of several formats the last counts
    return {variant.thumb_name: storage.options.naming.key(name, variant) for variant in plain}


def _rendered(
    storage: Storage, name: str, source: Source, image_format: str, variants: list[Variant]
) -> list[Rendered]:
    """The thumbs; where none is wanted, the image is read all the same."""
    source.info.format = image_format
    with naming_the_file(name), source.open() as reader:
        return storage._render(reader, image_format, variants, source.info)


def _claims_keys(storage: Storage) -> bool:
    """Whether somebody's original may be where a thumb goes, because their names look alike."""
    return storage.options.naming.prefix("name") is None and not storage._replaces and not storage.unique_names
