"""One upload on its way: the original and its thumbs are all stored, or nothing is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import SuspiciousOperation

from athumb_storage.exceptions import AthumbError, UploadFailed
from athumb_storage.formats import MIME_TYPES
from athumb_storage.rendering import Order, Rendered, check, render
from athumb_storage.signals import thumbs_failed
from athumb_storage.specs import ThumbSet
from athumb_storage.storages.source import Source

if TYPE_CHECKING:
    from athumb_storage.storages.base import ThumbnailStorageMixin

logger = logging.getLogger("athumb_storage")

R = TypeVar("R")


class Later(Future[R]):
    """Work that the calling thread does itself, when it asks for the result."""

    def __init__(self, function: Callable[..., R], *args: Any) -> None:
        super().__init__()
        self._work = partial(function, *args)

    def result(self, timeout: float | None = None) -> R:
        if not self.done() and self.set_running_or_notify_cancel():
            try:
                self.set_result(self._work())
            except BaseException as error:  # noqa: BLE001, it is raised again below
                self.set_exception(error)
        return super().result(timeout)


def settle(jobs: Iterable[Future[Any]]) -> None:
    """Cancel what has not begun, and wait for what has."""
    for job in list(jobs):
        if not job.cancel():
            job.exception()


def orders_for(storage: ThumbnailStorageMixin, name: str, thumbs: ThumbSet) -> list[Order]:
    """What to render for an original called `name`."""
    return [Order(thumb_name, thumb, storage.thumb_format(name, thumb)) for thumb_name, thumb in thumbs.items()]


@contextmanager
def naming_the_file(name: str) -> Iterator[None]:
    """Let the errors of rendering say which file they are about."""
    try:
        yield
    except AthumbError as error:
        raise type(error)(f"{name!r}: {error}") from error


def rendered(
    storage: ThumbnailStorageMixin, name: str, source: Source, image_format: str, orders: list[Order]
) -> Iterator[Rendered]:
    """The thumbs, each as soon as it is encoded; where none is wanted, the image is read all the same."""
    with naming_the_file(name), source.open() as reader:
        if orders:
            yield from render(reader, image_format, orders, storage.limits)
        else:
            check(reader, image_format, storage.limits)


class KeyTaken(Exception):
    """Something is stored at the key of a thumb that this upload did not put there."""


class Thumbs:
    """The thumbs of one original, on their way to the storage.

    Args:
        storage: where they go.
        claiming: whether a key that is taken is left alone, and the upload fails with `KeyTaken`.
    """

    def __init__(self, storage: ThumbnailStorageMixin, *, claiming: bool = False) -> None:
        self._storage = storage
        self._claiming = claiming
        self._store = storage._claim_thumb if claiming else storage._store_thumb
        self.keys: dict[str, str] = {}
        self._jobs: list[tuple[str, Future[None]]] = []

    def send(self, name: str, thumb: Rendered) -> None:
        """Begin to store one thumb of the original that is stored as `name`."""
        key = self._storage._key(name, thumb.order.thumb_name, thumb.order.thumb)
        self.keys[thumb.order.thumb_name] = key
        content_type = MIME_TYPES[thumb.order.format]
        self._jobs.append((key, self._storage._submit(self._store, key, thumb.data, content_type)))

    def finish(self) -> None:
        """Wait until all are stored."""
        for _, job in self._jobs:
            job.result()

    def stop(self) -> list[str]:
        """Wait until none is on its way any more; the keys of those that may be stored.

        What is at a key that could not be claimed is somebody else's.
        """
        settle(job for _, job in self._jobs)
        begun = [(key, job) for key, job in self._jobs if not job.cancelled()]
        return [key for key, job in begun if not (self._claiming and job.exception())]

    def doubtful(self) -> list[str]:
        """The keys of which nobody knows whether a thumb is stored there; to be asked after `stop()`."""
        return doubtful(job for _, job in self._jobs)


class Upload:
    """One save of an image.

    The original goes up while the thumbs are rendered. Its name must be final before a thumb goes up, because the
    thumbs' keys follow from it: another upload may take the name first.
    """

    def __init__(self, storage: ThumbnailStorageMixin, name: str, source: Source, image_format: str) -> None:
        self._storage = storage
        self._name = name
        self._source = source
        self._format = image_format
        self._thumbs = Thumbs(storage, claiming=storage._claims_thumbs())
        # What an original replaces is lost, so there it waits until the image has proved to be good.
        begin = Later if storage._replaces() else storage._submit
        self._content_type = MIME_TYPES[image_format]
        self._original: Future[str] = begin(storage._store_original, name, source, self._content_type)

    @property
    def thumb_keys(self) -> list[str]:
        """Where the thumbs are stored, once all is."""
        return list(self._thumbs.keys.values())

    def run(self) -> str:
        """The final name, once all is stored.

        Raises:
            UploadedImageIsUnreadableError, RenderingError: the thumbs cannot be rendered.
            KeyTaken: the key of a thumb is taken, so another name is needed.
            UploadFailed: something could not be stored.
        """
        try:
            return self._stored()
        except KeyTaken:
            self._undo()
            raise
        except AthumbError as error:
            error.left_behind = self._undo()
            raise
        except SuspiciousOperation:
            self._undo()
            raise
        except Exception as error:
            raise UploadFailed(self._name, error, self._undo()) from error
        except BaseException:
            self._undo()
            raise

    def _stored(self) -> str:
        try:
            name = self._store()
        except Exception as error:
            if self._storage.on_error == "raise" or isinstance(error, SuspiciousOperation | KeyTaken):
                raise
            name = self._without_thumbs(error)
        if self._storage._replaces():
            remove_stale_thumbs(self._storage, name, self._thumbs.keys.values())
        return name

    def _without_thumbs(self, error: Exception) -> str:
        """Keep the original alone; its final name."""
        # What is replaced keeps its name.
        wants_mark = self._storage._placeholder_url is not None and not self._storage._replaces()
        name = self._stored_with_mark() if wants_mark else self._original.result()
        removed_again(self._storage, self._name, self._thumbs.stop())
        self._thumbs = Thumbs(self._storage)
        logger.error("%r is stored without its thumbs: %s", name, error)
        thumbs_failed.send_robust(type(self._storage), storage=self._storage, name=name, error=error)
        return name

    def _stored_with_mark(self) -> str:
        """Store the original under the name by which its URLs are told to be the placeholder's."""
        without_mark = [] if self._original.cancel() else [self._original.result()]
        self._original = self._storage._submit(
            self._storage._store_marked, self._name, self._source, self._content_type
        )
        try:
            return self._original.result()
        finally:
            removed_again(self._storage, self._name, without_mark)

    def _store(self) -> str:
        orders = orders_for(self._storage, self._name, self._storage.thumbs)
        ready: list[Rendered] = []
        for thumb in self._rendered(orders):
            ready.append(thumb)
            if self._storage._name_is_final() or self._original.done():
                self._send(ready)
        final = self._name if self._storage._name_is_final() else self._original.result()
        wanted = orders_for(self._storage, final, self._storage.thumbs)
        if wanted != orders:  # the storage gave it another extension
            ready = list(self._rendered(wanted))
        self._send(ready)
        self._thumbs.finish()
        return self._original.result()

    def _rendered(self, orders: list[Order]) -> Iterator[Rendered]:
        return rendered(self._storage, self._name, self._source, self._format, orders)

    def _send(self, ready: list[Rendered]) -> None:
        name = self._name if self._storage._name_is_final() else self._original.result()
        while ready:
            self._thumbs.send(name, ready.pop(0))

    def _undo(self) -> tuple[str, ...]:
        """Remove again what this upload stored; the keys that could not be removed, or may be there."""
        keys = self._thumbs.stop()
        settle([self._original])
        if not self._original.cancelled() and not self._original.exception():
            keys.append(self._original.result())
        unknown = [*doubtful([self._original]), *self._thumbs.doubtful()]
        report_doubtful(self._name, unknown)
        return (*self._left(keys), *unknown)

    def _left(self, keys: list[str]) -> list[str]:
        if keys and self._storage._replaces():
            logger.error("A failed upload of %r may have replaced: %s", self._name, ", ".join(keys))
            return keys
        return removed_again(self._storage, self._name, keys)


class MaybeStored(Exception):
    """No answer came to the storing of `name`, and nobody could be asked whether it is there."""

    def __init__(self, name: str, reason: object) -> None:
        super().__init__(str(reason))
        self.name = name


def doubtful(jobs: Iterable[Future[Any]]) -> list[str]:
    """The names of which nobody knows whether they are stored, of jobs that are done."""
    errors = [job.exception() for job in jobs if not job.cancelled()]
    return [error.name for error in errors if isinstance(error, MaybeStored)]


def report_doubtful(name: str, keys: Iterable[str]) -> None:
    """Log what a failed upload of `name` may have left behind."""
    for key in keys:
        logger.error("May be left behind by a failed upload of %r, nobody could be asked: %s", name, key)


def removed_again(storage: ThumbnailStorageMixin, name: str, keys: list[str]) -> list[str]:
    """Remove what a failed upload of `name` stored; the keys that could not be removed."""
    if not keys:
        return []
    try:
        storage._remove(keys)
    except Exception:
        if len(keys) > 1:  # one that cannot be removed must not keep the others
            return [left for key in keys for left in removed_again(storage, name, [key])]
        logger.exception("Left behind by a failed upload of %r: %s", name, keys[0])
        return keys
    return []


def remove_stale_thumbs(storage: ThumbnailStorageMixin, name: str, fresh: Collection[str]) -> None:
    """Remove the thumbs of an original that was replaced, but for those that are `fresh`.

    The new original is stored, whatever comes of this; so a failure is logged and not raised.
    """
    try:
        stale = [key for key in storage._stored_thumbs(name) if key not in fresh]
        if stale:
            storage._remove(stale)
    except Exception:
        logger.exception("Thumbs of the replaced %r may be left behind.", name)


class Saved(list[tuple[Any, list[str]]]):
    """What is saved while somebody may want to take it back: storages, with an original's name and its thumb keys."""

    enclosing: Saved | None = None


saved_names: ContextVar[Saved | None] = ContextVar("saved_names", default=None)
"""Where to note what is saved (see `transactions`)."""


def remember(storage: ThumbnailStorageMixin, name: str, thumb_keys: Iterable[str]) -> None:
    """Note what was saved, if somebody asked for that. What replaced a file cannot be taken back."""
    saved = saved_names.get()
    if saved is not None and not storage._replaces():
        saved.append((storage, [name, *thumb_keys]))


def forget(storage: ThumbnailStorageMixin, name: str) -> None:
    """Note that an original was deleted: what is saved under its name from now on is somebody else's."""
    saved = saved_names.get()
    while saved is not None:
        saved[:] = [(one, keys) for one, keys in saved if one.unbound is not storage.unbound or keys[0] != name]
        saved = saved.enclosing
