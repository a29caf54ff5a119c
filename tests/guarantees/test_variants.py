"""Every variant of a thumb lives and dies with the others."""

from __future__ import annotations

import pytest

from athumb_storage import UploadFailed
from tests.conftest import image_in, stored, upload

FORMATS = ("AVIF", "WEBP", "JPEG")
THUMBS = {
    "large": {"size": (60, 60), "format": FORMATS, "densities": (1, 2)},
    "face": {"size": (20, 20), "crop": "smart"},
}
NAMED = [("large", fmt, density) for fmt in FORMATS for density in (1, 2)] + [("face", None, 1)]


@pytest.mark.parametrize("naming", ["folder", "athumb", "fingerprint"])
def test_every_url_that_can_be_named_leads_to_an_image(make_storage, naming):
    storage = make_storage(thumbs=THUMBS, naming=naming)
    name = storage.save("cat.jpg", upload(size=(90, 60)))
    keys = [storage.thumb_key(name, *variant) for variant in NAMED]
    assert stored(storage) == sorted([name, *keys])
    for key, (_, fmt, _) in zip(keys, NAMED, strict=True):
        assert image_in(storage, key).format == (fmt or "JPEG")


@pytest.mark.parametrize("ending", ["large.avif", "large@2x.webp", "large@2x.jpg", "face.jpg"])
def test_one_that_cannot_be_stored_takes_the_others_with_it(make_storage, monkeypatch, ending):
    storage = make_storage(thumbs=THUMBS)
    write = type(storage)._write_thumb

    def fails(self, key, *args, **options):
        if key.endswith(ending):
            raise OSError("the disk is full")
        return write(self, key, *args, **options)

    monkeypatch.setattr(type(storage), "_write_thumb", fails)
    with pytest.raises(UploadFailed, match="the disk is full") as caught:
        storage.save("cat.jpg", upload(size=(90, 60)))
    assert caught.value.left_behind == ()
    assert stored(storage) == []


def test_an_upload_of_a_taken_name_has_all_variants_of_its_own(make_storage):
    storage = make_storage(thumbs=THUMBS)
    names = [storage.save("cat.jpg", upload(size=(90, 60))) for _ in range(2)]
    assert len(set(names)) == 2
    assert stored(storage) == sorted([*names, *(storage.thumb_key(name, *each) for name in names for each in NAMED)])
    storage.delete(names[0])
    assert stored(storage) == sorted([names[1], *(storage.thumb_key(names[1], *each) for each in NAMED)])
