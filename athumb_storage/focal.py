"""Focal points: the column of a model that says what focal crops of a file have in their middle."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import models, transaction
from django.db.models.signals import class_prepared, post_init, post_save
from django.dispatch import Signal

from athumb_storage.exceptions import InvalidFocalPoint
from athumb_storage.geometry import Point, parse_point
from athumb_storage.signals import thumbs_failed
from athumb_storage.storages.journal import is_of_storing

logger = logging.getLogger("athumb_storage")


class FocalColumn:
    """Where the focal points of a file field stand, and what follows from a change of one.

    Args:
        field: the file field.
        name: the name of the field that has the points, as text such as "0.30,0.20"; empty is the middle.
    """

    def __init__(self, field: Any, name: str) -> None:
        self.name = name
        self._field = field
        # What is kept with a row: for which name and point its crops are made, whether that was done by an upload, and
        # what was saved last.
        self._memory, self._is_made, self._saved = (
            f"_focal_of_{field.name}{what}" for what in ("", "_is_made", "_saved")
        )

    def connect(self) -> None:
        """Follow the rows of the field's model."""
        for signal, receiver in ((post_init, self._remember), (post_save, self._follow)):
            signal.connect(receiver, sender=self._field.model)
            connect_to_derived(signal, receiver, self._field.model)

    def of(self, instance: models.Model) -> Point | None:
        """The focal point of a row; None where there is none, or it is not loaded.

        Raises:
            InvalidFocalPoint: it is no point.
        """
        return self.parse(instance.__dict__.get(self.name))

    def parse(self, text: object) -> Point | None:
        """The point that this value of the column stands for; None if it is empty.

        Raises:
            InvalidFocalPoint: it is no point.
        """
        try:
            return parse_point(str(text)) if text else None
        except ValueError as error:
            raise InvalidFocalPoint(f"{self._field.model._meta.label}.{self.name}: {error}") from error

    def made(self, instance: models.Model) -> None:
        """Note that the crops of a row's file have just been made for its point, whatever there was before."""
        instance.__dict__[self._memory] = self._now(instance)
        instance.__dict__[self._is_made] = True

    def _now(self, instance: models.Model) -> tuple[Any, Any] | None:
        """The name of a row's file, and its point as text; None where they are not loaded."""
        values = instance.__dict__
        if self._field.attname not in values or self.name not in values:
            return None
        return str(values[self._field.attname] or ""), str(values[self.name] or "")

    def _remember(self, instance: models.Model, **_: Any) -> None:
        instance.__dict__[self._memory] = self._now(instance)

    def _follow(
        self,
        instance: models.Model,
        created: bool,
        using: str,
        raw: bool = False,
        update_fields: Any = None,
        **_: Any,
    ) -> None:
        now = self._now(instance)
        is_left_out = update_fields is not None and not {self.name, self._field.name} & set(update_fields)
        if raw or is_left_out or now is None:
            return
        state = instance.__dict__
        is_made = state.pop(self._is_made, False)
        if created and not is_made:
            # A new row has no point before, but for the middle.
            state[self._memory] = None if now[1] else now
        state[self._saved] = now
        if now[0] and now != state.get(self._memory):
            transaction.on_commit(partial(self._committed, instance), using=using)

    def _committed(self, instance: models.Model) -> None:
        # It may have been saved several times, and back to what it was.
        saved = instance.__dict__[self._saved]
        if saved != instance.__dict__.get(self._memory):
            instance.__dict__[self._memory] = saved
            self._make_again(*saved)

    def _make_again(self, name: str, text: str) -> None:
        storage = self._field.storage
        thumbs = getattr(storage, "thumbs", {})
        crops = [thumb_name for thumb_name, thumb in thumbs.items() if thumb.crop == "focal"]
        if not crops:
            return
        try:
            storage.generate_thumbs(name, crops, self.parse(text))
        except Exception as error:
            if not is_of_storing(storage, error):
                raise
            logger.exception("The focal crops of %r could not be made again.", name)
            thumbs_failed.send_robust(type(storage), storage=storage, name=name, error=error)


def parse_field_name(name: object) -> str:
    """
    Raises:
        ValueError: no field can have this name.
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"{name!r} is no name of a field")
    return name


def connect_to_derived(signal: Signal, receiver: Callable[..., Any], model: type[models.Model]) -> None:
    """Connect a receiver to all models that derive from this one: proxies, too, send signals of their own."""

    def connect(sender: type[models.Model], **_: Any) -> None:
        if issubclass(sender, model) and sender is not model:
            signal.connect(receiver, sender=sender)

    class_prepared.connect(connect, weak=False)
