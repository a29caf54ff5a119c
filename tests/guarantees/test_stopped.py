"""Who stops a save, such as a worker's time limit, is heard, and nothing of the save stays."""

from __future__ import annotations

import contextlib
import io
import signal
import threading
import time

import pytest
from boto3.s3.transfer import TransferConfig
from django.core.files.base import ContentFile
from django.core.management import call_command
from PIL import Image

from athumb_storage.fields import ImageWithThumbsField
from athumb_storage.regeneration import regenerate
from athumb_storage.storages import S3ThumbnailStorage
from tests.conftest import draw, some_slow, stored, upload
from tests.lanes import AGAIN, BLUE, CLAIMS, NAME, ONCE, PATIENCE, outcome, requests_of, save
from tests.proxy import TIMEOUT, TIMEOUT_AFTER, only
from tests.shop.models import Product

ONE = {"small": {"size": (30, 30)}}


class SoftTimeLimit(Exception):
    """As a worker raises it."""


class Alarm(RuntimeError):
    """As a project's signal handler may raise it."""


STOPS = [SoftTimeLimit, Alarm, TimeoutError, KeyboardInterrupt]
each_stop = pytest.mark.parametrize("stop", STOPS)
some_stops = pytest.mark.parametrize("stop", some_slow(STOPS, always=[KeyboardInterrupt]))


@contextlib.contextmanager
def stopped_when(condition, stop):
    """The main thread gets this exception by a signal, once the condition is true."""

    def handler(number, frame):
        raise stop

    def watch():
        deadline = time.monotonic() + 30
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.02)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handler)
    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        watching.join()
        signal.signal(signal.SIGUSR1, before)


def what_stopped(action, condition, stop):
    try:
        with stopped_when(condition, stop):
            action()
    except BaseException as error:  # noqa: BLE001, that is what is looked at
        return error
    return None


# While S3 is waited for


@some_stops
@pytest.mark.parametrize("claim", some_slow(CLAIMS, always=["conditional"]))
@pytest.mark.parametrize("fault", [TIMEOUT, TIMEOUT_AFTER], ids=str)
def test_a_save_that_waits_for_s3_is_undone(lane, broken_storage, fault, claim, stop):
    storage = broken_storage(lane, ONCE, patience=PATIENCE, **CLAIMS[claim])
    for position in range(requests_of(lane, storage)):
        script = lane.proxy.script(lane.bucket, fault, only(position))
        error = what_stopped(lambda: save(storage), lambda script=script: script.broken, stop)
        assert type(error) is stop, f"{position}: {error!r}"
        assert lane.changed() == set(), position
        lane.restore()


@some_stops
@pytest.mark.parametrize("retries", [ONCE, AGAIN], ids=str)
@pytest.mark.parametrize("size", [100, 6 << 20], ids=["small", "in parts"])
def test_a_plain_file_that_waits_for_s3_is_undone(lane, broken_storage, stop, retries, size):
    config = TransferConfig(multipart_threshold=5 << 20)
    storage = broken_storage(lane, retries, patience=PATIENCE, conditional_writes=True, transfer_config=config)

    def save_plain(storage):
        storage.save("notes.bin", ContentFile(bytes(size)))

    for position in range(requests_of(lane, storage, save_plain) if retries is ONCE else 1):
        script = lane.proxy.script(lane.bucket, TIMEOUT, only(position))
        error = what_stopped(lambda: save_plain(storage), lambda script=script: script.broken, stop)
        assert type(error) is stop, f"{position}: {error!r}"
        assert lane.changed() == set(), position
        lane.restore()


@pytest.mark.parametrize("stop", [SoftTimeLimit, Alarm])
@pytest.mark.parametrize("action", ["delete", "exists", "generate_thumbs"])
def test_what_this_thread_asks_of_s3_is_stopped_and_not_tried_again(lane, broken_storage, stop, action):
    storage = broken_storage(lane, AGAIN, patience=PATIENCE)
    script = lane.proxy.script(lane.bucket, TIMEOUT, only(0))
    error = what_stopped(lambda: getattr(storage, action)(NAME), lambda: script.broken, stop)
    assert type(error) is stop
    assert len(script.requests) == 1


# While an image is decoded


@pytest.fixture
def stops_at_decoding(monkeypatch):
    def stop_with(error):
        def load(image):
            raise error

        monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)

    return stop_with


@each_stop
@pytest.mark.parametrize("options", [{}, {"on_error": "skip"}, {"naming": "athumb"}], ids=str)
def test_it_is_not_taken_for_a_bad_image(make_storage, stops_at_decoding, stop, options):
    storage = make_storage(thumbs=ONE, **options)
    stops_at_decoding(stop())
    for action in (
        lambda: storage.save("cat.jpg", ContentFile(BLUE)),
        lambda: storage.check_image(upload()),
    ):
        with pytest.raises(stop):
            action()
    assert stored(storage) == []


@pytest.mark.parametrize("place", ["resize", "save"])
@each_stop
def test_it_is_not_taken_for_a_thumb_that_fails(make_storage, monkeypatch, stop, place):
    storage = make_storage(thumbs=ONE, on_error="skip")
    data = draw((300, 200))

    def stopped(*args, **kwargs):
        raise stop

    monkeypatch.setattr(Image.Image, place, stopped)
    with pytest.raises(stop):
        storage.save("cat.jpg", ContentFile(data))
    assert stored(storage) == []


@each_stop
@pytest.mark.django_db
def test_a_regeneration_is_stopped(make_storage, monkeypatch, stops_at_decoding, stop):
    field = Product._meta.get_field("image")
    monkeypatch.setattr(field, "_given", make_storage())
    Product.objects.create(image=upload())
    stops_at_decoding(stop())
    with pytest.raises(stop):
        list(regenerate(Product.objects.all(), field))
    # In one of several threads of ours a timeout is the storage's: a signal handler has the main thread.
    workers = 1 if stop is TimeoutError else 2
    with pytest.raises(stop):
        call_command("athumb_regen_field", "shop.Product", "image", workers=workers, stdout=io.StringIO())


@each_stop
def test_a_form_is_stopped(make_storage, stops_at_decoding, stop):
    field = ImageWithThumbsField(storage=make_storage())
    field.set_attributes_from_name("image")
    stops_at_decoding(stop())
    with pytest.raises(stop):
        field.formfield().clean(upload())


# While it is undone


@pytest.mark.parametrize("stop", [SoftTimeLimit, KeyboardInterrupt])
def test_what_stays_when_the_undoing_is_stopped_is_logged(make_s3, monkeypatch, caplog, stop):
    storage = make_s3(thumbs=ONE)

    def stopped(self, keys):
        raise stop

    monkeypatch.setattr(S3ThumbnailStorage, "_remove", stopped)
    monkeypatch.setattr(S3ThumbnailStorage, "_write_thumb", lambda *args, **options: 1 / 0)
    assert type(outcome_of(lambda: storage.save("cat.jpg", upload()))) is stop
    assert stored(storage) == ["cat.jpg"]
    assert "Left behind by a failed upload of 'cat.jpg': cat.jpg" in caplog.text


def outcome_of(action):
    try:
        return action()
    except BaseException as error:  # noqa: BLE001
        return error


def test_errors_of_the_project_come_through(make_storage, monkeypatch):
    class OurOwn(Exception):
        pass

    storage = make_storage(thumbs=ONE, on_error="skip")
    monkeypatch.setattr(type(storage), "_write_thumb", lambda *args, **options: (_ for _ in ()).throw(OurOwn))
    assert isinstance(outcome(storage.save, "cat.jpg", upload()), OurOwn)
    assert stored(storage) == []
