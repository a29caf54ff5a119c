"""`on_error="skip"`: the original is kept whatever becomes of its thumbs, and everybody is told."""

from __future__ import annotations

import copy
import pickle
from contextlib import contextmanager, suppress

import pytest
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation, SuspiciousOperation
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models
from django.template import Context, Template
from django.test.utils import isolate_apps

from athumb_storage import (
    ImageLimitExceeded,
    RenderingError,
    UnknownThumb,
    UploadedImageIsUnreadableError,
    UploadFailed,
)
from athumb_storage.fields import FileWithThumbsField, ImageWithThumbsField
from athumb_storage.naming import is_marked
from athumb_storage.rendering import encoding
from athumb_storage.signals import thumbs_failed
from tests.conftest import content_of, draw, noise, stored, upload
from tests.unit.storages.test_mixin import ThumbShelf

THUMBS = {"small": {"size": (30, 30)}, "web": {"size": (40, 40), "format": "WEBP"}}
PLACEHOLDER = "/static/no-thumb.png"
GOOD = draw((300, 200))
CUT_OFF = noise()[:30_000]


REFUSED = {
    "cut off": (CUT_OFF, {}, UploadedImageIsUnreadableError),
    "too many pixels": (GOOD, {"max_pixels": 300 * 200 - 1}, ImageLimitExceeded),
    "too many bytes": (GOOD, {"max_bytes": len(GOOD) - 1}, ImageLimitExceeded),
    "too slow": (GOOD, {"time_budget": 1e-9}, ImageLimitExceeded),
}
"""What makes the thumbs of an image fail: its bytes, the storage's options, and the error."""

every_reason = pytest.mark.parametrize(("data", "options", "error"), REFUSED.values(), ids=REFUSED)


@pytest.fixture
def heard():
    """What is told by the signal: (sender, storage, name, error)."""
    told = []

    def listen(sender, storage, name, error, **_):
        told.append((sender, storage, name, error))

    thumbs_failed.connect(listen)
    yield told
    thumbs_failed.disconnect(listen)


def errors_in(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "athumb_storage"]


def breaks_a_thumb(storage, end=".webp"):
    """One of the thumbs cannot be stored."""
    write = type(storage)._write_thumb

    def fails_once(key, *args, **options):
        if key.endswith(end):
            raise OSError("the disk is full")
        return write(storage, key, *args, **options)

    storage.__dict__["_write_thumb"] = fails_once


def is_kept_alone(storage, name, data):
    return stored(storage) == [name] and content_of(storage, name) == data


# Skipping


@every_reason
def test_without_the_option_such_an_image_is_refused(make_storage, heard, data, options, error):
    storage = make_storage(thumbs=THUMBS, **options)
    with pytest.raises(error):
        storage.save("cat.jpg", ContentFile(data))
    assert stored(storage) == []
    assert heard == []


@every_reason
def test_the_original_is_kept_as_it_is(make_storage, heard, caplog, data, options, error):
    storage = make_storage(thumbs=THUMBS, on_error="skip", **options)
    name = storage.save("cat.jpg", ContentFile(data))
    assert name == "cat.jpg"
    assert is_kept_alone(storage, name, data)
    ((sender, told_storage, told_name, told_error),) = heard
    assert (sender, told_name) == (type(storage), name)
    assert told_storage is storage
    assert type(told_error) is error
    assert [(record.name, record.levelname) for record in caplog.records] == [("athumb_storage", "ERROR")]
    assert "'cat.jpg'" in caplog.text
    assert str(told_error) in caplog.text


def test_a_thumb_that_cannot_be_encoded(make_storage, heard, monkeypatch):
    monkeypatch.setattr(encoding, "can_write", lambda fmt: fmt != "WEBP")
    storage = make_storage(thumbs=THUMBS, on_error="skip")
    assert is_kept_alone(storage, storage.save("cat.jpg", ContentFile(GOOD)), GOOD)
    assert [type(error) for *_, error in heard] == [RenderingError]


@pytest.mark.parametrize("end", [".webp", "small.jpg"])
def test_a_thumb_that_cannot_be_stored(make_storage, heard, caplog, end):
    """Whichever it is, the others are removed again."""
    storage = make_storage(thumbs=THUMBS, on_error="skip")
    breaks_a_thumb(storage, end)
    assert is_kept_alone(storage, storage.save("cat.jpg", ContentFile(GOOD)), GOOD)
    assert [str(error) for *_, error in heard] == ["the disk is full"]
    assert len(errors_in(caplog)) == 1


CLAIMS = {
    "conditional": {"conditional_writes": True},
    "asked": {"conditional_writes": False},
    "unique": {"unique_names": True},
    "overwrite": {"file_overwrite": True},
}
every_claim = pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)


@contextmanager
def refusing_thumbs(storage):
    """The server's answer to each thumb is an error; to the original it is not."""

    def refuse(params, **_):
        if ".thumbs/" in params["Key"]:
            raise ConnectionError("no route to host")

    storage.client.meta.events.register("provide-client-params.s3.PutObject", refuse)
    yield
    storage.client.meta.events.unregister("provide-client-params.s3.PutObject", refuse)


@every_claim
@pytest.mark.parametrize("placeholder", [None, PLACEHOLDER])
def test_the_original_is_kept_however_its_name_is_claimed(make_s3, heard, claim, placeholder):
    storage = make_s3(thumbs=THUMBS, on_error="skip", placeholder_url=placeholder, **claim)
    names = [storage.save("cat.jpg", ContentFile(data)) for data in (CUT_OFF, CUT_OFF[:-10])]
    with refusing_thumbs(storage):
        names.append(storage.save("cat.jpg", ContentFile(GOOD)))
    assert stored(storage) == sorted(set(names))
    assert [name for _, _, name, _ in heard] == names
    replaced = claim.get("file_overwrite", False)
    assert len(set(names)) == (1 if replaced else 3)
    assert content_of(storage, names[-1]) == GOOD
    marked = placeholder is not None and not replaced
    assert [is_marked(name) for name in names] == [marked] * 3
    if marked:
        assert {storage.url_for_thumb(name, "web") for name in names} == {PLACEHOLDER}


def test_an_image_whose_thumbs_succeed_is_told_of_to_nobody(make_storage, heard, caplog):
    storage = make_storage(thumbs=THUMBS, on_error="skip", placeholder_url=PLACEHOLDER)
    assert storage.save("cat.jpg", ContentFile(GOOD)) == "cat.jpg"
    assert stored(storage) == ["cat.jpg", "cat.jpg.thumbs/small.jpg", "cat.jpg.thumbs/web.webp"]
    storage.save("note.txt", ContentFile(b"no image"))
    assert heard == []
    assert caplog.records == []


def test_a_receiver_that_fails_breaks_no_upload(make_storage, heard):
    def fails(**_):
        raise RuntimeError("the receiver is broken")

    thumbs_failed.connect(fails)
    try:
        storage = make_storage(thumbs=THUMBS, on_error="skip")
        assert is_kept_alone(storage, storage.save("cat.jpg", ContentFile(CUT_OFF)), CUT_OFF)
    finally:
        thumbs_failed.disconnect(fails)
    assert len(heard) == 1


@pytest.mark.parametrize("data", [b"<html>", b"", b"GIF8"])
def test_an_image_field_that_skips_refuses_what_is_no_image(make_storage, heard, data):
    storage = make_storage(on_error="skip").with_thumbs(THUMBS, images_only=True)
    with pytest.raises(UploadedImageIsUnreadableError):
        storage.save("cat.jpg", ContentFile(data))
    assert stored(storage) == []
    assert heard == []


@pytest.mark.parametrize("placeholder", [None, PLACEHOLDER])
@pytest.mark.parametrize("data", [GOOD, CUT_OFF], ids=["good", "cut off"])
def test_an_original_that_cannot_be_stored_is_an_error(heard, caplog, placeholder, data):
    class Full(ThumbShelf):
        def _write_upload(self, *args, **options):
            raise OSError("the disk is full")

    storage = Full(thumbs=THUMBS, on_error="skip", placeholder_url=placeholder)
    with pytest.raises(UploadFailed, match="the disk is full"):
        storage.save("cat.jpg", ContentFile(data))
    assert storage.files == {}
    assert heard == []
    assert errors_in(caplog) == []


@every_claim
def test_an_original_that_cannot_be_stored_on_s3_is_an_error(make_s3, heard, claim):
    storage = make_s3(thumbs=THUMBS, on_error="skip", placeholder_url=PLACEHOLDER, **claim)

    def refuse(params, **_):
        if ".thumbs/" not in params["Key"]:
            raise ConnectionError("no route to host")

    event = "provide-client-params.s3.PutObject"
    storage.client.meta.events.register(event, refuse)
    try:
        for data in (GOOD, CUT_OFF):
            with pytest.raises(UploadFailed, match=r"cat\w*\.jpg.*no route to host"):
                storage.save("cat.jpg", ContentFile(data))
    finally:
        storage.client.meta.events.unregister(event, refuse)
    assert stored(storage) == []
    assert heard == []


def test_a_key_outside_of_the_storage_is_refused_where_failures_are_skipped(make_s3, heard):
    class Outside:
        def key(self, name, variant):
            return f"../outside/{variant.thumb_name}.{variant.extension}"

        def prefix(self, name):
            return None

        def original(self, key):
            return None

    storage = make_s3(thumbs=THUMBS, on_error="skip", naming=Outside(), location="media")
    with pytest.raises(SuspiciousOperation):
        storage.save("cat.jpg", ContentFile(GOOD))
    assert stored(make_s3()) == []
    assert heard == []


def test_the_thumbs_of_a_namesake_stay(make_storage):
    storage = make_storage(thumbs=THUMBS, on_error="skip")
    storage.save("cat.jpg", ContentFile(GOOD))
    before = stored(storage)
    other = storage.save("cat.jpg", ContentFile(CUT_OFF))
    assert stored(storage) == sorted([*before, other])


def test_thumbs_that_were_skipped_can_be_generated_later(make_storage):
    storage = make_storage(thumbs=THUMBS, on_error="skip")
    breaks_a_thumb(storage)
    name = storage.save("cat.jpg", ContentFile(GOOD))
    assert is_kept_alone(storage, name, GOOD)
    del storage.__dict__["_write_thumb"]
    storage.generate_thumbs(name)
    assert stored(storage) == ["cat.jpg", "cat.jpg.thumbs/small.jpg", "cat.jpg.thumbs/web.webp"]


def test_delete_needs_no_thumbs(make_storage):
    for placeholder in (None, PLACEHOLDER):
        storage = make_storage(thumbs=THUMBS, on_error="skip", placeholder_url=placeholder)
        storage.delete(storage.save("photos/cat.jpg", ContentFile(CUT_OFF)))
        assert stored(storage) == []


def test_an_image_without_thumbs_to_make_is_read(make_storage, heard):
    storage = make_storage(thumbs={}, on_error="skip").with_thumbs({}, images_only=True)
    assert is_kept_alone(storage, storage.save("cat.jpg", ContentFile(CUT_OFF)), CUT_OFF)
    assert len(heard) == 1


# Where it is said


@pytest.mark.parametrize(
    ("of_storage", "of_binding", "skips"),
    [
        ("raise", None, False),
        ("skip", None, True),
        ("raise", "skip", True),
        ("skip", "raise", False),
        ("skip", "skip", True),
    ],
)
def test_the_binding_has_the_last_word(make_storage, of_storage, of_binding, skips):
    storage = make_storage(on_error=of_storage).with_thumbs(THUMBS, on_error=of_binding)
    assert storage.on_error == ("skip" if skips else "raise")
    if skips:
        assert storage.save("cat.jpg", ContentFile(CUT_OFF)) == "cat.jpg"
    else:
        with pytest.raises(UploadedImageIsUnreadableError):
            storage.save("cat.jpg", ContentFile(CUT_OFF))


def test_failures_raise_unless_it_is_said(make_storage):
    assert make_storage().on_error == "raise"
    assert make_storage().with_thumbs(THUMBS).on_error == "raise"


@pytest.mark.parametrize("option", ["ignore", "", None, True, "SKIP"])
def test_a_wrong_option_is_told(make_storage, option):
    with pytest.raises(ImproperlyConfigured, match=r"ThumbnailStorage: option 'on_error': .*raise, skip"):
        make_storage(on_error=option)


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda storage: pickle.loads(pickle.dumps(storage))],
    ids=["copy", "deep", "pickle"],
)
def test_a_copy_of_a_bound_storage_skips(make_storage, again, settings, s3_options):
    settings.AWS_S3_ACCESS_KEY_ID = s3_options["access_key"]  # which no pickle holds
    settings.AWS_S3_SECRET_ACCESS_KEY = s3_options["secret_key"]
    storage = make_storage(placeholder_url=PLACEHOLDER).with_thumbs(THUMBS, on_error="skip")
    assert again(storage).save("cat.jpg", ContentFile(CUT_OFF)) == "cat.nothumbs.jpg"


@pytest.fixture
def model(make_storage):
    """A model with fields that skip, on a storage that does not."""
    storage = make_storage(placeholder_url=PLACEHOLDER)
    with isolate_apps("tests.shop"):

        class Thing(models.Model):
            image = ImageWithThumbsField(storage=storage, upload_to="up", thumbs=THUMBS, on_error="skip")
            file = FileWithThumbsField(storage=storage, upload_to="up", thumbs=THUMBS)

            class Meta:
                app_label = "shop"

        yield Thing


def test_a_field_skips_and_shows_the_placeholder(model, heard):
    thing = model()
    thing.image.save("cat.jpg", SimpleUploadedFile("cat.jpg", CUT_OFF), save=False)
    assert thing.image.name == "up/cat.nothumbs.jpg"
    assert thing.image.url_for_thumb("web") == PLACEHOLDER
    template = Template("{% load athumb %}{% thumbnail thing.image 'web' %}")
    assert template.render(Context({"thing": thing})) == PLACEHOLDER
    assert [name for _, _, name, _ in heard] == ["up/cat.nothumbs.jpg"]
    with pytest.raises(UnknownThumb):
        thing.image.url_for_thumb("nobody")
    with pytest.raises(UploadedImageIsUnreadableError):
        thing.file.save("cat.jpg", SimpleUploadedFile("cat.jpg", CUT_OFF), save=False)
    with pytest.raises(UploadedImageIsUnreadableError):
        thing.image.save("cat.jpg", SimpleUploadedFile("cat.jpg", b"no image"), save=False)


@pytest.mark.parametrize(
    "name",
    [
        "x.nothumbs.jpg",
        "x.nothumbs",
        ".nothumbs.jpg",
        "x.noth\u202eumbs.jpg",
        "x.nothumbs.nothumbs.jpg",
        "x.no?thumbs.jpg",
    ],
    ids=ascii,
)
def test_the_mark_is_not_for_uploaders_to_give(model, name):
    thing = model()
    thing.image.save(name, SimpleUploadedFile("cat.jpg", GOOD), save=False)
    assert not is_marked(thing.image.name)
    assert thing.image.url_for_thumb("web") != PLACEHOLDER
    assert thing.image.storage.exists(thing.image.storage.thumb_key(thing.image.name, "web"))


# The placeholder


def test_the_name_says_so_and_nobody_is_asked(make_storage, requests_sent):
    storage = make_storage(thumbs=THUMBS, on_error="skip", placeholder_url=PLACEHOLDER)
    name = storage.save("photos/cat.jpg", ContentFile(CUT_OFF))
    assert name == "photos/cat.nothumbs.jpg"
    assert is_kept_alone(storage, name, CUT_OFF)
    requests_sent.clear()
    for other in (storage, make_storage(thumbs=THUMBS, placeholder_url=PLACEHOLDER), storage.with_thumbs({})):
        assert other.url_for_thumb(name, "small") == PLACEHOLDER
        assert other.url_for_thumb(name, "web", force_ssl=True) == PLACEHOLDER
    assert requests_sent == []


def test_the_urls_of_others_are_as_ever(make_storage):
    storage = make_storage(thumbs=THUMBS, on_error="skip", placeholder_url=PLACEHOLDER)
    for name in ("cat.jpg", "a.nothumbs/cat.jpg", "nothumbs.jpg"):
        assert ".thumbs/small.jpg" in storage.url_for_thumb(name, "small")


def test_an_unknown_thumb_has_no_placeholder(make_storage):
    storage = make_storage(thumbs=THUMBS, on_error="skip", placeholder_url=PLACEHOLDER)
    with pytest.raises(UnknownThumb):
        storage.url_for_thumb("cat.nothumbs.jpg", "nobody")


def test_without_a_placeholder_there_is_no_mark(make_storage):
    storage = make_storage(thumbs=THUMBS, on_error="skip")
    assert storage.save("cat.jpg", ContentFile(CUT_OFF)) == "cat.jpg"
    assert ".thumbs/small.jpg" in storage.url_for_thumb("cat.jpg", "small")


def test_an_empty_placeholder_is_one(make_storage):
    storage = make_storage(thumbs=THUMBS, on_error="skip", placeholder_url="")
    assert storage.url_for_thumb(storage.save("cat.jpg", ContentFile(CUT_OFF)), "small") == ""


def test_the_cache_buster_is_not_for_the_placeholder(make_storage, settings):
    settings.MEDIA_CACHE_BUSTER = "7"
    storage = make_storage(thumbs=THUMBS, placeholder_url=PLACEHOLDER)
    assert storage.url_for_thumb("cat.nothumbs.jpg", "small") == PLACEHOLDER


@pytest.mark.parametrize("breaking", ["image", "thumb"])
@pytest.mark.parametrize("max_length", [21, 24, 100])
def test_max_length_is_kept_and_so_is_the_mark(make_storage, breaking, max_length):
    storage = make_storage(thumbs=THUMBS, on_error="skip", placeholder_url=PLACEHOLDER)
    data = CUT_OFF if breaking == "image" else GOOD
    if breaking == "thumb":
        breaks_a_thumb(storage)
    names = {storage.save("cat.jpg", ContentFile(data), max_length) for _ in range(3)}
    assert stored(storage) == sorted(names)
    assert len(names) == 3
    for name in names:
        assert len(name) <= max_length
        assert storage.url_for_thumb(name, "small") == PLACEHOLDER


@pytest.mark.parametrize("max_length", [7, 11, 13, 14, 15, 16, 17, 20])
def test_where_there_is_no_room_for_the_mark(make_storage, heard, max_length):
    """It is stored with its mark, or not at all; without it, its URLs would lead to nothing."""
    storage = make_storage(thumbs=THUMBS, on_error="skip", placeholder_url=PLACEHOLDER)
    names = []
    for _ in range(2):
        with suppress(SuspiciousFileOperation):
            names.append(storage.save("cat.jpg", ContentFile(CUT_OFF), max_length))
    assert stored(storage) == sorted(names)
    assert [name for _, _, name, _ in heard] == names
    for name in names:
        assert len(name) <= max_length
        assert storage.url_for_thumb(name, "small") == PLACEHOLDER


def test_nothing_stays_under_the_name_without_the_mark(make_storage):
    storage = make_storage(thumbs=THUMBS, on_error="skip", placeholder_url=PLACEHOLDER)
    breaks_a_thumb(storage)
    assert storage.save("photos/cat.jpg", ContentFile(GOOD)) == "photos/cat.nothumbs.jpg"
    assert is_kept_alone(storage, "photos/cat.nothumbs.jpg", GOOD)


def test_a_storage_of_the_projects_own(heard):
    storage = ThumbShelf(thumbs=THUMBS, on_error="skip", placeholder_url=PLACEHOLDER)
    assert storage.save("cat.jpg", upload(data=CUT_OFF)) == "cat.nothumbs.jpg"
    assert storage.files == {"cat.nothumbs.jpg": CUT_OFF}
    assert heard[0][0] is ThumbShelf
