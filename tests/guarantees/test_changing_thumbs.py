"""Thumbs that change on a live site: no page of either release leads to nothing, at any step."""

from __future__ import annotations

import os

import pytest
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.utils import timezone

from athumb_storage.signals import thumbs_generated
from tests.conftest import image_in, stored, upload
from tests.shop.models import Document, Product, Story

pytestmark = pytest.mark.django_db

OLD = {"large": {"size": (60, 60)}, "square": {"size": (20, 20), "crop": True}}
NEW = {"large": {"size": (50, 50), "format": ("WEBP", "JPEG")}, "hero": {"size": (90, 90)}}
NEW["square"] = {"size": (30, 30), "crop": True}
BOTH = {**OLD, "hero": {"size": (90, 90)}, "large-2": NEW["large"]}
LATER = {"square": OLD["square"], "hero": BOTH["hero"], "large-2": BOTH["large-2"]}


class Release:
    """The code of a site: the thumbs that it stores, and those that its pages show."""

    def __init__(self, storage, shown=None):
        self.storage = storage
        self._shown = shown or list(storage.thumbs)

    def upload(self, name):
        name = self.storage.save(name, upload())
        Product.objects.create(image=name)

    def regenerate(self, monkeypatch, *arguments):
        """What the command generates: the names of originals, each with the thumbs that are made of it."""
        made = {}

        def generated(name, keys, **_):
            made[name] = list(dict.fromkeys(key.partition(".thumbs/")[2].split(".")[0] for key in keys))

        field = Product._meta.get_field("image")
        thumbs_generated.connect(generated)
        try:
            with monkeypatch.context() as patch:
                patch.setattr(field, "_given", self.storage)
                patch.setattr(field, "_bound", None)
                patch.setattr(field, "thumbs", self.storage.thumbs)
                call_command("athumb_regen_field", "shop.Product", "image", *arguments, verbosity=0)
        finally:
            thumbs_generated.disconnect(generated)
            field._bound = None
        return made

    def leads_to_nothing(self):
        """What its pages show of all rows, and is not there."""
        there = set(stored(self.storage))
        names = Product.objects.values_list("image", flat=True)
        variants = [(t, f) for t in self._shown for f in self.storage.thumbs[t].spellings or (None,)]
        return {self.storage.thumb_key(name, *variant) for name in names for variant in variants} - there


@pytest.mark.parametrize("naming", ["folder", "fingerprint"])
def test_the_new_code_regenerates_before_the_switch_and_what_is_missing_after_it(make_storage, monkeypatch, naming):
    # At a key without a fingerprint nothing is missing, though what is there is of the old size.
    missing = list(NEW) if naming == "fingerprint" else ["large", "hero"]
    old, new = (Release(make_storage(thumbs=thumbs, naming=naming)) for thumbs in (OLD, NEW))
    for name in ("a.jpg", "b.jpg"):
        old.upload(name)
    assert old.leads_to_nothing() == set()
    assert new.regenerate(monkeypatch) == {"a.jpg": list(NEW), "b.jpg": list(NEW)}
    assert old.leads_to_nothing() == new.leads_to_nothing() == set()
    old.upload("c.jpg")  # while it runs; nobody shows it in a page of the new release yet
    assert new.regenerate(monkeypatch, "--missing") == {"c.jpg": missing}
    assert old.leads_to_nothing() == new.leads_to_nothing() == set()
    new.upload("d.jpg")  # after the switch
    assert new.leads_to_nothing() == set()
    assert new.regenerate(monkeypatch, "--missing") == {}
    key = new.storage.thumb_key("c.jpg", "square")
    assert image_in(new.storage, key).size == ((30, 30) if naming == "fingerprint" else (20, 20))
    # It is stale, if somebody says since when.
    stale = new.regenerate(monkeypatch, "--stale", f"--since={timezone.now().isoformat()}")
    assert stale == ({} if naming == "fingerprint" else {f"{name}.jpg": list(NEW) for name in "abcd"})
    assert image_in(new.storage, key).size == (30, 30)


@pytest.mark.parametrize("naming", ["folder", "fingerprint", "athumb"])
def test_two_releases_with_a_new_name_lack_nothing_while_both_of_them_run(make_storage, monkeypatch, naming):
    first = Release(make_storage(thumbs=OLD, naming=naming))
    second = Release(make_storage(thumbs=BOTH, naming=naming), shown=["large", "square"])
    third = Release(make_storage(thumbs=LATER, naming=naming))
    first.upload("a.jpg")
    # The second release stores the new thumbs and shows the old ones.
    second.upload("b.jpg")
    first.upload("c.jpg")
    assert first.leads_to_nothing() == second.leads_to_nothing() == set()
    second.regenerate(monkeypatch, "--missing")
    # The third shows them; the second, which still runs, stores them as well.
    second.upload("d.jpg")
    assert second.leads_to_nothing() == third.leads_to_nothing() == set()
    second.upload("e.jpg")
    third.upload("f.jpg")
    assert third.leads_to_nothing() == set()


def test_what_is_missing_is_told_and_made_alone(make_storage, monkeypatch):
    release = Release(make_storage(thumbs=NEW))
    for name in ("a.jpg", "b.jpg"):
        release.upload(name)
    before = stored(release.storage)
    assert release.regenerate(monkeypatch, "--missing") == {}
    for key in ("a.jpg.thumbs/large.webp", "a.jpg.thumbs/hero.jpg"):
        release.storage.delete(key)
    assert release.regenerate(monkeypatch, "--missing", "--thumb=square") == {}
    assert release.regenerate(monkeypatch, "--missing", "--dry-run") == {}
    assert release.regenerate(monkeypatch, "--missing", "--thumb=large") == {"a.jpg": ["large"]}
    assert release.regenerate(monkeypatch, "--missing") == {"a.jpg": ["hero"]}
    assert stored(release.storage) == before


def test_stale_are_those_that_are_older_than_their_original(make_on_disk, monkeypatch):
    release = Release(make_on_disk(thumbs=NEW))
    for name in ("a.jpg", "b.jpg"):
        release.upload(name)
    assert release.regenerate(monkeypatch, "--stale") == {}
    thumb = release.storage.path("b.jpg.thumbs/hero.jpg")
    os.utime(thumb, (1, 1))
    assert release.regenerate(monkeypatch, "--stale", "--dry-run") == {}
    assert release.regenerate(monkeypatch, "--stale") == {"b.jpg": ["hero"]}
    assert release.regenerate(monkeypatch, "--stale") == {}


@pytest.mark.parametrize("naming", ["folder", "fingerprint", "athumb"])
def test_with_fingerprints_stale_is_what_another_thumb_made(make_storage, monkeypatch, naming):
    old, new = (Release(make_storage(thumbs=thumbs, naming=naming)) for thumbs in (OLD, NEW))
    old.upload("a.jpg")
    new.upload("b.jpg")
    assert new.regenerate(monkeypatch, "--stale") == ({"a.jpg": ["large", "square"]} if naming == "fingerprint" else {})
    assert new.regenerate(monkeypatch, "--stale") == {}


def test_a_plain_file_whose_name_leaves_no_room_for_thumbs_lacks_none_of_them(make_on_disk, monkeypatch, capsys):
    storage = make_on_disk(thumbs=NEW)
    name = storage.save("n" * 250 + ".txt", ContentFile(b"text"))
    monkeypatch.setattr(Document._meta.get_field("manual"), "_given", storage)
    Document.objects.create(manual=name)
    call_command("athumb_regen_field", "shop.Document", "manual", "--missing")
    assert "0 rows: " in capsys.readouterr().out
    assert storage.generate_thumbs(name, ["hero"]) == {}


def test_the_command_says_how_many_it_has_made(monkeypatch, capsys, make_in_memory):
    storage = make_in_memory()
    monkeypatch.setattr(Product._meta.get_field("image"), "_given", storage)
    for name in ("a.jpg", "b.jpg"):
        Product.objects.create(image=upload(name))
    storage.delete("products/a.jpg.thumbs/large.webp")
    call_command("athumb_regen_field", "shop.Product", "image", "--missing")
    assert "1 row: 1 generated, 0 not an image, 0 without a file, 0 repeated, 0 failed." in capsys.readouterr().out


def test_a_row_that_lacks_what_its_model_keeps_is_due(make_in_memory, monkeypatch, capsys):
    field = Story._meta.get_field("image")
    monkeypatch.setattr(field, "_given", make_in_memory())
    rows = [Story.objects.create(image=upload(name)) for name in ("a.jpg", "b.jpg", "c.jpg")]
    kept = list(Story.objects.order_by("pk").values("width", "height", "placeholder"))
    Story.objects.filter(pk=rows[0].pk).update(placeholder="")
    Story.objects.filter(pk=rows[1].pk).update(height=None)
    call_command("athumb_regen_field", "shop.Story", "image", "--missing", "--verbosity=2")
    assert [line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()[:-1]] == [
        f"'stories/{row.image.name[8:]}' (row {row.pk})" for row in rows[:2]
    ]
    assert list(Story.objects.order_by("pk").values("width", "height", "placeholder")) == kept
