"""The field for Django REST framework, by the serializers and views that have it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models
from django.test.utils import isolate_apps
from django.urls import include, path
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.validation import validate_schema
from rest_framework import serializers, viewsets
from rest_framework.parsers import MultiPartParser
from rest_framework.renderers import JSONRenderer
from rest_framework.routers import SimpleRouter
from rest_framework.test import APIRequestFactory

from athumb_storage import AthumbError, Responsive, UnknownThumb
from athumb_storage.contrib.rest_framework import ThumbsField
from athumb_storage.fields import ImageWithThumbsField, ThumbsFieldMixin
from athumb_storage.storages import InMemoryThumbnailStorage, S3ThumbnailStorage
from tests.conftest import draw, stored, upload
from tests.forms import BOMB, NO_IMAGE, TOO_LARGE, product_form
from tests.shop.models import Album, AlbumPhoto, Document, Plain, Product, Sized
from tests.unit.test_forms import UNREADABLE

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

CAT = "/media/products/cat.jpg.thumbs"


class ProductSerializer(serializers.ModelSerializer):
    image = ThumbsField(required=False, allow_null=True)

    class Meta:
        model = Product
        fields = ["id", "name", "image"]


class DocumentSerializer(serializers.ModelSerializer):
    file = ThumbsField(source="manual")

    class Meta:
        model = Document
        fields = ["file"]


class PhotoSerializer(serializers.ModelSerializer):
    image = ThumbsField(read_only=True, thumbs=("large", "small", "face"))

    class Meta:
        model = AlbumPhoto
        fields = ["image"]


class AlbumSerializer(serializers.ModelSerializer):
    photos = PhotoSerializer(many=True, read_only=True)

    class Meta:
        model = Album
        fields = ["title", "photos"]


class PhotoOfAlbumSerializer(serializers.ModelSerializer):
    image = ThumbsField(thumbs=("small",))

    class Meta:
        model = AlbumPhoto
        fields = ["album", "image"]


class ProductViews(viewsets.ModelViewSet):
    queryset = Product.objects.order_by("pk")
    serializer_class = ProductSerializer
    parser_classes = [MultiPartParser]
    renderer_classes = [JSONRenderer]
    authentication_classes = []
    schema = AutoSchema()


class PhotoViews(ProductViews):
    queryset = AlbumPhoto.objects.order_by("pk")
    serializer_class = PhotoOfAlbumSerializer


router = SimpleRouter()
router.register("products", ProductViews)
router.register("photos", PhotoViews)
urlpatterns = [path("", include(router.urls))]


@pytest.fixture(autouse=True)
def storage(monkeypatch):
    storage = InMemoryThumbnailStorage(base_url="/media/")
    for model in (AlbumPhoto, Product, Sized):
        monkeypatch.setattr(model._meta.get_field("image"), "_given", storage)
    monkeypatch.setattr(Document._meta.get_field("manual"), "_given", storage)
    return storage


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


@pytest.fixture
def banner():
    """A model of a plain thumb, one in two densities, and a responsive set."""
    with isolate_apps("tests.shop"):

        class Banner(models.Model):
            image = ImageWithThumbsField(
                storage=InMemoryThumbnailStorage(base_url="/media/"),
                width_field="width",
                height_field="height",
                thumbs={
                    "square": {"size": (50, 50), "crop": True},
                    "sharp": {"size": (40, 40), "crop": True, "densities": (1, 2)},
                    "hero": Responsive(widths=(320, 640)),
                },
            )
            width = models.IntegerField(null=True)
            height = models.IntegerField(null=True)

            class Meta:
                app_label = "shop"

        yield Banner


def field_of(model, name="image", **options):
    """A serializer of nothing but a field."""

    class Serializer(serializers.ModelSerializer):
        image = ThumbsField(source=None if name == "image" else name, **options)

        class Meta:
            fields = ["image"]

    Serializer.Meta.model = model
    return Serializer


def shown(row, name="image", request=None, **options):
    return field_of(type(row), name, read_only=True, **options)(row, context={"request": request}).data["image"]


def errors_of(data, serializer=ProductSerializer, field="image", name="cat.jpg"):
    bound = serializer(data={field: SimpleUploadedFile(name, data)})
    return {} if bound.is_valid() else dict(bound.errors)


class TestShown:
    def test_each_thumb_with_what_pages_want_to_know(self):
        assert shown(Product(image="products/cat.jpg")) == {
            "50x50_cropped": {"url": f"{CAT}/50x50_cropped.jpg", "width": 50, "height": 50, "srcset": ""},
            "60x60": {"url": f"{CAT}/60x60.jpg", "width": None, "height": None, "srcset": ""},
            "large": {"url": f"{CAT}/large.webp", "width": None, "height": None, "srcset": ""},
        }

    def test_a_responsive_set_stands_for_its_widths(self, banner):
        data = shown(banner(image="cat.jpg", width=1000, height=500))
        assert [*data] == ["square", "sharp", "hero"]
        assert data["hero"] == {
            "url": "/media/cat.jpg.thumbs/hero-640.jpg",
            "width": 640,
            "height": 320,
            "srcset": "/media/cat.jpg.thumbs/hero-320.jpg 320w, /media/cat.jpg.thumbs/hero-640.jpg 640w",
        }

    def test_names_are_chosen(self, banner):
        row = banner(image="cat.jpg")
        assert [*shown(row, thumbs=("hero-320", "square"))] == ["hero-320", "square"]

    @pytest.mark.parametrize("name", ["cat.jpg", "cat.pdf"])
    def test_an_unknown_name_is_an_error_that_names_the_known(self, name):
        with pytest.raises(UnknownThumb, match=r"'smal'\. Known thumbs: 'page'"):
            shown(Document(manual=name), "manual", thumbs=("smal",))

    def test_urls_are_absolute_if_there_is_a_request(self, banner):
        request = APIRequestFactory().get("/banners/")
        data = shown(banner(image="a b,c.jpg"), request=request)
        base = "http://testserver/media/a%20b%2Cc.jpg.thumbs"
        assert data["square"]["url"] == f"{base}/square.jpg"
        assert data["sharp"]["srcset"] == f"{base}/sharp.jpg 1x, {base}/sharp%402x.jpg 2x"
        assert data["hero"]["srcset"] == f"{base}/hero-320.jpg 320w, {base}/hero-640.jpg 640w"

    def test_absolute_urls_stay_as_they_are(self, monkeypatch):
        storage = InMemoryThumbnailStorage(base_url="https://cdn.example.com/")
        monkeypatch.setattr(Product._meta.get_field("image"), "_given", storage)
        data = shown(Product(image="cat.jpg"), request=APIRequestFactory().get("/"))
        assert data["large"]["url"] == "https://cdn.example.com/cat.jpg.thumbs/large.webp"

    @pytest.mark.parametrize("name", ["", None])
    def test_an_empty_field_is_null(self, name):
        assert shown(Product(image=name)) is None

    def test_a_file_without_thumbs_has_none(self):
        assert shown(Document(manual="manual.pdf"), "manual") == {}
        assert [*shown(Document(manual="manual.jpg"), "manual")] == ["page"]

    def test_a_plain_field_has_the_thumbs_of_its_storage(self):
        assert [*shown(Plain(image="cat.jpg"))] == ["cover"]
        assert [*shown(Plain(file="cat.jpg"), "file")] == ["cover"]

    def test_a_storage_that_makes_no_thumbs_is_an_error(self, monkeypatch, tmp_path):
        monkeypatch.setattr(Product._meta.get_field("image"), "_given", FileSystemStorage(tmp_path))
        with pytest.raises(AthumbError, match="not the file of a storage that makes them"):
            shown(Product(image="cat.jpg"))

    def test_what_is_not_stored_yet_is_null(self):
        serializer = ProductSerializer(data={"image": SimpleUploadedFile("cat.jpg", draw())})
        assert serializer.is_valid()
        assert serializer.data["image"] is None

    def test_no_model_is_needed(self):
        class Serializer(serializers.Serializer):
            picture = ThumbsField(source="product.image", thumbs=("large",), read_only=True)

        row = {"product": Product(image="products/cat.jpg")}
        assert Serializer(row).data["picture"]["large"]["url"] == f"{CAT}/large.webp"

    def test_a_list_asks_neither_the_database_nor_the_storage(self, monkeypatch, exchanges, django_assert_num_queries):
        s3 = S3ThumbnailStorage(bucket_name="media", access_key="key", secret_key="secret", region_name="us-east-1")
        monkeypatch.setattr(AlbumPhoto._meta.get_field("image"), "_given", s3)
        albums = [Album.objects.create(title=f"Album {number}") for number in range(3)]
        for album in albums:
            for number in range(5):
                AlbumPhoto.objects.create(album=album, image=f"albums/cat-{number}.jpg", width=300, height=200)
        with django_assert_num_queries(2):
            albums = [*Album.objects.prefetch_related("photos")]
        with django_assert_num_queries(0):
            data = AlbumSerializer(albums, many=True).data
        assert [len(album["photos"]) for album in data] == [5, 5, 5]
        (image,) = {(*album["photos"][0]["image"],) for album in data}
        assert image == ("large", "small", "face")
        assert data[0]["photos"][0]["image"]["small"]["height"] == 80
        assert exchanges == []


BAD = [*((data, NO_IMAGE) for data in UNREADABLE.values()), (BOMB, TOO_LARGE)]


class TestUploads:
    @pytest.mark.parametrize(("data", "message"), BAD, ids=[*UNREADABLE, "a bomb"])
    def test_a_bad_image_is_an_error_as_in_a_form(self, storage, data, message):
        code = "image_too_large" if message == TOO_LARGE else "invalid_image"
        errors = errors_of(data)
        assert errors == {"image": [message]} == product_form(data).errors
        assert [error.code for error in errors["image"]] == [code]
        assert stored(storage) == []

    @pytest.mark.parametrize(
        ("name", "data"), [("cat.jpg", b"%PDF-1.7"), ("cat.html", draw()), ("cat.jpg", b""), ("cat", draw())]
    )
    def test_other_files_are_errors_as_in_a_form(self, name, data):
        errors = errors_of(data, name=name)
        assert errors
        assert errors == product_form(data, name).errors

    @pytest.mark.parametrize("options", [{"max_pixels": 30 * 20 - 1}, {"max_bytes": 100}])
    def test_limits_are_those_of_the_storage(self, monkeypatch, options):
        storage = InMemoryThumbnailStorage(**options)
        for model, name in ((Product, "image"), (Document, "manual")):
            monkeypatch.setattr(model._meta.get_field(name), "_given", storage)
        assert errors_of(draw((30, 20))) == {"image": [TOO_LARGE]}
        assert errors_of(draw((30, 20)), DocumentSerializer, "file") == {"file": [TOO_LARGE]}

    def test_a_field_for_any_file(self, storage):
        serializer = DocumentSerializer(data={"file": SimpleUploadedFile("manual.pdf", b"%PDF-1.7")})
        assert serializer.is_valid(), serializer.errors
        assert serializer.save().manual.name == "manuals/manual.pdf"
        assert serializer.data == {"file": {}}
        assert errors_of(draw()[:-200], DocumentSerializer, "file") == {"file": [NO_IMAGE]}

    def test_the_error_is_one_of_the_framework(self):
        field = ThumbsField(model_field=Product._meta.get_field("image"))
        with pytest.raises(serializers.ValidationError) as caught:
            field.run_validation(SimpleUploadedFile("cat.jpg", b"text"))
        assert caught.value.get_codes() == ["invalid_image"]

    def test_in_the_users_language(self):
        with translation.override("de"):
            assert errors_of(b"text") == product_form(b"text").errors
            assert errors_of(b"text") != {"image": [NO_IMAGE]}

    def test_words_of_the_projects_own(self):
        own = {"invalid_image": "No picture.", "image_too_large": "Too much.", "empty": "Nothing."}
        for model, name in ((Product, "image"), (Document, "manual")):
            serializer = field_of(model, name, error_messages=own)
            assert errors_of(draw()[:-200], serializer) == {"image": ["No picture."]}
            assert errors_of(BOMB, serializer) == {"image": ["Too much."]}
            assert errors_of(b"", serializer) == {"image": ["Nothing."]}

    def test_validators_of_the_projects_own(self):
        def refuse(upload):
            assert upload.image.size == (30, 20)
            raise serializers.ValidationError("Not today.")

        assert errors_of(draw((30, 20)), field_of(Product, validators=[refuse])) == {"image": ["Not today."]}
        assert errors_of(b"text", field_of(Product, validators=[refuse])) == {"image": [NO_IMAGE]}

    def test_options_of_the_frameworks_file_field(self):
        assert errors_of(draw(), field_of(Product, max_length=3)) == {
            "image": ["Ensure this filename has at most 3 characters (it has 7)."]
        }
        needed, optional = field_of(Product), field_of(Product, required=False, allow_null=True)
        serializer = needed(data={})
        assert not serializer.is_valid()
        assert serializer.errors == {"image": ["No file was submitted."]}
        assert optional(data={}).is_valid()
        assert optional(data={"image": None}).is_valid()
        assert not needed(data={"image": "cat.jpg"}).is_valid()
        assert errors_of(b"", field_of(Document, "manual", allow_empty_file=True), name="empty.txt") == {}

    def test_an_upload_is_checked_once(self, monkeypatch, storage):
        checks = []
        check = type(storage).check_image
        monkeypatch.setattr(type(storage), "check_image", lambda *args: checks.append(1) or check(*args))
        assert errors_of(draw()) == {}
        field = ThumbsField(model_field=Product._meta.get_field("image"))
        serializers.ListField(child=field).run_validation([SimpleUploadedFile("cat.jpg", draw())])
        assert len(checks) == 2

    def test_a_serializer_that_knows_no_model_has_to_say_for_which_field_an_upload_is(self):
        class Serializer(serializers.Serializer):
            image = ThumbsField()

        with pytest.raises(AthumbError, match=r"image: for which field .* model_field=…, or read_only=True"):
            errors_of(draw(), Serializer)

    def test_every_field_with_thumbs_of_a_serializer(self):
        class Serializer(serializers.ModelSerializer):
            serializer_field_mapping = {
                **serializers.ModelSerializer.serializer_field_mapping,
                ThumbsFieldMixin: ThumbsField,
            }

            class Meta:
                model = Sized
                fields = ["image"]

        assert errors_of(b"text", Serializer, name="cat.jpg") == {"image": [NO_IMAGE]}
        serializer = Serializer(data={"image": SimpleUploadedFile("cat.jpg", draw((30, 20)))})
        assert serializer.is_valid(), serializer.errors
        serializer.save()
        assert serializer.data["image"]["small"]["height"] == 13


class TestViews:
    def test_upload_list_replace_and_clear(self, client, storage):
        made = client.post("/products/", {"name": "Cat", "image": ContentFile(draw((30, 20)), name="cat.jpg")})
        assert made.status_code == 201, made.content
        image = made.json()["image"]
        assert image["60x60"]["url"] == "http://testserver/media/products/cat.jpg.thumbs/60x60.jpg"
        assert client.get("/products/").json() == [made.json()]
        assert "products/cat.jpg.thumbs/60x60.jpg" in stored(storage)

        factory = APIRequestFactory()
        one = ProductViews.as_view({"patch": "partial_update"})
        changed = one(factory.patch("/", {"image": upload("dog.jpg")}, format="multipart"), pk=made.json()["id"])
        assert (changed.status_code, changed.data["name"]) == (200, "Cat")
        assert Product.objects.get().image.name == "products/dog.jpg"
        cleared = one(factory.patch("/", {"image": ""}, format="multipart"), pk=made.json()["id"])
        assert cleared.data["image"] is None
        assert not Product.objects.get().image

    def test_a_bad_upload_is_a_bad_request(self, client, storage):
        answer = client.post("/products/", {"name": "Cat", "image": ContentFile(BOMB, name="cat.jpg")})
        assert (answer.status_code, answer.json()) == (400, {"image": [TOO_LARGE]})
        assert stored(storage) == []
        assert not Product.objects.exists()


class TestSchema:
    @pytest.fixture
    def openapi_3_1(self, monkeypatch):
        monkeypatch.setattr(spectacular_settings, "OAS_VERSION", "3.1.0", raising=False)

    @pytest.fixture
    def schema(self, request, monkeypatch):
        monkeypatch.setattr(spectacular_settings, "COMPONENT_SPLIT_REQUEST", request.param, raising=False)
        schema = SchemaGenerator().get_schema(request=None, public=True)
        validate_schema(schema)
        return schema["components"]["schemas"]

    @pytest.mark.parametrize("schema", [True, False], indirect=True)
    def test_an_answer_is_an_object_of_thumbs(self, schema):
        thumbs = schema["PhotoOfAlbum"]["properties"]["image"]
        assert thumbs["type"] == "object"
        thumb = thumbs["additionalProperties"]["properties"]
        assert thumb == {
            "url": {"type": "string", "format": "uri"},
            "width": {"type": "integer", "nullable": True},
            "height": {"type": "integer", "nullable": True},
            "srcset": {"type": "string"},
        }
        assert "nullable" not in thumbs
        assert schema["Product"]["properties"]["image"]["nullable"] is True

    @pytest.mark.parametrize("schema", [True], indirect=True)
    def test_a_request_is_a_file(self, schema):
        assert schema["PhotoOfAlbumRequest"]["properties"]["image"] == {"type": "string", "format": "binary"}

    @pytest.mark.parametrize("schema", [True], indirect=True)
    def test_openapi_3_1_has_another_word_for_null(self, openapi_3_1, schema):
        thumbs = schema["Product"]["properties"]["image"]
        assert thumbs["type"] == ["object", "null"]
        assert thumbs["additionalProperties"]["properties"]["width"] == {"type": ["integer", "null"]}


def test_without_the_framework_the_error_names_the_extra():
    code = "import sys; sys.modules['rest_framework'] = None; import athumb_storage.contrib.rest_framework"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'pip install "athumb-storage[rest]"' in done.stderr.splitlines()[-1]
