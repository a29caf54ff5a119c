"""Focal points: from a column to the crops of its file, and what follows when it is saved anew."""

from __future__ import annotations

import io

import pytest
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.db import transaction
from PIL import Image

from athumb_storage import InvalidFocalPoint
from athumb_storage.contrib.testing import colour_at, content_of, image_in
from athumb_storage.regeneration import regenerate
from athumb_storage.signals import thumbs_failed
from athumb_storage.storages import InMemoryThumbnailStorage
from tests.shop.models import HiddenPortrait, Portrait, SignedPortrait

pytestmark = pytest.mark.django_db

LEFT, MIDDLE, RIGHT = "red", "lime", "blue"
COLOURS = {(255, 0, 0): LEFT, (0, 255, 0): MIDDLE, (0, 0, 255): RIGHT}


def photo(name="cat.png"):
    """Red, green and blue, side by side."""
    image = Image.new("RGB", (300, 100), LEFT)
    image.paste(MIDDLE, (100, 0, 200, 100))
    image.paste(RIGHT, (200, 0, 300, 100))
    output = io.BytesIO()
    image.save(output, "PNG")
    return ContentFile(output.getvalue(), name=name)


@pytest.fixture
def storage(monkeypatch):
    storage = InMemoryThumbnailStorage()
    for model in (Portrait, HiddenPortrait, SignedPortrait):
        monkeypatch.setattr(model._meta.get_field("image"), "_given", storage)
    return storage


@pytest.fixture
def generated(storage, monkeypatch):
    """What is generated again: names with their thumbs."""
    calls = []
    generate = InMemoryThumbnailStorage.generate_thumbs

    def noted(self, name, only=None, focal=None):
        calls.append((name, None if only is None else list(only), focal))
        return generate(self, name, only, focal)

    monkeypatch.setattr(InMemoryThumbnailStorage, "generate_thumbs", noted)
    return calls


@pytest.fixture
def saved(django_capture_on_commit_callbacks):
    """Saves a row, and does what is to be done after the commit."""

    def save(row, **options):
        with django_capture_on_commit_callbacks(execute=True):
            row.save(**options)
        return row

    return save


def shown(storage, name, thumb="face"):
    key = f"{name}.thumbs/{thumb}.png"
    return COLOURS[colour_at(image_in(storage, key), 10, 10)]


@pytest.mark.parametrize(
    ("focus", "colour"), [("0.0,0.5", LEFT), ("", MIDDLE), ("0.5,0.5", MIDDLE), ("0.9, 0.1", RIGHT), ("1,1", RIGHT)]
)
@pytest.mark.parametrize("model", [Portrait, HiddenPortrait, SignedPortrait])
def test_an_upload_is_cropped_around_the_point_of_its_row(storage, saved, generated, model, focus, colour):
    row = saved(model(image=photo(), image_focus=focus))
    assert shown(storage, row.image.name) == colour
    assert shown(storage, row.image.name, "middle") == MIDDLE
    assert colour_at(image_in(storage, f"{row.image.name}.thumbs/face.gif"), 10, 10) != (0, 0, 0)
    assert generated == []


@pytest.mark.parametrize("model", [Portrait, HiddenPortrait, SignedPortrait])
def test_another_point_makes_the_focal_crops_again_and_only_these(storage, saved, generated, model):
    name = saved(model(image=photo())).image.name
    middle = content_of(storage, f"{name}.thumbs/middle.png")
    row = model.objects.get()
    row.image_focus = "0.9,0.5"
    saved(row)
    assert generated == [(name, ["face"], (0.9, 0.5))]
    assert shown(storage, name) == RIGHT
    assert content_of(storage, f"{name}.thumbs/middle.png") == middle
    row.image_focus = ""
    saved(row)
    assert shown(storage, name) == MIDDLE
    saved(row)
    assert len(generated) == 2


def test_the_same_point_makes_nothing_again(storage, saved, generated):
    saved(Portrait(image=photo(), image_focus="0.9,0.5"))
    row = Portrait.objects.get()
    row.title = "Cat"
    saved(row)
    saved(row, update_fields=["title"])
    assert generated == []


def test_a_point_that_is_not_saved_makes_nothing_again(storage, saved, generated):
    row = saved(Portrait(image=photo()))
    row.image_focus = "0.9,0.5"
    saved(row, update_fields=["title"])
    assert generated == []
    saved(row, update_fields=["image_focus"])
    assert generated == [(row.image.name, ["face"], (0.9, 0.5))]


def test_it_waits_for_the_commit(storage, generated, django_capture_on_commit_callbacks):
    row = Portrait.objects.create(image=photo())
    with django_capture_on_commit_callbacks(execute=True):
        with transaction.atomic():
            row.image_focus = "0.9,0.5"
            row.save()
        assert generated == []
    assert len(generated) == 1


def test_what_is_rolled_back_makes_nothing_again(storage, generated, django_capture_on_commit_callbacks):
    row = Portrait.objects.create(image=photo())
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(ZeroDivisionError), transaction.atomic():
        row.image_focus = "0.9,0.5"
        row.save()
        raise ZeroDivisionError
    assert generated == []
    assert shown(storage, row.image.name) == MIDDLE


def test_a_save_after_a_rollback_makes_it_good(storage, generated, django_capture_on_commit_callbacks):
    row = Portrait.objects.create(image=photo())
    row.image_focus = "0.9,0.5"
    with django_capture_on_commit_callbacks(execute=True):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            row.save()
            raise ZeroDivisionError
        row.save()
    assert generated == [(row.image.name, ["face"], (0.9, 0.5))]
    assert shown(storage, row.image.name) == RIGHT


def test_of_several_saves_in_a_transaction_the_last_counts(storage, generated, django_capture_on_commit_callbacks):
    row = Portrait.objects.create(image=photo())
    with django_capture_on_commit_callbacks(execute=True):
        for focus in ("0.1,0.5", "0.9,0.5"):
            row.image_focus = focus
            row.save()
    assert generated == [(row.image.name, ["face"], (0.9, 0.5))]
    with django_capture_on_commit_callbacks(execute=True):
        for focus in ("0.1,0.5", "0.9,0.5"):
            row.image_focus = focus
            row.save()
    assert len(generated) == 1
    assert shown(storage, row.image.name) == RIGHT


def test_another_file_is_cropped_once(storage, saved, generated):
    row = saved(Portrait(image=photo()))
    row.image, row.image_focus = photo("dog.png"), "0.1,0.5"
    saved(row)
    assert generated == []
    assert shown(storage, "portraits/dog.png") == LEFT


def test_rows_that_share_a_file_share_its_crops(storage, saved, generated):
    first = saved(Portrait(image=photo(), image_focus="0.1,0.5"))
    second = saved(Portrait(image=first.image.name, image_focus="0.9,0.5"))
    assert shown(storage, first.image.name) == RIGHT
    saved(Portrait(image=first.image.name))
    assert len(generated) == 1
    copied = Portrait.objects.get(pk=second.pk)
    copied.pk, copied._state.adding, copied.image_focus = None, True, "0.5,0.5"
    saved(copied)
    assert shown(storage, first.image.name) == MIDDLE


def test_a_row_that_is_loaded_without_its_file_makes_nothing_again(storage, saved, generated):
    saved(Portrait(image=photo()))
    row = Portrait.objects.only("title").get()
    row.title = "Cat"
    saved(row)
    assert generated == []


def test_a_failure_is_logged_and_signalled(storage, saved, caplog):
    row = saved(Portrait(image=photo()))
    storage.delete(row.image.name)
    heard = []

    def hear(**words):
        heard.append(words)

    thumbs_failed.connect(hear)
    try:
        row.image_focus = "0.9,0.5"
        saved(row)
    finally:
        thumbs_failed.disconnect(hear)
    assert [(words["name"], type(words["error"])) for words in heard] == [(row.image.name, FileNotFoundError)]
    assert row.image.name in caplog.text
    assert Portrait.objects.get().image_focus == "0.9,0.5"


@pytest.mark.parametrize("focus", ["left", "0.5", "0.5,0.5,0.5", "1.1,0", "-0.1,0", "nan,0", "0,inf", "0;0"])
def test_what_is_no_point_is_refused_with_an_upload_and_before(storage, focus):
    row = Portrait(image=photo(), image_focus=focus)
    with pytest.raises(InvalidFocalPoint, match=r"shop\.Portrait\.image_focus: "):
        row.save()
    assert storage.listdir("") == ([], [])
    with pytest.raises(ValidationError) as caught:
        row.clean_fields(exclude=["image"])
    assert caught.value.error_dict["image_focus"][0].code == "invalid_focal_point"


def test_what_is_no_point_breaks_no_page(storage, saved, caplog):
    row = saved(Portrait(image=photo(), image_focus="0.1,0.5"))
    row.image_focus = "left"
    assert row.image.url_for_thumb("face").endswith("face.png")
    saved(row)
    assert "image_focus: 'left' is not two fractions" in caplog.text
    assert shown(storage, row.image.name) == LEFT


def test_the_url_of_a_focal_crop_follows_its_point(storage, settings, django_assert_num_queries):
    row = Portrait(image="portraits/cat.png", image_focus="0.30,0.2")
    face = "portraits/cat.png.thumbs/face"
    assert row.image.url_for_thumb("face").endswith(f"{face}.png?focal=0.3,0.2")
    assert row.image.url_for_thumb("face", "GIF").endswith(f"{face}.gif?focal=0.3,0.2")
    assert row.image.url_for_thumb("middle").endswith("middle.png")
    settings.MEDIA_CACHE_BUSTER = "7"
    assert row.image.url_for_thumb("face").endswith("?cbust=7&focal=0.3,0.2")
    row.image_focus = ""
    assert row.image.url_for_thumb("face", cache_bust=False).endswith(f"{face}.png")
    Portrait.objects.create(title="Cat")
    loaded = Portrait.objects.defer("image_focus").get()
    loaded.image = "portraits/cat.png"
    with django_assert_num_queries(0):
        assert loaded.image.url_for_thumb("face", cache_bust=False).endswith(f"{face}.png")


def test_a_signed_url_stays_as_it_is(make_s3):
    storage = make_s3(thumbs=Portrait._meta.get_field("image").thumbs, querystring_auth=True)
    assert "focal" not in storage.url_for_thumb("cat.png", "face", focal=(0.1, 0.2))
    public = make_s3(thumbs=Portrait._meta.get_field("image").thumbs, querystring_auth=False)
    assert public.url_for_thumb("cat.png", "face", focal=(0.1, 0.2)).endswith("face.png?focal=0.1,0.2")


def test_the_template_tag_knows_the_point(storage):
    from django.template import engines

    template = engines["django"].from_string("{% load athumb %}{% thumbnail row.image 'face' %}")
    row = Portrait(image="portraits/cat.png", image_focus="0.3,0.2")
    assert template.render({"row": row}).endswith("face.png?focal=0.3,0.2")


def test_generate_thumbs_takes_a_point(storage, saved):
    name = saved(Portrait(image=photo())).image.name
    field = Portrait._meta.get_field("image")
    field.storage.generate_thumbs(name, focal=(0.1, 0.5))
    assert shown(storage, name) == LEFT
    field.storage.generate_thumbs(name)
    assert shown(storage, name) == MIDDLE
    with pytest.raises(InvalidFocalPoint, match=r"cat.*1\.5"):
        field.storage.generate_thumbs(name, focal=(1.5, 0))


def test_regeneration_hands_on_the_point_of_each_row(storage, saved):
    names = [saved(Portrait(image=photo(f"{focus}.png"), image_focus=focus)).image.name for focus in ("0,0", "1,1", "")]
    field = Portrait._meta.get_field("image")
    for name in names:
        field.storage.delete_thumbs(name)
    Portrait.objects.create(image=names[0], image_focus="1,0")  # of rows that share a file, the last counts
    results = [*regenerate(Portrait.objects.all(), field)]
    assert sorted(result.outcome.value for result in results) == ["generated"] * 4
    assert [shown(storage, name) for name in names] == [RIGHT, RIGHT, MIDDLE]


def test_regeneration_reports_a_row_whose_point_is_none(storage, saved):
    row = saved(Portrait(image=photo()))
    Portrait.objects.update(image_focus="left")
    [result] = regenerate(Portrait.objects.all(), Portrait._meta.get_field("image"))
    assert (result.pk, result.outcome.value) == (row.pk, "failed")
    assert "'left' is not two fractions" in result.reason
