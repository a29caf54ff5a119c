"""The system checks: each id, what it says, and that a project in order passes them all."""

from __future__ import annotations

import io
from contextlib import contextmanager

import pytest
from botocore.config import Config
from django.core.checks import run_checks
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import models
from django.test.utils import isolate_apps
from PIL import features

from athumb_storage import checks
from athumb_storage.fields import ImageWithThumbsField
from athumb_storage.rendering import can_write
from athumb_storage.storages import InMemoryThumbnailStorage
from tests.conftest import stored
from tests.shop.models import Product


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
    assert set(messages) == {"shop.Product.image", "shop.Document.manual", "shop.Portrait.image", "gallery.Photo.image"}
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


# Before a deployment: whether servers do what storages rely on


@pytest.fixture
def on_s3(settings, s3_options):
    """Makes S3 the default storage, with these options."""

    def put(**options):
        backend = {
            "BACKEND": "athumb_storage.storages.S3ThumbnailStorage",
            "OPTIONS": {**s3_options, **options},
        }
        settings.STORAGES = {**settings.STORAGES, "default": backend}

    return put


NO_RETRIES = Config(retries={"total_max_attempts": 1})


def found_before_deploying():
    messages = run_checks(tags=["athumb_storage"], include_deployment_checks=True)
    return {message.id.partition(".")[2]: message for message in messages}


@contextmanager
def deaf_to_conditions(storage):
    """The server stores, whatever the condition."""

    def drop(params, **_):
        return {name: value for name, value in params.items() if name != "IfNoneMatch"}

    events = storage.client.meta.events
    events.register("provide-client-params.s3.PutObject", drop)
    try:
        yield
    finally:
        events.unregister("provide-client-params.s3.PutObject", drop)


def test_names_are_claimed_and_the_server_honours_it(on_s3, make_s3, requests_sent):
    on_s3(conditional_writes=True)
    assert found_before_deploying() == {}
    assert sorted(method for method, _ in requests_sent) == ["POST", "PUT", "PUT"]
    assert stored(make_s3()) == []


@pytest.mark.parametrize("conditional_writes", [False, None])
def test_w001_the_server_could_do_more(on_s3, make_s3, s3_options, conditional_writes):
    on_s3(conditional_writes=conditional_writes)
    (message,) = found_before_deploying().values()
    assert message.id == "athumb_storage.W001"
    assert not message.is_serious()
    assert s3_options["bucket_name"] in message.msg
    assert "conditional_writes=True" in message.hint
    assert stored(make_s3()) == []


def test_e004_the_server_does_not_honour_it(on_s3, make_s3, s3_options):
    on_s3(conditional_writes=True)
    with deaf_to_conditions(default_storage):
        (message,) = found_before_deploying().values()
    assert message.id == "athumb_storage.E004"
    assert message.is_serious()
    assert s3_options["bucket_name"] in message.msg
    assert "conditional_writes=False" in message.hint
    assert stored(make_s3()) == []


def test_nothing_is_claimed_and_the_server_would_not_honour_it(on_s3, make_s3):
    on_s3(conditional_writes=False)
    with deaf_to_conditions(default_storage):
        assert found_before_deploying() == {}
    assert stored(make_s3()) == []


@pytest.mark.parametrize(
    "options",
    [{"endpoint_url": "http://127.0.0.1:9", "client_config": NO_RETRIES}, {"secret_key": "a guessed secret"}],
    ids=["nobody there", "wrong key"],
)
@pytest.mark.parametrize("conditional_writes", [True, False])
def test_w002_nobody_can_tell(on_s3, make_s3, options, conditional_writes):
    on_s3(conditional_writes=conditional_writes, **options)
    (message,) = found_before_deploying().values()
    assert message.id == "athumb_storage.W002"
    assert not message.is_serious()
    assert make_s3().bucket_name in message.msg
    assert "a guessed secret" not in str(message)
    assert stored(make_s3()) == []


@pytest.mark.parametrize("options", [{}, {"unique_names": True}, {"file_overwrite": True}], ids=str)
def test_e005_no_bucket(on_s3, requests_sent, options):
    on_s3(bucket_name=None, **options)
    (message,) = found_before_deploying().values()
    assert message.id == "athumb_storage.E005"
    assert message.is_serious()
    assert message.msg == "S3ThumbnailStorage has no bucket."
    assert message.hint == "Set the storage's option bucket_name, or the setting AWS_STORAGE_BUCKET_NAME."
    assert requests_sent == []


@pytest.mark.parametrize("option", ["unique_names", "file_overwrite"])
def test_where_no_name_is_claimed_nothing_is_tried(on_s3, requests_sent, option):
    on_s3(**{option: True})
    assert found_before_deploying() == {}
    assert requests_sent == []


def test_the_storage_of_a_field_is_tried_too_and_each_once(make_s3, monkeypatch, requests_sent):
    storage = make_s3(conditional_writes=False)
    monkeypatch.setattr(Product._meta.get_field("image"), "_given", storage)
    assert list(found_before_deploying()) == ["W001"]
    assert sum(method == "POST" for method, _ in requests_sent) == 1


def test_a_storage_without_s3_is_not_tried():
    assert found_before_deploying() == {}


def test_nothing_is_sent_unless_it_is_for_a_deployment(on_s3, requests_sent):
    on_s3(conditional_writes=False)
    assert [message.id for message in run_checks() if message.id.startswith("athumb_storage.")] == []
    call_command("check", stdout=io.StringIO())
    assert requests_sent == []


def test_as_a_command(on_s3):
    on_s3(conditional_writes=True)
    with deaf_to_conditions(default_storage), pytest.raises(CommandError, match=r"athumb_storage\.E004"):
        call_command("check", deploy=True, tags=["athumb_storage"])
    call_command("check", deploy=True, tags=["athumb_storage"], stdout=io.StringIO())


def test_a_check_that_was_broken_off_leaves_nothing(on_s3, make_s3):
    """The answer to the second write is no refusal, but an error."""
    on_s3(conditional_writes=True)
    asked = []

    def fails(params, **_):
        asked.append(params)
        if "IfNoneMatch" in params:
            raise ConnectionError("the network is down")

    events = default_storage.client.meta.events
    events.register("provide-client-params.s3.PutObject", fails)
    try:
        assert list(found_before_deploying()) == ["W002"]
    finally:
        events.unregister("provide-client-params.s3.PutObject", fails)
    assert len(asked) == 2
    assert stored(make_s3()) == []


@isolate_apps("tests.shop")
def test_e006_and_e007_a_column_and_a_processor_that_are_not_there():
    class Thing(models.Model):
        image = ImageWithThumbsField(
            storage=InMemoryThumbnailStorage(),
            focal_field="focus",
            thumbs={"t": {"size": (9, 9), "processors": ("athumb_storage.processors.sharpen", "no.such")}},
        )

        class Meta:
            app_label = "shop"

    column, processor = checks._check_field(Thing._meta.get_field("image"))
    assert (column.id, processor.id) == ("athumb_storage.E006", "athumb_storage.E007")
    assert "'focus'" in column.msg
    assert "'t' has the processor no.such" in processor.msg
