"""Forms, the admin and `full_clean()`: a bad upload is an error of the form."""

from __future__ import annotations

import io
import struct
import warnings

import pytest
from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, default_storage
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.core.validators import FileExtensionValidator
from django.db import models
from django.test.utils import isolate_apps
from django.urls import path
from django.utils import translation
from gallery.models import Photo
from PIL import EpsImagePlugin, PsdImagePlugin

import athumb_storage
from athumb_storage import InvalidThumb
from athumb_storage.fields import FileWithThumbsField, ImageWithThumbsField
from athumb_storage.forms import CheckedImageField
from athumb_storage.rendering import readable_formats
from athumb_storage.storages import InMemoryThumbnailStorage
from tests.conftest import content_of, draw, image_in, noise, stored, upload
from tests.forms import BOMB, NO_IMAGE, TOO_LARGE, ProductForm, product_form
from tests.hostile.heic import REAL, box, grid, heic, picture
from tests.shop.models import Document, Product, Sized

site = admin.AdminSite(name="admin")
site.register(Product)
site.register(Photo)
urlpatterns = [path("admin/", site.urls)]


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
PSD = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 10, 10, 8, 3) + struct.pack(">III", 0, 0, 0) + bytes(2 + 300)
JPEG, PNG, GIF = noise(), noise(fmt="PNG"), draw(format="GIF")

UNREADABLE = {
    "text": b"no image",
    "html": b"<html><script>alert(1)</script></html>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "zeros": bytes(1000),
    "eps": EPS,
    "psd": PSD,
    "only the head of a jpeg": JPEG[:20],
    "only the head of a gif": GIF[:8],
    "half a jpeg": JPEG[: len(JPEG) // 2],
    "a jpeg without its end": JPEG[:-2000],
    "half a png": PNG[: len(PNG) // 2],
    "a png with a wrong checksum": PNG[:29] + bytes(4) + PNG[33:],
    "a riff that is no webp": b"RIFF\x00\x00\x00\x00WEBPVP8 ",
    "an avif without anything": b"\x00\x00\x00\x1cftypavif" + bytes(40),
    "a tiff that points nowhere": b"II*\x00\xff\xff\xff\x7f",
}

bad_files = pytest.mark.parametrize(
    ("data", "message"),
    [*((data, NO_IMAGE) for data in UNREADABLE.values()), (BOMB, TOO_LARGE)],
    ids=[*UNREADABLE, "a bomb"],
)


class Watched(InMemoryThumbnailStorage):
    """Counts how often it is read from, and how often it checks an image."""

    def __init__(self, **options):
        super().__init__(**options)
        self.reads = []
        self.checks = 0

    def _open(self, name, mode="rb"):
        self.reads.append(name)
        return super()._open(name, mode)

    def size(self, name):
        self.reads.append(name)
        return super().size(name)

    def exists(self, name):
        self.reads.append(name)
        return super().exists(name)

    def check_image(self, content):
        self.checks += 1
        return super().check_image(content)


@pytest.fixture(autouse=True)
def memory(settings):
    """A default storage of the test's own, in memory, that is watched."""
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": f"{__name__}.Watched"}}
    return default_storage


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


class DocumentForm(forms.ModelForm):
    class Meta:
        model = Document
        fields = ["manual"]


class SizedForm(forms.ModelForm):
    class Meta:
        model = Sized
        fields = ["image"]


class PhotoForm(forms.ModelForm):
    """Of a model that keeps the width and the height of its image."""

    class Meta:
        model = Photo
        fields = ["title", "image"]


def form_for(model):
    return forms.modelform_factory(model, fields="__all__")


# What is said of a bad file


class TestBadFiles:
    @bad_files
    def test_a_model_form(self, memory, data, message):
        form = product_form(data)
        assert not form.is_valid()
        assert form.errors == {"image": [message]}
        assert stored(memory) == []

    @pytest.mark.django_db
    @pytest.mark.urls(__name__)
    @bad_files
    def test_the_admin(self, memory, admin_client, data, message):
        product = Product.objects.create(image=upload())
        before = stored(memory)
        for page in ("add", f"{product.pk}/change"):
            answer = admin_client.post(
                f"/admin/shop/product/{page}/", {"name": "Cat", "image": ContentFile(data, name="cat.jpg")}
            )
            assert answer.status_code == 200
            assert answer.context["adminform"].form.errors == {"image": [message]}
        assert stored(memory) == before
        assert [row.name for row in Product.objects.all()] == [""]

    @bad_files
    def test_full_clean(self, memory, data, message):
        with pytest.raises(ValidationError) as caught:
            Product(name="Cat", image=upload(data=data)).full_clean()
        assert caught.value.message_dict == {"image": [message]}
        code = "image_too_large" if message == TOO_LARGE else "invalid_image"
        assert [error.code for error in caught.value.error_dict["image"]] == [code]

    @bad_files
    def test_the_validators_of_the_model_field(self, data, message):
        """As a serializer runs them, which hands them the upload itself."""
        with pytest.raises(ValidationError) as caught:
            Product._meta.get_field("image").run_validators(SimpleUploadedFile("cat.jpg", data))
        assert caught.value.messages == [message]

    @bad_files
    def test_a_model_that_keeps_the_size(self, data, message):
        """Django measures what is assigned before anybody has checked it."""
        photo = Photo(image=upload(data=data))
        assert (photo.width, photo.height) in [(None, None), (300, 200)]
        photo.image = upload(data=data)
        assert (photo.width, photo.height) in [(None, None), (300, 200)]
        form = PhotoForm({"title": "Cat"}, {"image": SimpleUploadedFile("cat.jpg", data)}, instance=photo)
        assert form.errors == {"image": [message]}

    @pytest.mark.parametrize("percent", range(1, 100))
    def test_a_file_that_is_cut_off_anywhere(self, percent):
        form = product_form(JPEG[: len(JPEG) * percent // 100])
        assert form.errors == {"image": [NO_IMAGE]}

    def test_an_empty_file(self):
        assert product_form(b"").errors == {"image": ["The submitted file is empty."]}

    @pytest.mark.parametrize(
        ("plugin", "data"), [(EpsImagePlugin.EpsImageFile, EPS), (PsdImagePlugin.PsdImageFile, PSD)], ids=["eps", "psd"]
    )
    def test_formats_that_are_not_allowed_reach_no_plugin_of_pillow(self, monkeypatch, plugin, data):
        opened = []
        monkeypatch.setattr(plugin, "_open", lambda image: opened.append(image) or image.fail)
        with pytest.raises(ValidationError):
            forms.ImageField().to_python(SimpleUploadedFile("cat.jpg", data))
        assert opened  # Django's own field lets them try
        opened.clear()
        assert product_form(data).errors == {"image": [NO_IMAGE]}
        with pytest.raises(ValidationError):
            Product(name="Cat", image=upload(data=data)).full_clean()
        assert opened == []

    def test_a_format_that_the_storage_does_not_allow(self, settings):
        options = {"allowed_formats": ["PNG"]}
        settings.STORAGES = {
            **settings.STORAGES,
            "default": {"BACKEND": f"{__name__}.Watched", "OPTIONS": options},
        }
        assert product_form(draw()).errors == {"image": [NO_IMAGE]}
        assert product_form(draw(format="PNG"), "cat.png").is_valid()
        # A field for any file takes what is no image to its storage as it is.
        assert DocumentForm({}, {"manual": SimpleUploadedFile("cat.jpg", JPEG[:3000])}).is_valid()


def test_limits_are_those_of_the_storage(settings):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": f"{__name__}.Watched", "OPTIONS": {"max_pixels": 300 * 200 - 1}},
    }
    assert product_form(draw((300, 200))).errors == {"image": [TOO_LARGE]}
    assert product_form(draw((299, 200))).is_valid()


def test_words_of_the_projects_own():
    class Form(ProductForm):
        class Meta(ProductForm.Meta):
            error_messages = {"image": {"invalid_image": "No picture.", "image_too_large": "Too much."}}

    def errors(data):
        return Form({"name": "Cat"}, {"image": SimpleUploadedFile("cat.jpg", data)}).errors

    assert errors(b"text") == {"image": ["No picture."]}
    assert errors(BOMB) == {"image": ["Too much."]}


@isolate_apps("tests.shop")
def test_words_of_the_models_own():
    class Thing(models.Model):
        image = ImageWithThumbsField(error_messages={"invalid_image": "No picture."})

        class Meta:
            app_label = "shop"

    with pytest.raises(ValidationError, match=r"No picture\."):
        Thing(image=upload(data=b"text")).full_clean()


# What a good file comes to


class TestGoodFiles:
    @pytest.mark.parametrize(
        ("options", "content_type"),
        [
            ({"format": "JPEG"}, "image/jpeg"),
            ({"format": "PNG"}, "image/png"),
            ({"format": "GIF"}, "image/gif"),
            ({"format": "WEBP"}, "image/webp"),
            ({"format": "BMP"}, "image/bmp"),
            ({"format": "TIFF"}, "image/tiff"),
            ({"format": "MPO"}, "image/jpeg"),
        ],
    )
    def test_the_cleaned_file_is_as_django_has_it(self, options, content_type):
        data = draw((30, 20), **options)
        form = product_form(data)
        assert form.is_valid(), form.errors
        cleaned = form.cleaned_data["image"]
        assert cleaned.content_type == content_type
        assert cleaned.image.size == (30, 20)
        assert cleaned.tell() == 0
        assert cleaned.read() == data

    @pytest.mark.django_db
    def test_a_file_on_disk(self, memory):
        data = draw((30, 20))
        file = TemporaryUploadedFile("cat.jpg", "image/jpeg", len(data), None)
        file.write(data)
        form = ProductForm({"name": "Cat"}, {"image": file})
        assert form.is_valid(), form.errors
        image = form.cleaned_data["image"].image
        image.load()
        assert image.size == (30, 20)
        assert content_of(memory, form.save().image.name) == data
        file.close()

    @pytest.mark.parametrize("fmt", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
    def test_the_image_can_be_decoded(self, fmt):
        form = product_form(draw((30, 20), color=(255, 0, 0), format=fmt))
        assert form.is_valid()
        cleaned = form.cleaned_data["image"]
        assert cleaned.image.convert("RGB").getpixel((9, 9))[0] > 200
        assert form.instance.image.size == cleaned.size

    @pytest.mark.django_db
    def test_an_upload_is_checked_once_by_form_and_model(self, memory):
        form = product_form(draw())
        assert form.is_valid()
        assert memory.checks == 1
        form.save()
        assert memory.checks == 1

    def test_every_upload_is_checked(self, memory):
        for _ in range(2):
            assert product_form(draw()).is_valid()
        assert memory.checks == 2

    def test_what_one_field_accepts_is_checked_by_another(self, memory):
        file = SimpleUploadedFile("cat.jpg", draw())
        assert ProductForm({"name": "Cat"}, {"image": file}).is_valid()
        Document(manual=file).full_clean()
        assert memory.checks == 2

    def test_full_clean_checks_an_upload_once(self, memory):
        product = Product(name="Cat", image=upload())
        product.full_clean()
        product.full_clean()
        assert memory.checks == 1
        assert product.image.read() == draw()

    def test_only_images_are_offered_to_be_chosen(self):
        assert 'accept="image/*"' in str(ProductForm()["image"])


class TestWithoutUpload:
    @pytest.mark.django_db
    @pytest.mark.parametrize(("model", "form_class"), [(Product, ProductForm), (Photo, PhotoForm)])
    def test_a_second_edit_reads_nothing(self, memory, model, form_class):
        row = model.objects.get(pk=model.objects.create(image=upload()).pk)
        memory.reads.clear()
        memory.checks = 0
        form = form_class({"name": "Dog", "title": "Dog"}, instance=row)
        assert form.is_valid(), form.errors
        form.save()
        row.full_clean()
        assert (memory.reads, memory.checks) == ([], 0)
        assert model.objects.get(pk=row.pk).image.name == row.image.name

    @pytest.mark.django_db
    @pytest.mark.urls(__name__)
    @pytest.mark.parametrize("model", [Product, Photo])
    def test_a_second_edit_in_the_admin_reads_nothing(self, memory, admin_client, model):
        row = model.objects.create(image=upload())
        memory.reads.clear()
        memory.checks = 0
        page = f"/admin/{model._meta.app_label}/{model._meta.model_name}/{row.pk}/change/"
        assert admin_client.get(page).status_code == 200
        data = {"name": "Dog", "title": "Dog"}
        assert admin_client.post(page, data).status_code == 302
        assert (memory.reads, memory.checks) == ([], 0)
        assert model.objects.get(pk=row.pk).image.name == row.image.name

    @pytest.mark.django_db
    @pytest.mark.parametrize(("model", "form_class"), [(Product, ProductForm), (Photo, PhotoForm)])
    def test_a_second_edit_asks_s3_nothing(self, settings, s3_options, requests_sent, model, form_class):
        settings.STORAGES = {
            **settings.STORAGES,
            "default": {"BACKEND": "athumb_storage.storages.S3ThumbnailStorage", "OPTIONS": s3_options},
        }
        row = model.objects.get(pk=model.objects.create(image=upload()).pk)
        requests_sent.clear()
        form = form_class({"name": "Dog", "title": "Dog"}, instance=row)
        assert form.is_valid(), form.errors
        form.save()
        row.full_clean()
        assert requests_sent == []

    @pytest.mark.django_db
    def test_a_disabled_field_reads_nothing(self, memory):
        product = Product.objects.create(name="Cat", image=upload())
        memory.reads.clear()
        form = ProductForm({"name": "Dog"}, instance=product)
        form.fields["image"].disabled = True
        assert form.is_valid(), form.errors
        assert (memory.reads, memory.checks) == ([], 0)

    @pytest.mark.django_db
    def test_a_bad_file_that_was_stored_long_ago_keeps_no_row_from_being_edited(self, memory):
        InMemoryThumbnailStorage.save(memory, "old.jpg", ContentFile(b"text"))
        product = Product.objects.create(name="Cat", image="old.jpg")
        form = ProductForm({"name": "Dog"}, instance=product)
        assert form.is_valid(), form.errors
        product.full_clean()

    @pytest.mark.django_db
    def test_a_new_file_under_an_old_name_is_measured(self):
        photo = Photo.objects.create(image=upload(size=(300, 200)))
        photo.image = upload(size=(30, 20))
        assert (photo.width, photo.height) == (30, 20)

    @pytest.mark.django_db
    def test_clearing(self):
        product = Product.objects.create(name="Cat", image=upload())
        form = ProductForm({"name": "Cat", "image-clear": "on"}, instance=product)
        assert form.is_valid(), form.errors
        form.save()
        assert not Product.objects.get().image

    @pytest.mark.django_db
    def test_clearing_and_uploading_contradict_each_other(self):
        product = Product.objects.create(name="Cat", image=upload())
        files = {"image": SimpleUploadedFile("cat.jpg", draw())}
        form = ProductForm({"name": "Cat", "image-clear": "on"}, files, instance=product)
        assert form.errors["image"] == ["Please either submit a file or check the clear checkbox, not both."]

    def test_blank(self):
        assert ProductForm({"name": "Cat"}).is_valid()
        Product(name="Cat").full_clean()

    def test_required(self):
        assert SizedForm({}).errors == {"image": ["This field is required."]}
        with pytest.raises(ValidationError) as caught:
            Sized(width=1, height=1).full_clean()
        assert caught.value.message_dict == {"image": ["This field cannot be blank."]}

    def test_a_name_that_is_too_long(self):
        form = product_form(draw())
        form.fields["image"].max_length = 5
        assert form.errors["image"] == ["Ensure this filename has at most 5 characters (it has 7)."]

    @pytest.mark.django_db
    @pytest.mark.parametrize("extension", ["heic", "HEIF", "hif"])
    def test_a_photo_of_a_phone(self, extension):
        pytest.importorskip("pi_heif", reason="there is no wheel of pi-heif for this Python")
        form = product_form(REAL, name=f"cat.{extension}")
        assert form.is_valid(), form.errors
        upload = form.cleaned_data["image"]
        assert (upload.content_type, upload.image.format, upload.image.size) == ("image/heic", "HEIC", (64, 64))
        product = form.save()
        assert (product.image.width, product.image.height) == (64, 64)
        thumbs = [key for key in stored(default_storage) if key != product.image.name]
        assert sorted(image_in(default_storage, key).format for key in thumbs) == ["JPEG", "JPEG", "WEBP"]

    @pytest.mark.django_db
    def test_a_photo_of_a_phone_is_measured(self):
        pytest.importorskip("pi_heif", reason="there is no wheel of pi-heif for this Python")
        turned = heic(grid(1, 1, (60, 40), box(b"irot", b"\1")), picture(), references=[(b"dimg", 1, 2)])
        form = SizedForm({}, {"image": SimpleUploadedFile("cat.heic", turned)})
        assert form.is_valid(), form.errors
        row = form.save()
        assert (row.width, row.height) == (40, 60)

    def test_an_extension_that_is_none_of_an_image(self):
        assert product_form(draw(), name="cat.html").errors["image"] == [
            "File extension “html” is not allowed. Allowed extensions are: "
            "jpg, jpeg, jpe, jfif, png, apng, gif, webp, avif, avifs, bmp, dib, tif, tiff"
            + (", heic, heif, hif." if "HEIC" in readable_formats() else ".")
        ]

    @pytest.mark.parametrize("allowed", [["JPEG", "PNG"], ["webp"]])
    def test_only_extensions_of_the_formats_that_are_allowed(self, settings, allowed):
        settings.STORAGES = {
            **settings.STORAGES,
            "default": {"BACKEND": f"{__name__}.Watched", "OPTIONS": {"allowed_formats": allowed}},
        }
        (error,) = product_form(draw(format=allowed[0]), name="cat.psd").errors["image"]
        listed = {"JPEG": "jpg, jpeg, jpe, jfif, png, apng", "webp": "webp"}[allowed[0]]
        assert error == f"File extension “psd” is not allowed. Allowed extensions are: {listed}."

    def test_a_storage_that_makes_no_thumbs_keeps_djangos_rule(self, settings):
        settings.STORAGES = {
            **settings.STORAGES,
            "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
        }
        assert product_form(draw(), name="cat.psd").is_valid()
        assert product_form(draw(), name="cat.html").errors["image"][0].startswith("File extension “html” is not")

    def test_a_forms_own_validators_count_as_well(self):
        field = CheckedImageField(
            validator=product_form(draw()).fields["image"]._validator, validators=[FileExtensionValidator(["png"])]
        )
        with pytest.raises(ValidationError, match="Allowed extensions are: png"):
            field.clean(SimpleUploadedFile("cat.jpg", draw()))

    @pytest.mark.django_db
    def test_the_extension_of_a_stored_file_keeps_no_row_from_being_edited(self, memory):
        product = Product.objects.create(name="Cat", image="old.html")
        form = ProductForm({"name": "Dog"}, instance=product)
        form.fields["image"].disabled = True
        assert form.is_valid(), form.errors

    def test_what_is_no_file(self):
        form = ProductForm({"name": "Cat"}, {"image": "cat.jpg"})
        assert form.errors == {"image": ["No file was submitted. Check the encoding type on the form."]}


# Fields for any file


class TestAnyFile:
    @pytest.mark.parametrize("data", [b"%PDF-1.7", b"text", EPS, b"<svg/>"], ids=["pdf", "text", "eps", "svg"])
    def test_what_is_no_image_passes(self, memory, data):
        form = DocumentForm({}, {"manual": SimpleUploadedFile("manual.bin", data)})
        assert form.is_valid(), form.errors
        Document(manual=ContentFile(data, name="manual.bin")).full_clean()
        assert memory.checks == 0

    def test_text_passes(self):
        Document(manual=ContentFile("words", name="manual.txt")).full_clean()

    @pytest.mark.parametrize(("data", "message"), [(JPEG[:-2000], NO_IMAGE), (BOMB, TOO_LARGE)], ids=["cut", "bomb"])
    def test_an_image_that_cannot_be_saved_is_an_error(self, data, message):
        form = DocumentForm({}, {"manual": SimpleUploadedFile("manual.pdf", data)})
        assert form.errors == {"manual": [message]}

    @pytest.mark.django_db
    def test_a_good_image(self, memory):
        form = DocumentForm({}, {"manual": SimpleUploadedFile("cat.jpg", draw())})
        assert form.is_valid(), form.errors
        form.save()
        assert stored(memory) == ["manuals/cat.jpg", "manuals/cat.jpg.thumbs/page.png"]
        assert memory.checks == 1


class Stream(io.RawIOBase):
    """Bytes that can be read once."""

    def __init__(self, data):
        self._data = io.BytesIO(data)

    def readable(self):
        return True

    def read(self, size=-1):
        return self._data.read(size)


def test_a_stream_is_not_used_up(memory):
    product = Product(name="Cat", image=File(Stream(draw()), name="cat.jpg"))
    product.full_clean()
    assert memory.checks == 0
    assert product.image.read() == draw()


def test_a_file_that_was_closed_is_opened_again(tmp_path):
    photo = tmp_path / "cat.jpg"
    photo.write_bytes(JPEG[:-2000])
    with photo.open("rb") as file:
        product = Product(name="Cat", image=File(file, name="cat.jpg"))
    product.image.file.name = str(photo)
    with pytest.raises(ValidationError) as caught:
        product.full_clean()
    assert caught.value.message_dict == {"image": [NO_IMAGE]}
    product.image.close()


# Images that are kept though they cannot be read


class TestSkip:
    @isolate_apps("tests.shop")
    @pytest.mark.parametrize("by", ["field", "storage"])
    def test_the_original_is_kept(self, by):
        storage = InMemoryThumbnailStorage(**({"on_error": "skip"} if by == "storage" else {}))
        options = {"on_error": "skip"} if by == "field" else {}

        class Thing(models.Model):
            image = ImageWithThumbsField(storage=storage, thumbs={"a": {"size": (9, 9)}}, **options)
            file = FileWithThumbsField(storage=storage, thumbs={"a": {"size": (9, 9)}}, blank=True, **options)

            class Meta:
                app_label = "shop"

        bad = JPEG[:-2000]
        files = {"image": SimpleUploadedFile("a.jpg", bad), "file": SimpleUploadedFile("b.jpg", bad)}
        form = form_for(Thing)({}, files)
        assert form.is_valid(), form.errors
        cleaned = form.cleaned_data["image"]
        assert (cleaned.image, cleaned.content_type, cleaned.tell()) == (None, "image/jpeg", 0)
        thing = form.save(commit=False)
        thing.image.save("a.jpg", thing.image.file, save=False)
        thing.file.save("b.jpg", thing.file.file, save=False)
        assert stored(storage) == ["a.jpg", "b.jpg"]
        assert content_of(storage, "a.jpg") == content_of(storage, "b.jpg") == bad

    @isolate_apps("tests.shop")
    def test_what_is_no_image_is_not_kept(self):
        class Thing(models.Model):
            image = ImageWithThumbsField(storage=InMemoryThumbnailStorage(), on_error="skip")

            class Meta:
                app_label = "shop"

        form = form_for(Thing)({}, {"image": SimpleUploadedFile("a.jpg", b"text")})
        assert form.errors == {"image": [NO_IMAGE]}
        with pytest.raises(ValidationError, match="Upload a valid image"):
            Thing(image=upload(data=EPS)).full_clean()

    @isolate_apps("tests.shop")
    def test_a_field_overrules_its_storage(self):
        class Thing(models.Model):
            image = ImageWithThumbsField(storage=InMemoryThumbnailStorage(on_error="skip"), on_error="raise")

            class Meta:
                app_label = "shop"

        form = form_for(Thing)({}, {"image": SimpleUploadedFile("a.jpg", JPEG[:-2000])})
        assert form.errors == {"image": [NO_IMAGE]}

    @isolate_apps("tests.shop")
    @pytest.mark.parametrize("wrong", ["ignore", "", True, ["skip"]])
    def test_a_wrong_word_fails_when_the_model_is_imported(self, wrong):
        with pytest.raises(InvalidThumb, match=r"shop\.Thing\.image: option 'on_error': .* is none of raise, skip"):

            class Thing(models.Model):
                image = ImageWithThumbsField(on_error=wrong)

                class Meta:
                    app_label = "shop"

    @isolate_apps("tests.shop")
    def test_on_error_is_not_written_into_migrations(self):
        class Thing(models.Model):
            image = ImageWithThumbsField(on_error="skip")

            class Meta:
                app_label = "shop"

        *_, kwargs = Thing._meta.get_field("image").deconstruct()
        assert "on_error" not in kwargs


# Which form field it is


class TestFormField:
    def test_the_form_field_is_one_of_djangos_image_fields(self):
        for field in (Product._meta.get_field("image"), Sized._meta.get_field("image")):
            assert isinstance(field.formfield(), forms.ImageField)
            assert type(field.formfield()) is CheckedImageField
        assert type(Document._meta.get_field("manual").formfield()) is forms.FileField

    def test_arguments_are_passed_on(self):
        field = Product._meta.get_field("image").formfield(label="Picture", help_text="Choose one.", max_length=9)
        assert (field.label, field.help_text, field.max_length, field.required) == ("Picture", "Choose one.", 9, False)

    def test_a_form_class_of_the_projects_own(self):
        class OwnField(forms.FileField):
            pass

        field = Product._meta.get_field("image")
        assert type(field.formfield(form_class=OwnField)) is OwnField
        assert type(field.formfield(form_class=forms.ImageField)) is forms.ImageField

        class Form(ProductForm):
            class Meta(ProductForm.Meta):
                field_classes = {"image": forms.ImageField}

        form = Form({"name": "Cat"}, {"image": SimpleUploadedFile("cat.jpg", JPEG[:-2000])})
        assert form.errors == {"image": [NO_IMAGE]}  # Django's field lets it pass, the model does not

    @isolate_apps("tests.shop")
    def test_a_field_class_that_chooses_another(self):
        class OwnField(forms.ImageField):
            pass

        class OwnImageField(models.ImageField):
            def formfield(self, **kwargs):
                return super().formfield(**{"form_class": OwnField, **kwargs})

        class Field(athumb_storage.fields.ThumbsFieldMixin, OwnImageField):
            pass

        assert type(Field().formfield()) is OwnField

    @isolate_apps("tests.shop")
    def test_on_a_storage_of_another_kind_it_is_as_django_has_it(self, tmp_path):
        class Thing(models.Model):
            image = ImageWithThumbsField(storage=FileSystemStorage(location=tmp_path), upload_to="a")

            class Meta:
                app_label = "shop"

        def form(data):
            return form_for(Thing)({}, {"image": SimpleUploadedFile("cat.jpg", data)})

        assert form(b"text").errors == {"image": [NO_IMAGE]}
        good = form(draw((30, 20)))
        assert good.is_valid()
        assert good.cleaned_data["image"].image.size == (30, 20)
        Thing(image=upload(data=b"text")).full_clean()  # where Django checks nothing

    @isolate_apps("tests.shop")
    def test_the_field_of_a_child_asks_its_own_storage(self):
        class Base(models.Model):
            image = ImageWithThumbsField(storage=InMemoryThumbnailStorage(max_pixels=10))

            class Meta:
                app_label = "shop"
                abstract = True

        assert Base._meta.get_field("image").validators  # they are kept, and must not be kept by a copy

        class Child(Base):
            class Meta:
                app_label = "shop"

        Child._meta.get_field("image").storage = InMemoryThumbnailStorage()
        Child(image=upload()).full_clean()
        assert form_for(Child)({}, {"image": SimpleUploadedFile("cat.jpg", draw())}).is_valid()


def test_a_bomb_warns_nobody():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert product_form(BOMB).errors == {"image": [TOO_LARGE]}
