"""The app for Django's admin, by the pages that it changes."""

from __future__ import annotations

import html
import json
import re

import pytest
from django import forms
from django.contrib import admin
from django.contrib.admin.options import FORMFIELD_FOR_DBFIELD_DEFAULTS
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.fields.files import FieldFile
from django.urls import path

from athumb_storage import Responsive, UnknownThumb
from athumb_storage.contrib.admin import ThumbColumn
from athumb_storage.contrib.admin.pictures import preview_thumb, uncropped_thumb
from athumb_storage.contrib.admin.widgets import ThumbsFileWidget
from athumb_storage.fields import ThumbsFieldMixin
from athumb_storage.storages import InMemoryThumbnailStorage
from athumb_storage.thumbsets import ThumbSet
from tests.conftest import draw, upload
from tests.shop.models import Album, AlbumPhoto, Book, Document, Plain, Portrait, Product, Sized

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

HOSTILE = 'a"><script>alert(1)</script>.jpg'


class PhotoInline(admin.TabularInline):
    model = AlbumPhoto
    extra = 1


class AlbumAdmin(admin.ModelAdmin):
    inlines = [PhotoInline]


class PhotoAdmin(admin.ModelAdmin):
    list_display = ["id", ThumbColumn("image", "small"), ThumbColumn("image", short_description="Look")]


class ProductAdmin(admin.ModelAdmin):
    list_display = ["name", ThumbColumn("image", "60x60", empty="no <image>"), ThumbColumn("image")]


class BookAdmin(admin.ModelAdmin):
    list_display = ["name", ThumbColumn("product_ptr__image", "60x60")]


class PortraitAdmin(admin.ModelAdmin):
    readonly_fields = ["image_focus"]


class DocumentAdmin(admin.ModelAdmin):
    list_display = ["id", ThumbColumn("manual", "nothing")]


class SizedAdmin(admin.ModelAdmin):
    formfield_overrides = {ThumbsFieldMixin: {"widget": forms.FileInput(attrs={"class": "own"})}}


site = admin.AdminSite(name="admin")
for model, model_admin in {
    Album: AlbumAdmin,
    AlbumPhoto: PhotoAdmin,
    Product: ProductAdmin,
    Book: BookAdmin,
    Portrait: PortraitAdmin,
    Document: DocumentAdmin,
    Sized: SizedAdmin,
    Plain: admin.ModelAdmin,
}.items():
    site.register(model, model_admin)
urlpatterns = [path("admin/", site.urls)]


@pytest.fixture
def storage(monkeypatch):
    storage = InMemoryThumbnailStorage(base_url="/media/")
    for model in (AlbumPhoto, Product, Portrait, Sized):
        monkeypatch.setattr(model._meta.get_field("image"), "_given", storage)
    monkeypatch.setattr(Document._meta.get_field("manual"), "_given", storage)
    return storage


@pytest.fixture
def page(admin_client):
    """Fetches a page of the admin."""

    def get(address):
        answer = admin_client.get(f"/admin/shop/{address}")
        assert answer.status_code == 200
        return answer.content.decode()

    return get


@pytest.fixture
def album_photo(storage):
    return AlbumPhoto.objects.create(album=Album.objects.create(title="Cats"), image=upload("cat.jpg"))


@pytest.fixture
def no_requests(monkeypatch):
    """From when it is called on, the storage may not be asked."""

    def refuse(self, *args, **kwargs):
        raise AssertionError("the storage was asked")

    def start():
        for name in ("_open", "_save", "exists", "size", "listdir", "delete", "get_modified_time"):
            monkeypatch.setattr(InMemoryStorage, name, refuse)

    return start


def image_tags(page):
    """Those of pictures; the icons of the admin are not lazy."""
    return [tag for tag in re.findall("<img[^>]*>", page) if "lazy" in tag]


def picker(page):
    """What the script is told."""
    return json.loads(html.unescape(re.search('data-picker="([^"]*)"', page)[1]))


class TestPreview:
    def test_a_field_shows_its_smallest_thumb_with_a_link_to_the_original(self, storage, page):
        product = Product.objects.create(image=upload("cat.jpg"))
        text = page(f"product/{product.pk}/change/")
        thumb = "/media/products/cat.jpg.thumbs/50x50_cropped.jpg"
        tag = f'<img alt="cat.jpg" height="50" loading="lazy" src="{thumb}" width="50">'
        assert f'<a href="/media/products/cat.jpg">{tag}<span>Original</span></a>' in text
        assert image_tags(text) == [tag]
        assert 'type="file" name="image"' in text
        assert 'name="image-clear"' in text
        assert "athumb-picker" not in text

    def test_the_page_has_a_style_sheet_and_a_script_and_nothing_inline(self, album_photo, page):
        text = page(f"albumphoto/{album_photo.pk}/change/")
        assert '<link href="/static/athumb_storage/admin.css"' in text
        assert '<script src="/static/athumb_storage/admin.js" defer></script>' in text
        ours = text[text.index('<div class="athumb">') :]
        assert " style=" not in ours[: ours.index('type="file"')]

    def test_a_size_that_is_not_known_is_left_out(self, storage, page, monkeypatch):
        monkeypatch.setattr(Product._meta.get_field("image"), "thumbs", ThumbSet({"60x60": {"size": (60, 60)}}))
        product = Product.objects.create(image=upload("cat.jpg"))
        [tag] = image_tags(page(f"product/{product.pk}/change/"))
        assert tag == '<img alt="cat.jpg" loading="lazy" src="/media/products/cat.jpg.thumbs/60x60.jpg">'

    def test_an_empty_field_has_none(self, storage, page):
        product = Product.objects.create()
        assert "athumb-preview" not in page(f"product/{product.pk}/change/")
        assert "athumb-preview" not in page("product/add/")

    def test_a_file_that_is_no_image_has_none(self, storage, page, monkeypatch):
        monkeypatch.setattr(DocumentAdmin, "list_display", ["id", ThumbColumn("manual", "page")])
        document = Document.objects.create(manual=ContentFile(b"%PDF-1.7", name="cat.pdf"))
        text = page(f"document/{document.pk}/change/")
        assert image_tags(text) == []
        assert 'href="/media/manuals/cat.pdf"' in text
        assert "manuals" not in page("document/")

    def test_a_storage_that_makes_no_thumbs_has_none(self, page, monkeypatch):
        monkeypatch.setattr(Product._meta.get_field("image"), "_given", InMemoryStorage(base_url="/media/"))
        product = Product.objects.create(image=upload("cat.jpg"))
        assert image_tags(page(f"product/{product.pk}/change/")) == []
        assert image_tags(page("product/")) == []

    @pytest.mark.parametrize("data", [draw(size=(10, 90)), b"text"])
    def test_beside_an_upload_that_is_refused_it_shows_what_is_stored(self, album_photo, admin_client, data):
        address = f"/admin/shop/albumphoto/{album_photo.pk}/change/"
        refused = {"album": "", "focus": "left", "image": upload("dog.jpg", data)}
        text = admin_client.post(address, refused).content.decode()
        [tag] = image_tags(text)
        assert 'src="/media/albums/cat.jpg.thumbs/medium.jpg"' in tag
        assert picker(text)["original"] == (None if data != b"text" else [300, 200])
        assert ("width" in tag) == (data == b"text")
        assert 'value="left"' in text

    def test_an_upload_has_none(self):
        upload = SimpleUploadedFile("cat.jpg", b"")
        assert "athumb-preview" not in ThumbsFileWidget().render("image", upload)

    def test_hostile_names_are_escaped(self, page, storage):
        product = Product.objects.create(image=f"products/{HOSTILE}")
        for text in (page(f"product/{product.pk}/change/"), page("product/")):
            assert "<script>alert" not in text
            assert all(re.fullmatch(r'<img( [a-z]+="[^"<>]*")+>', tag) for tag in image_tags(text))
            assert 'alt="script&gt;.jpg"' in text

    def test_neither_storage_nor_database_is_asked(self, album_photo, page, no_requests, django_assert_num_queries):
        address = f"albumphoto/{album_photo.pk}/change/"
        page(address)
        no_requests()
        assert image_tags(page(address)) != []
        row = AlbumPhoto.objects.get()
        with django_assert_num_queries(0):
            assert image_tags(ThumbsFileWidget().render("image", row.image)) != []

    def test_an_override_of_the_project_counts(self, storage, page):
        row = Sized.objects.create(image=upload("cat.jpg"))
        text = page(f"sized/{row.pk}/change/")
        assert image_tags(text) == []
        assert 'class="own"' in text

    def test_other_file_fields_stay_as_they_are(self, page):
        text = page("plain/add/")
        assert 'type="file"' in text
        assert "athumb" not in text
        assert ThumbsFieldMixin in FORMFIELD_FOR_DBFIELD_DEFAULTS


class TestPicker:
    def test_a_focal_field_in_the_form_gets_one(self, album_photo, page):
        text = page(f"albumphoto/{album_photo.pk}/change/")
        [tag] = image_tags(text)
        assert 'src="/media/albums/cat.jpg.thumbs/medium.jpg"' in tag
        assert ('width="300"' in tag, 'height="200"' in tag) == (True, True)
        assert picker(text) == {
            "input": "focus",
            "original": [300, 200],
            "crops": [
                {"name": "face", "size": [80, 80], "upscale": True},
                {"name": "banner", "size": [240, 60], "upscale": False},
            ],
            "told": "{x} from the left, {y} from the top",
        }
        assert '<input type="text" name="focus"' in text

    def test_an_inline_names_the_input_of_its_row(self, album_photo, page):
        text = page(f"album/{album_photo.album_id}/change/")
        assert picker(text)["input"] == "photos-0-focus"
        assert 'name="photos-0-focus"' in text
        assert text.count("data-picker") == 1
        assert 'id="id_photos-0-image_focal_hint"' in text

    def test_without_a_fit_it_shows_the_original(self, storage, page):
        portrait = Portrait.objects.create(image=upload("cat.jpg"))
        text = page(f"portrait/{portrait.pk}/change/")
        assert image_tags(text) == ['<img alt="cat.jpg" loading="lazy" src="/media/portraits/cat.jpg">']
        assert picker(text)["original"] is None

    def test_of_a_responsive_set_one_crop_is_shown(self, album_photo, page, monkeypatch):
        field = AlbumPhoto._meta.get_field("image")
        hero = Responsive(widths=(40, 80, 400), ratio=(2, 1), crop="focal")
        monkeypatch.setattr(field, "thumbs", ThumbSet({"hero": hero}))
        monkeypatch.setattr(field, "_bound", None)
        crops = picker(page(f"albumphoto/{album_photo.pk}/change/"))["crops"]
        assert crops == [{"name": "hero-400", "size": [300, 150], "upscale": False}]

    def test_it_is_translated(self, album_photo, page, settings):
        settings.LANGUAGE_CODE = "de"
        text = page(f"albumphoto/{album_photo.pk}/change/")
        assert 'aria-label="Fokuspunkt"' in text
        assert picker(text)["told"] == "{x} von links, {y} von oben"


@pytest.mark.parametrize(
    ("sizes", "name"),
    [({"a": (20, 30), "b": (20, 20), "admin": (90, 90)}, "admin"), ({"a": (20, 30), "b": (None, 24)}, "b")],
)
def test_the_thumb_of_a_preview(sizes, name):
    assert preview_thumb(ThumbSet({name: {"size": size} for name, size in sizes.items()})) == name


@pytest.mark.parametrize(
    ("thumbs", "name"),
    [
        ({"a": {"size": (600, 600)}, "b": {"size": (None, 240)}, "c": {"size": (100, 100)}}, "b"),
        ({"a": {"size": (100, 100)}, "b": {"size": (200, None)}}, "b"),
        ({"a": {"size": (300, 300), "crop": True}, "b": {"size": (300, 300), "pad": "red"}}, None),
    ],
)
def test_the_picture_of_a_picker(thumbs, name):
    assert uncropped_thumb(ThumbSet(thumbs)) == name


class TestColumn:
    def test_it_shows_a_thumb(self, album_photo, page):
        text = page("albumphoto/")
        assert image_tags(text) == [
            '<img alt="cat.jpg" height="80" loading="lazy" src="/media/albums/cat.jpg.thumbs/small.jpg" width="120">',
            '<img alt="cat.jpg" height="40" loading="lazy" src="/media/albums/cat.jpg.thumbs/admin.jpg" width="60">',
        ]
        assert re.search(r"column-image_thumb.*Image.*Look", text, re.DOTALL)

    def test_a_row_without_a_file_shows_what_is_said_for_it(self, storage, page):
        Product.objects.create(name="Cat")
        text = page("product/")
        assert "no &lt;image&gt;" in text
        assert '<td class="field-image_thumb">-</td>' in text

    def test_it_follows_relations(self, storage, page):
        Book.objects.create(name="Cat", image=upload("cat.jpg"))
        assert 'src="/media/products/cat.jpg.thumbs/60x60.jpg"' in page("book/")
        assert ThumbColumn("author__image")(Book(name="Cat")) is None

    def test_an_unknown_thumb_is_named(self, storage, page):
        Document.objects.create(manual=upload("cat.jpg"))
        with pytest.raises(UnknownThumb, match="'nothing'"):
            page("document/")

    def test_a_list_costs_no_more_for_its_thumbs(self, album_photo, page, no_requests, django_assert_num_queries):
        page("albumphoto/")
        for name in ("b.jpg", "c.jpg"):
            AlbumPhoto.objects.create(album=album_photo.album, image=f"albums/{name}")
        no_requests()
        with django_assert_num_queries(5):  # session, user, two counts and the rows
            assert len(image_tags(page("albumphoto/"))) == 6


def test_what_is_no_field_file_is_passed_over():
    column = ThumbColumn("name")
    assert column(Product(name="cat.jpg")) is None
    assert column(Product(image=FieldFile(None, Product._meta.get_field("image"), "cat.jpg"))) is None
