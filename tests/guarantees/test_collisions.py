"""With the naming of django-athumb, thumb keys look like names of originals: neither replaces the other."""

import threading

import pytest
from django.core.files.base import ContentFile

from athumb_storage.storages import S3ThumbnailStorage
from tests.conftest import content_of, draw, image_in, stored, upload

THUMBS = {"60x60": {"size": (60, 60)}, "big": {"size": (90, 90)}}


def assert_is_complete(storage, name, color):
    keys = [name, *(storage.thumb_key(name, thumb) for thumb in THUMBS)]
    for key in keys:
        pixel = image_in(storage, key).convert("RGB").getpixel((5, 5))
        assert max(range(3), key=pixel.__getitem__) == ["red", "lime", "blue"].index(color)
    return keys


def assert_leaves_alone(make, taken, **options):
    make(thumbs={}, naming="athumb").save(taken, ContentFile(b"an original that is no image"))
    storage = make(thumbs=THUMBS, naming="athumb", **options)
    name = storage.save("cat.jpg", upload(color="red"))
    assert name != "cat.jpg"
    assert content_of(storage, taken) == b"an original that is no image"
    assert stored(storage) == sorted([taken, *assert_is_complete(storage, name, "red")])


@pytest.mark.parametrize("taken", ["cat_60x60.jpg", "cat_big.jpg"])
def test_a_thumb_replaces_nobodys_original(make_storage, taken):
    assert_leaves_alone(make_storage, taken)


def test_a_thumb_replaces_nobodys_original_where_the_server_is_asked(make_s3):
    assert_leaves_alone(make_s3, "cat_60x60.jpg", conditional_writes=False)


def test_an_original_replaces_nobodys_thumb(make_storage):
    storage = make_storage(thumbs=THUMBS, naming="athumb")
    first = storage.save("cat.jpg", upload(color="red"))
    second = storage.save("cat_60x60.jpg", upload(color="blue"))
    assert (first, second != "cat_60x60.jpg") == ("cat.jpg", True)
    keys = assert_is_complete(storage, first, "red") + assert_is_complete(storage, second, "blue")
    assert stored(storage) == sorted(keys)


def test_a_name_that_makes_room_for_thumbs_keeps_to_max_length(make_storage):
    make_storage(thumbs={}, naming="athumb").save("catcatcat_60x60.jpg", ContentFile(b"an original"))
    storage = make_storage(thumbs=THUMBS, naming="athumb")
    name = storage.save("catcatcat.jpg", upload(color="red"), max_length=15)
    assert len(name) <= 15
    assert_is_complete(storage, name, "red")


def test_an_original_kept_without_thumbs_takes_nobodys_place(make_storage):
    assert_leaves_alone(make_storage, "cat_60x60.jpg", on_error="skip")


def test_overwriting_replaces_the_old_thumbs(make_s3):
    storage = make_s3(thumbs=THUMBS, naming="athumb", file_overwrite=True)
    for color in ("red", "blue"):
        assert storage.save("cat.jpg", upload(color=color)) == "cat.jpg"
    assert stored(storage) == sorted(assert_is_complete(storage, "cat.jpg", "blue"))


def test_regenerated_thumbs_are_where_they_were(make_storage):
    storage = make_storage(thumbs=THUMBS, naming="athumb")
    name = storage.save("cat.jpg", upload(color="red"))
    storage.generate_thumbs(name)
    assert stored(storage) == sorted(assert_is_complete(storage, name, "red"))


def test_no_request_asks_for_the_keys_of_thumbs_where_names_are_claimed(make_s3, requests_sent):
    make_s3(thumbs=THUMBS, naming="athumb").save("cat.jpg", upload())
    assert [method for method, _ in requests_sent] == ["PUT"] * 3


def test_a_failed_upload_leaves_what_took_its_thumbs_place(make_s3):
    """Somebody stores an original where a thumb was to go, and then the other thumb fails."""

    class Failing(S3ThumbnailStorage):
        def _write_thumb(self, key, *args, **options):
            if key == "cat_60x60.jpg":
                self.client.put_object(Bucket=self.bucket_name, Key=key, Body=draw(color="blue"))
                raise OSError("the network is gone")
            return super()._write_thumb(key, *args, **options)

    storage = make_s3(Failing, thumbs=THUMBS, naming="athumb")
    with pytest.raises(Exception, match="the network is gone"):
        storage.save("cat.jpg", upload(color="red"))
    assert stored(storage) == ["cat_60x60.jpg"]


def test_both_of_two_at_once_are_complete(make_s3):
    storage, plain = make_s3(thumbs=THUMBS, naming="athumb"), make_s3(naming="athumb")
    names = {}
    barrier = threading.Barrier(2)

    def save(saving, name, color):
        barrier.wait(timeout=20)
        names[color] = saving.save(name, upload(color=color))

    threads = [
        threading.Thread(target=save, args=(storage, "cat.jpg", "red")),
        threading.Thread(target=save, args=(plain, "cat_60x60.jpg", "blue")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keys = assert_is_complete(storage, names["red"], "red")
    assert image_in(plain, names["blue"]).getpixel((5, 5))[2] > 200
    assert stored(storage) == sorted([*keys, names["blue"]])
