"""Thumbs that change on a live site: no page of either release leads to nothing, at any step."""

from __future__ import annotations

import pytest
from django.core.files.base import ContentFile
from django.core.management import call_command

from athumb_storage.regeneration import regenerate
from tests.conftest import image_in, stored, upload
from tests.shop.models import Product

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

    def regenerate(self, monkeypatch, **options):
        field = Product._meta.get_field("image")
        with monkeypatch.context() as patch:
            patch.setattr(field, "_given", self.storage)
            patch.setattr(field, "thumbs", self.storage.thumbs)
            return [result.outcome.value for result in regenerate(Product.objects.all(), field, **options)]

    def leads_to_nothing(self):
        """What its pages show of all rows, and is not there."""
        there = set(stored(self.storage))
        names = Product.objects.values_list("image", flat=True)
        variants = [(t, f) for t in self._shown for f in self.storage.thumbs[t].spellings or (None,)]
        return {self.storage.thumb_key(name, *variant) for name in names for variant in variants} - there


@pytest.mark.parametrize("naming", ["folder", "fingerprint"])
def test_the_new_code_regenerates_before_the_switch_and_what_is_missing_after_it(make_storage, monkeypatch, naming):
    old, new = (Release(make_storage(thumbs=thumbs, naming=naming)) for thumbs in (OLD, NEW))
    for name in ("a.jpg", "b.jpg"):
        old.upload(name)
    assert old.leads_to_nothing() == set()
    assert new.regenerate(monkeypatch) == ["generated"] * 2
    assert old.leads_to_nothing() == new.leads_to_nothing() == set()
    old.upload("c.jpg")  # while it runs; nobody shows it in a page of the new release yet
    assert new.regenerate(monkeypatch, missing=True) == ["complete already"] * 2 + ["generated"]
    assert old.leads_to_nothing() == new.leads_to_nothing() == set()
    new.upload("d.jpg")  # after the switch
    assert new.leads_to_nothing() == set()
    assert new.regenerate(monkeypatch, missing=True) == ["complete already"] * 4
    key = new.storage.thumb_key("c.jpg", "square")
    assert image_in(new.storage, key).size == ((30, 30) if naming == "fingerprint" else (20, 20))
    # At a key without a fingerprint nothing is missing, though it is of the old size: there the whole is regenerated.
    new.regenerate(monkeypatch)
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
    second.regenerate(monkeypatch, missing=True)
    # The third shows them; the second, which still runs, stores them as well.
    second.upload("d.jpg")
    assert second.leads_to_nothing() == third.leads_to_nothing() == set()
    second.upload("e.jpg")
    third.upload("f.jpg")
    assert third.leads_to_nothing() == set()


def test_what_is_missing_is_told_and_made_alone(make_storage, monkeypatch):
    release = Release(make_storage(thumbs=NEW))
    release.upload("a.jpg")
    before = stored(release.storage)
    assert release.storage.missing_thumbs("a.jpg") == []
    for key in ("a.jpg.thumbs/large.webp", "a.jpg.thumbs/hero.jpg"):
        release.storage.delete(key)
    assert release.storage.missing_thumbs("a.jpg") == ["large", "hero"]
    assert release.regenerate(monkeypatch, missing=True, only=["square"]) == ["complete already"]
    assert release.regenerate(monkeypatch, missing=True, dry_run=True) == ["generated"]
    assert release.storage.missing_thumbs("a.jpg") == ["large", "hero"]
    assert release.regenerate(monkeypatch, missing=True, only=["large"]) == ["generated"]
    assert release.storage.missing_thumbs("a.jpg") == ["hero"]
    assert release.regenerate(monkeypatch, missing=True) == ["generated"]
    assert stored(release.storage) == before


def test_a_plain_file_whose_name_leaves_no_room_for_thumbs_has_none_of_them(make_on_disk):
    storage = make_on_disk(thumbs=NEW)
    name = storage.save("n" * 250 + ".txt", ContentFile(b"text"))
    assert storage.missing_thumbs(name) == list(NEW)
    assert storage.generate_thumbs(name, storage.missing_thumbs(name)) == {}


def test_the_command_says_how_many_were_complete(monkeypatch, capsys, make_in_memory):
    storage = make_in_memory()
    monkeypatch.setattr(Product._meta.get_field("image"), "_given", storage)
    for name in ("a.jpg", "b.jpg"):
        Product.objects.create(image=upload(name))
    storage.delete("products/a.jpg.thumbs/large.webp")
    call_command("athumb_regen_field", "shop.Product", "image", "--missing")
    assert "2 rows: 1 generated, 0 not an image, 0 without a file, 0 repeated, 1 complete already, 0 failed." in (
        capsys.readouterr().out
    )
