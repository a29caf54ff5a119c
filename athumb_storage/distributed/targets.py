"""What a run is about, as the code here has it: a model, its file field, and a thumb set."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import models

from athumb_storage.distributed.models import Run


@dataclass(frozen=True)
class Target:
    """A model and its file field, which may be that of a parent."""

    model: type[models.Model]
    field: models.FileField

    @property
    def fingerprint(self) -> str:
        """Others when the code has another thumb set or naming, or none."""
        storage: Any = self.field.storage
        naming = type(getattr(storage, "naming", None))
        thumbs = getattr(storage, "thumbs", {})
        said = [naming.__module__, naming.__qualname__, *((name, thumb.fingerprint) for name, thumb in thumbs.items())]
        return sha256(json.dumps(said).encode()).hexdigest()

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
        return target if target.fingerprint == run.fingerprint else None
