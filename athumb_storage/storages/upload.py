"""One upload on its way: the original and its thumbs are all stored, or nothing is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import SuspiciousOperation

from athumb_storage.exceptions import AthumbError, UploadFailed
from athumb_storage.formats import MIME_TYPES
from athumb_storage.rendering import Order, Rendered, render
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


def rendered(name: str, source: Source, image_format: str, orders: list[Order]) -> Iterator[Rendered]:
    """The thumbs, each as soon as it is encoded; errors name the file."""
    if not orders:
        return
    with source.open() as reader:
        try:
            yield from render(reader, image_format, orders)
        except AthumbError as error:
            raise type(error)(f"{name!r}: {error}") from error


class Thumbs:
    """The thumbs of one original, on their way to the storage."""

    def __init__(self, storage: ThumbnailStorageMixin) -> None:
        self._storage = storage
        self.keys: dict[str, str] = {}
        self._jobs: list[Future[None]] = []

    def send(self, name: str, thumb: Rendered) -> None:
        """Begin to store one thumb of the original that is stored as `name`."""
        key = self._storage._key(name, thumb.order.thumb_name, thumb.order.thumb)
        self.keys[thumb.order.thumb_name] = key
        content_type = MIME_TYPES[thumb.order.format]
        self._jobs.append(self._storage._submit(self._storage._store_thumb, key, thumb.data, content_type))

    def finish(self) -> None:
        """Wait until all are stored."""
        for job in self._jobs:
            job.result()

    def stop(self) -> None:
        """Wait until none is on its way any more."""
        settle(self._jobs)


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
        self._thumbs = Thumbs(storage)
        # What an original replaces is lost, so there it waits until the image has proved to be good.
        begin = Later if storage._replaces() else storage._submit
        self._original: Future[str] = begin(storage._store_original, name, source, MIME_TYPES[image_format])

    def run(self) -> str:
        """The final name, once all is stored.

        Raises:
            UploadedImageIsUnreadableError, RenderingError: the thumbs cannot be rendered.
            UploadFailed: something could not be stored.
        """
        try:
            return self._store()
        except (AthumbError, SuspiciousOperation):
            self._undo()
            raise
        except Exception as error:
            raise UploadFailed(self._name, error, self._undo()) from error
        except BaseException:
            self._undo()
            raise

    def _store(self) -> str:
        orders = orders_for(self._storage, self._name, self._storage.thumbs)
        ready: list[Rendered] = []
        for thumb in rendered(self._name, self._source, self._format, orders):
            ready.append(thumb)
            if self._storage._name_is_final() or self._original.done():
                self._send(ready)
        final = self._name if self._storage._name_is_final() else self._original.result()
        wanted = orders_for(self._storage, final, self._storage.thumbs)
        if wanted != orders:  # the storage gave it another extension
            ready = list(rendered(self._name, self._source, self._format, wanted))
        self._send(ready)
        self._thumbs.finish()
        return self._original.result()

    def _send(self, ready: list[Rendered]) -> None:
        name = self._name if self._storage._name_is_final() else self._original.result()
        while ready:
            self._thumbs.send(name, ready.pop(0))

    def _undo(self) -> list[str]:
        """Remove again what this upload stored; the keys that could not be removed."""
        self._thumbs.stop()
        settle([self._original])
        keys = list(self._thumbs.keys.values())
        if not self._original.cancelled() and not self._original.exception():
            keys.append(self._original.result())
        if not keys:
            return []
        if self._storage._replaces():
            logger.error("A failed upload of %r may have replaced: %s", self._name, ", ".join(keys))
            return keys
        return self._removed_again(keys)

    def _removed_again(self, keys: list[str]) -> list[str]:
        """Remove these keys; those that could not be."""
        try:
            self._storage._remove(keys)
        except Exception:
            if len(keys) > 1:  # one that cannot be removed must not keep the others
                return [left for key in keys for left in self._removed_again([key])]
            logger.exception("Left behind by a failed upload of %r: %s", self._name, keys[0])
            return keys
        return []
