"""The system checks: each id, what it says, and that a project in order passes them all."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks
from PIL import features

from athumb_storage.rendering import can_write


def found(check_id):
    return [message for message in run_checks() if message.id == f"athumb_storage.{check_id}"]


def test_a_project_in_order():
    assert [message for message in run_checks() if message.id.startswith("athumb_storage.")] == []


def test_e001_a_storage_that_cannot_make_thumbs(settings):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    }
    messages = {str(message.obj): message for message in found("E001")}
    assert set(messages) == {"shop.Product.image", "shop.Document.manual", "gallery.Photo.image"}
    message = messages["shop.Product.image"]
    assert message.is_serious()
    assert message.msg == "The field has thumbs, but its storage InMemoryStorage cannot make them."
    assert message.hint == "Use a storage of athumb_storage.storages, or give yours the ThumbnailStorageMixin."


def test_e002_wrong_project_wide_thumbs(settings):
    settings.ATHUMB_THUMBS = {"small": {"size": (20, 0)}}
    (message,) = found("E002")
    assert message.is_serious()
    assert message.msg.startswith("ATHUMB_THUMBS: thumb 'small': option 'size': (20, 0)")
    assert message.hint == "It is written like the thumbs of a field."


@pytest.mark.parametrize("thumbs", [None, {}, {"small": {"size": (20, 20)}}, [("small", {"size": (20, 20)})]])
def test_e002_is_silent_where_they_are_right(settings, thumbs):
    settings.ATHUMB_THUMBS = thumbs
    assert found("E002") == []


@pytest.fixture
def pillow_without_webp(monkeypatch):
    check = features.check
    monkeypatch.setattr(features, "check", lambda feature: feature != "webp" and check(feature))
    can_write.cache_clear()
    yield
    can_write.cache_clear()


@pytest.mark.usefixtures("pillow_without_webp")
def test_e003_a_format_that_pillow_cannot_write():
    messages = {str(message.obj): message for message in found("E003")}
    assert set(messages) == {"shop.Product.image", "gallery.Photo.image"}
    message = messages["shop.Product.image"]
    assert message.is_serious()
    assert message.msg == "Thumb 'large' is to be written as WEBP, which the installed Pillow cannot do."
    assert message.hint == "Install a Pillow that can, such as the wheels on PyPI, or choose another format."
