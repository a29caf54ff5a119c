"""What is told of thumbs, to whom, and that a receiver who raises stops nothing."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from django.core.files.base import ContentFile
from django.db import transaction

from athumb_storage import UploadedImageIsUnreadableError
from athumb_storage.signals import thumbs_deleted, thumbs_failed, thumbs_generated
from athumb_storage.storages import InMemoryThumbnailStorage
from tests.conftest import draw, stored, upload
from tests.shop.models import Product

THUMBS = {"small": {"size": (9, 9), "format": ("WEBP", "PNG")}, "large": {"size": (20, 20)}}
KEYS = ["cat.jpg.thumbs/small.webp", "cat.jpg.thumbs/small.png", "cat.jpg.thumbs/large.jpg"]


@contextmanager
def heard(signal):
    told = []

    def receiver(sender, storage, name, **details):
        assert details.pop("signal") is signal
        told.append((sender, storage, name, details))

    signal.connect(receiver)
    yield told
    signal.disconnect(receiver)


def test_thumbs_of_an_upload_are_generated():
    storage = InMemoryThumbnailStorage(thumbs=THUMBS)
    with heard(thumbs_generated) as told:
        storage.save("cat.jpg", upload())
    assert told == [(InMemoryThumbnailStorage, storage, "cat.jpg", {"keys": KEYS})]


def test_what_is_told_of_is_there():
    storage = InMemoryThumbnailStorage(thumbs=THUMBS)
    there = []
    receiver = lambda keys, name, **_: there.append([storage.exists(key) for key in [*keys, name]])  # noqa: E731
    thumbs_generated.connect(receiver)
    storage.save("cat.jpg", upload())
    thumbs_generated.disconnect(receiver)
    assert there == [[True] * 4]


def test_thumbs_are_generated_again():
    storage = InMemoryThumbnailStorage(thumbs=THUMBS)
    storage.save("cat.jpg", upload())
    with heard(thumbs_generated) as told:
        storage.generate_thumbs("cat.jpg", ["large"])
    assert [(name, details) for _, _, name, details in told] == [("cat.jpg", {"keys": KEYS[2:]})]


def test_nothing_is_told_where_nothing_was_generated():
    storage = InMemoryThumbnailStorage(thumbs=THUMBS)
    with heard(thumbs_generated) as told:
        storage.save("cat.pdf", ContentFile(b"%PDF-1.7"))
        with pytest.raises(UploadedImageIsUnreadableError):
            storage.save("cat.jpg", ContentFile(draw()[:300]))
        InMemoryThumbnailStorage(thumbs={}).save("cat.jpg", upload())
    assert told == []


def test_thumbs_are_deleted_with_their_original_or_alone():
    storage = InMemoryThumbnailStorage(thumbs=THUMBS)
    storage.save("cat.jpg", upload())
    storage.save("dog.jpg", upload())
    with heard(thumbs_deleted) as told:
        storage.delete("cat.jpg")
        storage.delete_thumbs("dog.jpg")
        storage.delete("dog.jpg")
    assert [(name, sorted(details["keys"])) for _, _, name, details in told] == [
        ("cat.jpg", sorted(KEYS)),
        ("dog.jpg", sorted(key.replace("cat", "dog") for key in KEYS)),
    ]
    assert {(sender, of) for sender, of, _, _ in told} == {(InMemoryThumbnailStorage, storage)}


def test_thumbs_fail():
    storage = InMemoryThumbnailStorage(thumbs=THUMBS, on_error="skip")
    with heard(thumbs_failed) as told, heard(thumbs_generated) as generated:
        storage.save("cat.jpg", ContentFile(draw((3000, 3000))[:3000]))
    [(sender, of, name, details)] = told
    assert (sender, of, name) == (InMemoryThumbnailStorage, storage, "cat.jpg")
    assert isinstance(details["error"], UploadedImageIsUnreadableError)
    assert generated == []


def test_the_storage_is_the_one_that_is_bound_to_the_field(db):
    with heard(thumbs_generated) as told:
        row = Product.objects.create(image=upload())
    [(_, storage, name, _)] = told
    assert (storage.thumbs, name) == (row.image.storage.thumbs, row.image.name)


@pytest.mark.django_db(transaction=True)
def test_what_a_rollback_removes_was_told_of_at_once():
    class Stop(Exception):
        pass

    with heard(thumbs_generated) as told, pytest.raises(Stop), transaction.atomic():
        Product.objects.create(image=upload())
        assert len(told) == 1
        raise Stop


@pytest.mark.parametrize("signal", [thumbs_generated, thumbs_deleted])
def test_a_receiver_that_raises_stops_nothing(signal, caplog):
    def receiver(**_):
        raise RuntimeError("from a receiver")

    storage = InMemoryThumbnailStorage(thumbs=THUMBS)
    signal.connect(receiver)
    storage.save("cat.jpg", upload())
    assert len(stored(storage)) == 4
    storage.delete("cat.jpg")
    signal.disconnect(receiver)
    assert stored(storage) == []
    assert "from a receiver" in caplog.text
