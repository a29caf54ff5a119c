"""What a data migration stores gets the thumbs that the code has now for the field."""

from __future__ import annotations

import logging

import pytest
from django.apps import apps
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import models
from django.db.migrations.state import ModelState, ProjectState

from athumb_storage import UploadedImageIsUnreadableError
from athumb_storage.fields import ImageWithThumbsField
from athumb_storage.storages import InMemoryThumbnailStorage
from tests.conftest import draw, image_in, stored
from tests.shop.models import Document, Product

MEMORY = {"BACKEND": "athumb_storage.storages.InMemoryThumbnailStorage"}


@pytest.fixture(autouse=True)
def memory(settings):
    settings.STORAGES = {**settings.STORAGES, "default": MEMORY}


@pytest.fixture
def historical():
    """The models as a migration sees them."""
    return ProjectState.from_apps(apps).apps


@pytest.mark.django_db
def test_an_image_gets_all_thumbs_of_the_field(historical):
    row = historical.get_model("shop", "Product")()
    assert type(row) is not Product
    row.image.save("cat.jpg", ContentFile(draw((300, 200))))
    now = Product.objects.get(pk=row.pk)
    thumbs = Product._meta.get_field("image").thumbs
    keys = [now.image.storage.thumb_key(now.image.name, thumb) for thumb in thumbs]
    assert len(keys) == 3
    assert stored(default_storage) == sorted([now.image.name, *keys])
    assert image_in(default_storage, keys[0]).size == (50, 50)
    assert row.image.url_for_thumb("large") == now.image.url_for_thumb("large")


@pytest.mark.django_db
def test_the_options_of_the_field_count_too(historical):
    row = historical.get_model("shop", "Document")()
    row.manual.save("cat.jpg", ContentFile(draw((300, 200))))
    now = Document.objects.get(pk=row.pk)
    key = now.manual.storage.thumb_key(now.manual.name, "page")
    assert key.endswith(".png")
    assert stored(default_storage) == sorted([now.manual.name, key])


@pytest.mark.django_db
def test_what_is_no_image_is_refused_as_in_the_code(historical):
    with pytest.raises(UploadedImageIsUnreadableError):
        historical.get_model("shop", "Product")().image.save("cat.jpg", ContentFile(b"no image"))
    assert stored(default_storage) == []


def test_a_field_that_the_code_has_no_more_is_told(caplog):
    storage = InMemoryThumbnailStorage(thumbs={"own": {"size": (9, 9)}})
    state = ProjectState()
    fields = [
        ("id", models.AutoField(primary_key=True)),
        ("photo", ImageWithThumbsField(storage=storage, thumbs={"a": {"size": (5, 5)}})),
    ]
    state.add_model(ModelState("shop", "Product", fields))
    row = state.apps.get_model("shop", "Product")()
    with caplog.at_level(logging.WARNING, "athumb_storage"):
        row.photo.save("cat.jpg", ContentFile(draw()), save=False)
    assert stored(storage) == ["cat.jpg", "cat.jpg.thumbs/own.jpg"]
    assert "shop.Product.photo is no field with thumbs any more" in caplog.text
