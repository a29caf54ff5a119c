"""Tables for models that exist in the measurements alone."""

from __future__ import annotations

from django.db import connection, models


def create_table(model: type[models.Model]) -> None:
    with connection.schema_editor() as editor:
        editor.create_model(model)
