"""Fields with thumbs: from a form, an admin page or a line of code to what is stored."""

from __future__ import annotations

import io
import re

import pytest
from django import forms
from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models, transaction
from django.db.models.fields.files import FieldFile
from django.test.utils import isolate_apps
from django.urls import path
from PIL import Image

from athumb_storage import (
    AthumbError,
    InvalidThumb,
    OriginalSizeUnknown,
    Thumb,
    UnknownThumb,
    UploadedImageIsUnreadableError,
)
from athumb_storage.fields import FileWithThumbsField, ImageWithThumbsField, ThumbsFieldFile, ThumbsFieldMixin
from athumb_storage.storages import InMemoryThumbnailStorage
from tests.conftest import content_of, draw, image_in, noise, stored, upload
from tests.shop.models import OWN, Book, Document, Plain, Product, SaleProduct, Sized, SizedField


class ShopAdmin(admin.AdminSite):
    pass


site = ShopAdmin(name="admin")
site.register(Product)
urlpatterns = [path("admin/", site.urls)]

PRODUCT_KEYS = [
    "products/cat.jpg",
    "products/cat.jpg.thumbs/50x50_cropped.jpg",
    "products/cat.jpg.thumbs/60x60.jpg",
    "products/cat.jpg.thumbs/large.webp",
]


@pytest.fixture
def memory(settings):
    """A default storage of the test's own, in memory."""
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "athumb_storage.storages.InMemoryThumbnailStorage"},
    }
    return default_storage


@pytest.fixture(params=["file", "memory", "s3"])
def default(request, settings, tmp_path):
    """A default storage of each kind."""
    backend, options = {
        "file": ("FileSystemThumbnailStorage", {"location": tmp_path}),
        "memory": ("InMemoryThumbnailStorage", {}),
        "s3": ("S3ThumbnailStorage", request.param == "s3" and request.getfixturevalue("s3_options")),
    }[request.param]
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": f"athumb_storage.storages.{backend}", "OPTIONS": options},
    }
    return default_storage


@pytest.fixture(autouse=True)
def empty_storages():
    """The storages that fields hold themselves, emptied before each test."""
    for storage in (OWN, Sized._meta.get_field("image").storage):
        for name in stored(storage):
            InMemoryThumbnailStorage.delete(storage, name)


class ProductForm(forms.ModelForm):
    class Meta:
        model = Product
        fields = ["name", "image"]


def product_form(data, name="cat.jpg", instance=None):
    return ProductForm({"name": "Cat"}, {"image": SimpleUploadedFile(name, data)}, instance=instance)


# Every way to save


def check_product(storage, product):
    assert product.image.name == "products/cat.jpg"
    assert stored(storage) == PRODUCT_KEYS
    sizes = [image_in(storage, key).size for key in PRODUCT_KEYS[1:]]
    assert sizes == [(50, 50), (60, 40), (200, 133)]
    assert image_in(storage, PRODUCT_KEYS[3]).format == "WEBP"


@pytest.mark.django_db
def test_a_model_form_stores_the_thumbs(default):
    form = product_form(draw())
    assert form.is_valid(), form.errors
    check_product(default, Product.objects.get(pk=form.save().pk))


@pytest.mark.django_db
def test_the_fields_file_stores_the_thumbs(default):
    product = Product()
    product.image.save("cat.jpg", ContentFile(draw()))
    check_product(default, Product.objects.get(pk=product.pk))


@pytest.mark.django_db
def test_creating_a_row_stores_the_thumbs(default, tmp_path_factory):
    photo = tmp_path_factory.mktemp("photos") / "cat.jpg"
    photo.write_bytes(draw())
    with photo.open("rb") as file:
        product = Product.objects.create(image=File(file, name="cat.jpg"))
    check_product(default, Product.objects.get(pk=product.pk))


@pytest.mark.django_db
@pytest.mark.urls(__name__)
def test_the_admin_stores_the_thumbs(default, admin_client):
    answer = admin_client.post("/admin/shop/product/add/", {"name": "Cat", "image": upload()})
    assert answer.status_code == 302, answer.content
    check_product(default, Product.objects.get())


@pytest.mark.django_db
@pytest.mark.urls(__name__)
def test_the_admin_refuses_what_is_no_image(memory, admin_client):
    answer = admin_client.post("/admin/shop/product/add/", {"name": "Cat", "image": upload(data=b"no image")})
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors["image"]
    assert stored(memory) == []
    assert not Product.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("model", [SaleProduct, Book])
def test_proxies_and_children_store_the_thumbs(memory, model):
    check_product(memory, model.objects.create(image=upload()))


@pytest.mark.django_db
def test_a_form_replaces_the_image(memory):
    product = product_form(draw()).save()
    product = product_form(draw(color="blue"), instance=product).save()
    assert re.fullmatch(r"products/cat_\w{7}\.jpg", product.image.name)
    assert image_in(memory, f"{product.image.name}.thumbs/60x60.jpg").getpixel((5, 5))[2] > 200
    assert len(stored(memory)) == 8  # Django leaves the old file to the project


@pytest.mark.parametrize("data", [b"", b"no image"])
def test_a_form_with_a_bad_image_is_invalid(memory, data):
    form = product_form(data)
    assert not form.is_valid()
    assert list(form.errors) == ["image"]
    assert stored(memory) == []


@pytest.mark.django_db
def test_an_image_that_only_fails_at_decoding_is_refused_and_nothing_is_stored(memory):
    data = noise()
    with pytest.raises(UploadedImageIsUnreadableError, match=r"products/cat\.jpg"), transaction.atomic():
        Product.objects.create(image=upload(data=data[: len(data) // 2]))
    with pytest.raises(UploadedImageIsUnreadableError, match="not an image"):
        Product().image.save("cat.jpg", ContentFile(b"text"))
    assert stored(memory) == []
    assert not Product.objects.exists()


@pytest.mark.django_db
def test_a_file_field_takes_images_and_others(memory):
    image = Document.objects.create(manual=upload("cover.png", format="PNG"))
    text = Document.objects.create(manual=ContentFile(b"%PDF-1.7", name="manual.pdf"))
    assert stored(memory) == ["manuals/cover.png", "manuals/cover.png.thumbs/page.png", "manuals/manual.pdf"]
    assert content_of(memory, text.manual.name) == b"%PDF-1.7"
    assert image.manual.url_for_thumb("page").endswith("/manuals/cover.png.thumbs/page.png")


@pytest.mark.django_db
def test_plain_fields_have_the_thumbs_of_their_storage():
    plain = Plain.objects.create(file=upload("a.jpg"), image=upload("b.png", format="PNG"))
    assert stored(OWN) == [
        "files/a.jpg",
        "files/a.jpg.thumbs/cover.jpg",
        "images/b.png",
        "images/b.png.thumbs/cover.png",
    ]
    assert image_in(OWN, "files/a.jpg.thumbs/cover.jpg").size == (30, 30)
    assert plain.file.storage.url_for_thumb(plain.file.name, "cover").endswith("/files/a.jpg.thumbs/cover.jpg")
    Plain.objects.create(file=ContentFile(b"text", name="c.txt"))
    assert "files/c.txt" in stored(OWN)
    plain.file.delete(save=False)
    plain.image.delete(save=False)
    assert stored(OWN) == ["files/c.txt"]


@pytest.mark.django_db
def test_a_projects_own_field_has_thumbs():
    sized = Sized.objects.create(image=upload(size=(300, 200)))
    storage = sized.image.storage
    assert stored(storage) == [
        "sized/cat.jpg",
        "sized/cat.jpg.thumbs/small.jpg",
        "sized/cat.jpg.thumbs/square.jpg",
    ]
    assert isinstance(sized.image, ThumbsFieldFile)
    assert (sized.width, sized.height) == (300, 200)


@pytest.mark.django_db
def test_deleting_the_file_deletes_its_thumbs(default):
    product = Product.objects.create(image=upload())
    product.image.delete()
    assert stored(default) == []
    assert not Product.objects.get().image


# Once is enough


class Counting(InMemoryThumbnailStorage):
    """Counts what is stored in it."""

    def __init__(self, **options):
        super().__init__(**options)
        self.count = 0

    def _write_upload(self, *args, **options):
        self.count += 1
        return super()._write_upload(*args, **options)

    def _write_thumb(self, *args, **options):
        self.count += 1
        return super()._write_thumb(*args, **options)


@pytest.fixture
def counting(settings):
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": f"{__name__}.Counting"}}
    return default_storage


@pytest.mark.django_db
def test_saving_a_model_again_generates_nothing(counting):
    product = Product.objects.create(image=upload())
    assert counting.count == 4
    product.name = "Dog"
    product.save()
    product.save(update_fields=["image"])
    Product.objects.get(pk=product.pk).save()
    form = ProductForm({"name": "Horse"}, instance=product)
    assert form.is_valid()
    form.save()
    assert counting.count == 4
    assert len(stored(counting)) == 4


@pytest.mark.django_db
def test_a_file_that_is_stored_already_is_not_stored_twice(counting):
    product = Product.objects.create(image=upload())
    other = Product(image=product.image)
    other.save()
    Product.objects.create(image=product.image.name)
    assert counting.count == 4
    assert {row.image.name for row in Product.objects.all()} == {"products/cat.jpg"}


# URLs and sizes


def test_the_url_of_a_thumb(memory, settings):
    product = Product(image="products/a b.jpg")
    assert product.image.url_for_thumb("60x60") == "/media/products/a%20b.jpg.thumbs/60x60.jpg"
    assert product.image.url_for_thumb("large") == "/media/products/a%20b.jpg.thumbs/large.webp"
    large = Thumb(size=(200, 1000), format="WEBP", quality=80)
    assert product.image.url_for_thumb(large) == product.image.url_for_thumb("large")
    settings.MEDIA_CACHE_BUSTER = "7"
    assert product.image.url_for_thumb("60x60").endswith("60x60.jpg?cbust=7")
    assert product.image.url_for_thumb("60x60", cache_bust=False).endswith("60x60.jpg")


@pytest.mark.django_db
def test_the_url_of_a_thumb_asks_nobody(django_assert_num_queries, make_s3, requests_sent, settings, s3_options):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "athumb_storage.storages.S3ThumbnailStorage", "OPTIONS": s3_options},
    }
    product = Product(image="products/cat.jpg")
    with django_assert_num_queries(0):
        assert "large.webp" in product.image.url_for_thumb("large")
        assert product.image.thumb_size("50x50_cropped") == (50, 50)
    assert len(requests_sent) == 0


@pytest.mark.parametrize("name", ["", None])
@pytest.mark.parametrize("method", ["url_for_thumb", "thumb_size"])
def test_without_a_file_there_is_neither_url_nor_size(memory, name, method):
    with pytest.raises(ValueError, match="no file"):
        getattr(Product(image=name).image, method)("60x60")


@pytest.mark.parametrize("method", ["url_for_thumb", "thumb_size"])
def test_an_unknown_thumb_lists_those_of_the_field(memory, method):
    with pytest.raises(UnknownThumb, match=r"'huge'.*'50x50_cropped', '60x60', 'large'"):
        getattr(Product(image="products/cat.jpg").image, method)("huge")


@pytest.mark.parametrize(
    ("options", "original", "size"),
    [
        ({"size": (20, 20)}, (300, 200), (20, 13)),
        ({"size": (20, 20)}, (200, 300), (13, 20)),
        ({"size": (20, 20)}, (10, 5), (20, 10)),
        ({"size": (20, 20), "upscale": False}, (10, 5), (10, 5)),
        ({"size": (20, 20), "crop": True}, (300, 200), (20, 20)),
        ({"size": (20, 20), "crop": "top"}, (10, 5), (20, 20)),
        ({"size": (20, 20), "crop": True, "upscale": False}, (10, 50), (10, 20)),
        ({"size": (20, 20)}, (3000, 10), (20, 1)),
        ({"size": (20, None)}, (300, 200), (20, 13)),
        ({"size": (None, 20)}, (300, 200), (30, 20)),
        ({"size": (20, 30), "pad": "white"}, (300, 200), (20, 30)),
    ],
)
@pytest.mark.django_db
def test_the_size_of_a_thumb_is_that_of_its_pixels(options, original, size):
    sized = Sized.objects.create(image=upload("cat.png", size=original, format="PNG"))
    storage = sized.image.storage.with_thumbs({"t": options})
    sized.image.storage = storage
    storage.generate_thumbs(sized.image.name, only=["t"])
    assert sized.image.thumb_size("t") == image_in(storage, storage.thumb_key(sized.image.name, "t")).size == size


@pytest.mark.parametrize(
    ("options", "original", "sizes"),
    [
        ({"size": (20, 20)}, (300, 200), [(20, 13), (40, 27)]),
        ({"size": (20, 20)}, (30, 20), [(20, 13), (30, 20)]),
        ({"size": (20, 20), "crop": True}, (60, 40), [(20, 20), (40, 40)]),
        ({"size": (20, 20), "crop": True}, (60, 30), [(20, 20), (30, 30)]),
        ({"size": (20, 20), "pad": "white"}, (30, 10), [(20, 20), (30, 30)]),
    ],
)
@pytest.mark.django_db
def test_the_size_of_a_density_is_that_of_its_pixels(options, original, sizes):
    sized = Sized.objects.create(image=upload("cat.png", size=original, format="PNG"))
    storage = sized.image.storage.with_thumbs({"t": {**options, "densities": (1, 2)}})
    sized.image.storage = storage
    storage.generate_thumbs(sized.image.name, only=["t"])
    for density, size in zip((1, 2), sizes, strict=True):
        key = storage.thumb_key(sized.image.name, "t", density=density)
        assert sized.image.thumb_size("t", density) == image_in(storage, key).size == size
    with pytest.raises(UnknownThumb, match="'t' has no density 3"):
        sized.image.thumb_size("t", 3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.django_db
def test_the_size_of_a_thumb_of_a_photo_that_lies_on_its_side(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    sized = Sized.objects.create(image=upload(size=(300, 200), exif=exif))
    stored_size = image_in(sized.image.storage, sized.image.storage.thumb_key(sized.image.name, "small")).size
    assert sized.image.thumb_size("small") == stored_size


@pytest.mark.django_db
def test_the_size_of_a_thumb_reads_no_file():
    sized = Sized.objects.create(image=upload())
    InMemoryThumbnailStorage.delete(sized.image.storage, sized.image.name)
    assert Sized.objects.get(pk=sized.pk).image.thumb_size("small") == (20, 13)


def test_a_size_that_follows_from_the_originals_is_unknown_without_it(memory):
    with pytest.raises(OriginalSizeUnknown, match=r"shop\.Product\.image.*products/cat\.jpg"):
        Product(image="products/cat.jpg").image.thumb_size("60x60")
    with pytest.raises(OriginalSizeUnknown):
        Document(manual="manuals/cat.jpg").manual.thumb_size("page")
    product = Product(image="products/cat.jpg")
    assert product.image.thumb_size("50x50_cropped") == (50, 50)
    product.image.storage = product.image.storage.with_thumbs({"boxed": {"size": (9, 8), "pad": "white"}})
    assert product.image.thumb_size("boxed") == (9, 8)


# What a field is made of

PAIRS = (("a", {"size": (60, 60)}), ("b", {"size": (9, 9), "crop": True}))


@pytest.mark.parametrize(
    "thumbs",
    [PAIRS, list(PAIRS), dict(PAIRS), [(name, Thumb(**options)) for name, options in PAIRS], iter(PAIRS)],
    ids=["pairs", "list", "dict", "Thumb", "iterator"],
)
@isolate_apps("tests.shop")
def test_thumbs_are_pairs_a_dict_or_thumbs(thumbs):
    storage = InMemoryThumbnailStorage()

    class Thing(models.Model):
        image = ImageWithThumbsField(storage=storage, thumbs=thumbs)

        class Meta:
            app_label = "shop"

    assert dict(Thing._meta.get_field("image").thumbs) == {
        "a": Thumb(size=(60, 60)),
        "b": Thumb(size=(9, 9), crop="center"),
    }


@isolate_apps("tests.shop")
def test_a_field_without_thumbs_has_those_of_its_storage():
    storage = InMemoryThumbnailStorage(thumbs={"own": {"size": (9, 9)}})

    class Thing(models.Model):
        image = ImageWithThumbsField(storage=storage)
        file = FileWithThumbsField(storage=storage, thumbs=None)

        class Meta:
            app_label = "shop"

    assert Thing(image="a.jpg").image.url_for_thumb("own").endswith("a.jpg.thumbs/own.jpg")
    assert Thing(file="a.jpg").file.url_for_thumb("own").endswith("a.jpg.thumbs/own.jpg")


@isolate_apps("tests.shop")
def test_thumbnail_format_is_for_thumbs_that_name_none():
    storage = InMemoryThumbnailStorage(thumbs={"own": {"size": (9, 9)}})

    class Thing(models.Model):
        image = ImageWithThumbsField(
            storage=storage,
            thumbs={"a": {"size": (9, 9)}, "b": {"size": (9, 9), "format": "gif"}},
            thumbnail_format="webp",
        )

        class Meta:
            app_label = "shop"

    Thing().image.save("cat.jpg", ContentFile(draw()), save=False)
    assert stored(storage) == [
        "cat.jpg",
        "cat.jpg.thumbs/a.webp",
        "cat.jpg.thumbs/b.gif",
        "cat.jpg.thumbs/own.jpg",
    ]
    assert image_in(storage, "cat.jpg.thumbs/a.webp").format == "WEBP"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"thumbs": {"small": {"size": (0, 5)}}}, ["thumb 'small'", "option 'size'"]),
        ({"thumbs": {"small": {"size": (5, 5), "corp": True}}}, ["thumb 'small'", "option 'corp'"]),
        ({"thumbs": [("small", {"size": (5, 5), "crop": "middle"})]}, ["thumb 'small'", "option 'crop'"]),
        ({"thumbs": {"small": {"size": (5, 5), "quality": 101}}}, ["thumb 'small'", "option 'quality'"]),
        ({"thumbs": {"small": {"size": (5, 5), "upscale": "no"}}}, ["thumb 'small'", "option 'upscale'"]),
        ({"thumbs": {"small": {"size": (5, 5), "format": "tga"}}}, ["thumb 'small'", "option 'format'"]),
        ({"thumbs": {"small": {}}}, ["thumb 'small'", "option 'size' is missing"]),
        ({"thumbs": {"a/b": {"size": (5, 5)}}}, ["thumb name 'a/b'"]),
        ({"thumbs": "small"}, ["'small'"]),
        ({"thumbnail_format": "tga"}, ["option 'format'", "'tga'"]),
        ({"thumbs": {"small": {"size": (5, 5), "format": ("JPG", "jpeg")}}}, ["thumb 'small'", "option 'format'"]),
        ({"thumbs": {"small": {"size": (5, 5), "densities": (2,)}}}, ["thumb 'small'", "option 'densities'"]),
        ({"thumbs": {"small": {"size": (5, 5), "pad": "whit"}}}, ["thumb 'small'", "option 'pad'", "'whit'"]),
        ({"thumbs": {"small": {"size": (5, None), "crop": True}}}, ["thumb 'small'", "option 'crop'", "both sides"]),
        ({"thumbs": {"small": {"size": (5, 5), "processors": ["x"]}}}, ["thumb 'small'", "option 'processors'"]),
        ({"thumbs": {"small@2x": {"size": (5, 5)}}}, ["thumb name 'small@2x'"]),
        ({"original": {"size": (5, 5), "crop": True}}, ["option 'original'", "'crop'"]),
        ({"thumbs": {"small": {"size": (5, 5), "animated": 1}}}, ["thumb 'small'", "option 'animated'"]),
        ({"thumbs": {"small": {"size": (5, 5), "crop": "clever"}}}, ["thumb 'small'", "option 'crop'", "'clever'"]),
        ({"focal_field": ("focus",)}, ["option 'focal_field'", "'focus'"]),
    ],
)
@isolate_apps("tests.shop")
def test_a_wrong_option_fails_when_the_model_is_imported(options, words):
    with pytest.raises(InvalidThumb) as caught:

        class Thing(models.Model):
            picture = ImageWithThumbsField(storage=InMemoryThumbnailStorage(), **options)

            class Meta:
                app_label = "shop"

    assert "shop.Thing.picture" in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_max_length():
    for field in (ImageWithThumbsField(), FileWithThumbsField(), SizedField()):
        assert field.max_length == 255
    for length in (100, 255, 40):
        field = ImageWithThumbsField(max_length=length)
        *_, kwargs = field.deconstruct()
        assert field.clone().max_length == ImageWithThumbsField(**kwargs).max_length == length


@pytest.mark.django_db
@isolate_apps("tests.shop")
def test_max_length_is_kept_by_a_name_that_is_taken():
    storage = InMemoryThumbnailStorage()

    class Thing(models.Model):
        image = ImageWithThumbsField(storage=storage, max_length=30, thumbs={"a": {"size": (9, 9)}})

        class Meta:
            app_label = "shop"

    names = []
    for _ in range(2):
        thing = Thing()
        thing.image.save("c" * 40 + ".jpg", ContentFile(draw()), save=False)
        names.append(thing.image.name)
    assert len(set(names)) == 2
    assert all(len(name) <= 30 for name in names)
    assert stored(storage) == sorted([*names, *(f"{name}.thumbs/a.jpg" for name in names)])


@isolate_apps("tests.shop")
def test_a_file_class_of_the_projects_own():
    class OwnFile(ThumbsFieldFile, FieldFile):
        def shout(self):
            return self.url_for_thumb("a").upper()

    class OwnField(ThumbsFieldMixin, models.FileField):
        attr_class = OwnFile

    class Thing(models.Model):
        file = OwnField(storage=InMemoryThumbnailStorage(), thumbs={"a": {"size": (9, 9)}})

        class Meta:
            app_label = "shop"

    assert Thing(file="cat.jpg").file.shout().endswith("/CAT.JPG.THUMBS/A.JPG")


def test_a_file_class_that_knows_no_thumbs_is_refused():
    class ForeignFile(FieldFile):
        pass

    class ForeignField(models.FileField):
        attr_class = ForeignFile

    with pytest.raises(TypeError, match=r"MyField\.attr_class.*ThumbsFieldFile"):

        class MyField(ThumbsFieldMixin, ForeignField):
            pass


@isolate_apps("tests.shop")
def test_a_storage_that_cannot_make_thumbs_still_stores(tmp_path):
    class Thing(models.Model):
        image = ImageWithThumbsField(storage=FileSystemStorage(location=tmp_path), thumbs=PAIRS)

        class Meta:
            app_label = "shop"

    thing = Thing()
    thing.image.save("cat.jpg", ContentFile(draw()), save=False)
    assert stored(thing.image.storage) == ["cat.jpg"]
    for method in (thing.image.url_for_thumb, thing.image.thumb_size):
        with pytest.raises(AthumbError, match="FileSystemStorage cannot make thumbs"):
            method("a")


def test_the_wrong_thumbs_of_a_storage_are_named():
    with pytest.raises(ImproperlyConfigured, match=r"'small'.*'size'"):
        InMemoryThumbnailStorage(thumbs={"small": {"size": (0, 0)}})


@pytest.mark.django_db
def test_the_content_of_an_image_can_still_be_read_after_its_save(memory):
    product = Product.objects.create(image=upload())
    assert product.image.width == 300
    with product.image.open() as file:
        assert file.read() == draw()
    assert io.BytesIO(content_of(memory, product.image.name)).read() == draw()
