"""What a run is about, as the code here has it: a model, its file field, and a thumb set."""

from __future__ import annotations

from dataclasses import dataclass

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import models

from athumb_storage.distributed.models import Run
from athumb_storage.regeneration import fingerprint


@dataclass(frozen=True)
class Target:
    """A model and its file field, which may be that of a parent."""

    model: type[models.Model]
    field: models.FileField

    @classmethod
    def of(cls, run: Run) -> Target | None:
        """What the run is about; None if the code here does not have it, or not as it was when the run was started."""
        try:
            model = apps.get_model(run.model)
            field = model._meta.get_field(run.field)
        except (LookupError, FieldDoesNotExist):
            return None
        if not isinstance(field, models.FileField):
            return None
        target = cls(model, field)
        return target if fingerprint(field) == run.fingerprint else None
