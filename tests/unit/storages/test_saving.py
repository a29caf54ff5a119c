"""One upload on its way: what is sent when, and what is left when it fails."""

from __future__ import annotations

import re
import threading
import traceback
from contextvars import ContextVar

import pytest
from botocore.exceptions import ClientError
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile

from athumb_storage import UploadedImageIsUnreadableError, UploadFailed
from athumb_storage.concurrency import SharedPool, ThisThread
from athumb_storage.storages import FileSystemThumbnailStorage, InMemoryThumbnailStorage, S3ThumbnailStorage
from athumb_storage.storages.final_names import under_free_name
from tests.conftest import KEYS, THUMBS, image_in, noise, stored, upload
from tests.shop.models import Document

WRONG_DIGEST = {"ContentMD5": "AAAAAAAAAAAAAAAAAAAAAA=="}


def test_thumbs_that_s3_refuses_take_the_original_with_them(make_s3):
    storage = make_s3(thumbs=THUMBS, thumb_object_parameters=WRONG_DIGEST)
    with pytest.raises(UploadFailed, match=r"photos/cat\.jpg.*BadDigest") as caught:
        storage.save("photos/cat.jpg", upload())
    assert isinstance(caught.value.__cause__, ClientError)
    assert caught.value.left_behind == ()
    assert stored(storage) == []


def test_an_original_that_s3_refuses_takes_its_thumbs_with_it(make_s3):
    storage = make_s3(thumbs=THUMBS, unique_names=True, object_parameters=WRONG_DIGEST)
    with pytest.raises(UploadFailed, match="BadDigest"):
        storage.save("photos/cat.jpg", upload())
    assert stored(storage) == []


def test_a_wrong_key_fails_the_upload(make_s3):
    storage = make_s3(thumbs=THUMBS, secret_key="not the secret")
    with pytest.raises(UploadFailed, match=r"cat\.jpg.*SignatureDoesNotMatch"):
        storage.save("cat.jpg", upload())
    assert stored(make_s3()) == []


def test_a_bucket_that_does_not_exist_fails_the_upload(make_s3, no_list_identity):
    storage = make_s3(thumbs=THUMBS, bucket_name="there-is-no-such-bucket", **no_list_identity)
    with pytest.raises(UploadFailed, match=r"cat\.jpg"):
        storage.save("cat.jpg", upload())


def test_a_server_that_does_not_answer_fails_the_upload(make_s3):
    from botocore.config import Config

    storage = make_s3(
        thumbs=THUMBS,
        endpoint_url="http://127.0.0.1:9",
        client_config=Config(connect_timeout=1, retries={"total_max_attempts": 1}),
    )
    with pytest.raises(UploadFailed, match=r"cat\.jpg"):
        storage.save("cat.jpg", upload())


def errors_in(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


class CannotRemove(S3ThumbnailStorage):
    """Its project may not delete."""

    def _remove(self, keys):
        raise PermissionError("may not delete")


def test_what_is_left_behind_on_s3_is_told_and_logged(make_s3, caplog):
    storage = make_s3(CannotRemove, thumbs=THUMBS, thumb_object_parameters=WRONG_DIGEST)
    with pytest.raises(UploadFailed, match=r"left behind: .*cat\.jpg") as caught:
        storage.save("cat.jpg", upload())
    assert set(caught.value.left_behind) >= set(stored(storage)) == {"cat.jpg"}
    assert errors_in(caplog)[-1].endswith(" cat.jpg")


def test_what_a_refused_image_leaves_behind_is_logged(make_s3, caplog):
    class AtOnce(ThisThread):
        """The original is stored before anything is rendered."""

        overlap = True

    class Hasty(CannotRemove):
        _threads = AtOnce()

    storage = make_s3(Hasty, thumbs=THUMBS)
    data = noise()
    with pytest.raises(UploadedImageIsUnreadableError):
        storage.save("cat.jpg", ContentFile(data[: len(data) // 2]))
    assert len(errors_in(caplog)) == 1
    assert "cat.jpg" in errors_in(caplog)[0]


def test_a_refused_image_replaces_nothing_even_where_uploads_replace(make_s3):
    storage = make_s3(thumbs=THUMBS, file_overwrite=True)
    storage.save("cat.jpg", upload(color="red"))
    data = noise()
    with pytest.raises(UploadedImageIsUnreadableError):
        storage.save("cat.jpg", ContentFile(data[: len(data) // 2]))
    assert image_in(storage, "cat.jpg").getpixel((5, 5))[0] > 200
    assert stored(storage) == KEYS


@pytest.mark.parametrize("name", ["cat.jpg", "cat.bmp"])
def test_what_is_no_image_leaves_no_thumbs_of_the_image_that_it_replaces(make_s3, name):
    storage = make_s3(thumbs=THUMBS, file_overwrite=True, naming="athumb")
    storage.save(name, upload())
    storage.save(name, ContentFile(b"some text"))
    assert stored(storage) == [name]


def test_a_failed_upload_does_not_remove_what_it_has_replaced(make_s3, caplog):
    storage = make_s3(thumbs=THUMBS, file_overwrite=True)
    storage.save("cat.jpg", upload(color="red"))
    storage = make_s3(thumbs=THUMBS, file_overwrite=True, thumb_object_parameters=WRONG_DIGEST)
    with pytest.raises(UploadFailed) as caught:
        storage.save("cat.jpg", upload(color="blue"))
    assert stored(storage) == KEYS
    assert "cat.jpg" in caught.value.left_behind
    assert len(errors_in(caplog)) == 1
    assert "cat.jpg" in errors_in(caplog)[0]


def test_a_refused_name_on_disk_leaves_nothing_behind(tmp_path):
    storage = FileSystemThumbnailStorage(location=tmp_path, thumbs=THUMBS)
    name = "c" * 250 + ".jpg"  # as long as a file may be called, so that the folder of its thumbs cannot be made
    with pytest.raises(SuspiciousFileOperation, match=r"c\.jpg"):
        storage.save(f"photos/{name}", upload())
    assert stored(storage) == []


def test_the_thumbs_go_up_while_others_are_still_under_way(make_s3):
    """Each PUT of a thumb waits for all others to have begun, so one after the other would never end."""

    barrier = threading.Barrier(len(THUMBS))

    class Parallel(S3ThumbnailStorage):
        def _write_thumb(self, *args, **options):
            barrier.wait(timeout=20)
            return super()._write_thumb(*args, **options)

    storage = make_s3(Parallel, thumbs=THUMBS)
    storage.save("cat.jpg", upload())
    assert stored(storage) == KEYS


def test_the_original_goes_up_while_the_thumbs_are_rendered(make_s3):
    begun = threading.Event()

    class Watched(S3ThumbnailStorage):
        def _write_upload(self, *args, **options):
            begun.set()
            return super()._write_upload(*args, **options)

        def _render(self, *args):
            assert begun.wait(timeout=20)
            return super()._render(*args)

    storage = make_s3(Watched, thumbs=THUMBS)
    storage.save("cat.jpg", upload())
    assert stored(storage) == KEYS


def test_save_returns_when_all_of_it_is_stored(make_s3):
    import time

    class Slow(S3ThumbnailStorage):
        def _write_thumb(self, *args, **options):
            time.sleep(0.2)
            return super()._write_thumb(*args, **options)

    storage = make_s3(Slow, thumbs=THUMBS)
    storage.save("cat.jpg", upload())
    assert stored(storage) == KEYS


def test_an_image_is_decoded_once(make_storage, monkeypatch):
    from PIL import JpegImagePlugin

    loads = []
    load = JpegImagePlugin.JpegImageFile.load_prepare
    monkeypatch.setattr(
        JpegImagePlugin.JpegImageFile, "load_prepare", lambda image: (loads.append(image), load(image))[1]
    )
    storage = make_storage(thumbs=THUMBS)
    storage.save("cat.jpg", upload())
    assert len(loads) == 1


def test_an_interrupted_upload_leaves_nothing_behind(make_storage):
    storage = make_storage(thumbs=THUMBS)

    def interrupted(*_, **options):
        raise KeyboardInterrupt

    storage._write_thumb = interrupted
    with pytest.raises(KeyboardInterrupt):
        storage.save("cat.jpg", upload())
    assert stored(storage) == []


def test_a_storage_that_changes_the_extension_gets_thumbs_of_that_format(tmp_path):
    class Tidy(FileSystemThumbnailStorage):
        def _write_upload(self, name, *args, **options):
            return super()._write_upload(name.replace(".jpeg", ".png"), *args, **options)

    storage = Tidy(location=tmp_path, thumbs={"small": {"size": (30, 30)}})
    assert storage.save("cat.jpeg", upload()) == "cat.png"
    assert stored(storage) == ["cat.png", "cat.png.thumbs/small.png"]
    assert image_in(storage, "cat.png.thumbs/small.png").format == "PNG"


# Another name


def test_the_name_that_is_free_is_taken(make_storage):
    storage = make_storage()
    tried = []

    def write(name):
        tried.append(name)
        if len(tried) < 4:
            raise FileExistsError(name)
        return name

    name = under_free_name(storage, "photos/cat.jpg", write)
    assert name == tried[-1]
    assert tried[0] == "photos/cat.jpg"
    assert all(re.fullmatch(r"photos/cat_\w{7}\.jpg", other) for other in tried[1:])
    assert len(set(tried)) == 4


def test_after_a_hundred_names_it_gives_up():
    tried = []

    def write(name):
        tried.append(name)
        raise FileExistsError(f"{name} is taken")

    with pytest.raises(UploadFailed, match=r"'cat\.jpg'.*100 names.*is taken"):
        under_free_name(InMemoryThumbnailStorage(), "cat.jpg", write)
    assert len(tried) == 100


# The way of an upload


def frames_of_ours():
    """The functions on this thread's stack from `FieldFile.save` on, of this package, Django and django-storages."""
    stack = [(frame.f_globals["__name__"], frame.f_code.co_qualname) for frame, _ in traceback.walk_stack(None)]
    names = [f"{module}.{function}" for module, function in reversed(stack)]
    start = next((at for at, name in enumerate(names) if name.endswith(".FieldFile.save")), 0)
    rooms = ("athumb_storage.", "django.", "storages.")
    pool = "athumb_storage.concurrency."
    return [name for name in names[start:] if name.startswith(rooms) and not name.startswith(pool)]


@pytest.fixture
def ways(monkeypatch):
    """Key -> the frames that each request to S3 was sent through, those of the thread that submitted it included."""
    found = {}
    submitted = ContextVar("submitted", default=())
    submit = SharedPool.submit

    def watched(pool, function, /, *args, **options):
        token = submitted.set(tuple(frames_of_ours()))
        try:
            return submit(pool, function, *args, **options)
        finally:
            submitted.reset(token)

    def sent(params, **_):
        found[params["Key"]] = [*submitted.get(), *frames_of_ours()]

    monkeypatch.setattr(SharedPool, "submit", watched)
    return found, sent


@pytest.mark.parametrize(
    "options",
    [{}, {"unique_names": True}, {"conditional_writes": False}, {"file_overwrite": True}, {"naming": "athumb"}],
    ids=str,
)
@pytest.mark.parametrize(("data", "count"), [(None, 1 + len(THUMBS)), (b"no image", 1)], ids=["image", "plain"])
def test_an_upload_passes_at_most_8_frames(make_s3, ways, options, data, count):
    storage = make_s3(thumbs=THUMBS, **options)
    found, sent = ways
    file = Document().manual
    file.storage = storage
    storage.client.meta.events.register("before-parameter-build.s3.PutObject", sent)
    try:
        file.save("cat.jpg", upload(data=data), save=False)
    finally:
        storage.client.meta.events.unregister("before-parameter-build.s3.PutObject", sent)
    assert len(found) == count
    for way in found.values():
        assert way[0] == "django.db.models.fields.files.FieldFile.save"
        assert len(way) <= 8, way
