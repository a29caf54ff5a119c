"""The recipe for Django Ninja in the docs, by an API that is made like it."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.urls import path
from django.utils import translation
from ninja import File, NinjaAPI, Schema, Status
from ninja.files import UploadedFile

from athumb_storage.storages import InMemoryThumbnailStorage, S3ThumbnailStorage
from tests.conftest import draw, stored
from tests.forms import BOMB, NO_IMAGE, TOO_LARGE
from tests.shop.models import Album, AlbumPhoto, Document, Product

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

api = NinjaAPI()


class ThumbOut(Schema):
    url: str
    width: int | None
    height: int | None
    srcset: str


class FileOut(Schema):
    id: int
    thumbs: dict[str, ThumbOut]

    @staticmethod
    def resolve_thumbs(row):
        return row.manual.thumbs if isinstance(row, Document) else row.image.thumbs


@api.get("/products", response=list[FileOut])
def products(request):
    return Product.objects.order_by("pk")


@api.get("/photos", response=list[FileOut])
def photos(request):
    return AlbumPhoto.objects.order_by("pk")


@api.get("/documents", response=list[FileOut])
def documents(request):
    return Document.objects.order_by("pk")


@api.post("/products", response={201: FileOut})
def add_product(request, image: File[UploadedFile]):
    product = Product(name="Cat", image=image)
    product.full_clean()
    product.save()
    return Status(201, product)


@api.exception_handler(ValidationError)
def refused(request, error):
    return api.create_response(request, {"detail": error.message_dict}, status=422)


urlpatterns = [path("", api.urls)]


@pytest.fixture(autouse=True)
def storage(monkeypatch):
    storage = InMemoryThumbnailStorage(base_url="/media/")
    monkeypatch.setattr(Product._meta.get_field("image"), "_given", storage)
    monkeypatch.setattr(Document._meta.get_field("manual"), "_given", storage)
    return storage


def test_upload_and_list(client, storage):
    made = client.post("/products", {"image": ContentFile(draw((30, 20)), name="cat.jpg")})
    assert made.status_code == 201, made.content
    thumbs = made.json()["thumbs"]
    assert [*thumbs] == ["50x50_cropped", "60x60", "large"]
    url = "/media/products/cat.jpg.thumbs/50x50_cropped.jpg"
    assert thumbs["50x50_cropped"] == {"url": url, "width": 50, "height": 50, "srcset": ""}
    assert thumbs["60x60"]["width"] is None
    assert client.get("/products").json() == [made.json()]
    assert len(stored(storage)) == 4


@pytest.mark.parametrize(("data", "message"), [(b"text", NO_IMAGE), (BOMB, TOO_LARGE)], ids=["text", "a bomb"])
def test_a_bad_upload_is_told_as_in_a_form(client, storage, data, message):
    with translation.override("en"):
        answer = client.post("/products", {"image": ContentFile(data, name="cat.jpg")})
    assert (answer.status_code, answer.json()) == (422, {"detail": {"image": [message]}})
    assert stored(storage) == []
    assert not Product.objects.exists()


def test_what_has_no_thumbs_has_none(client):
    Product.objects.create(image="")
    Document.objects.create(manual="manual.pdf")
    assert [row["thumbs"] for row in client.get("/products").json()] == [{}]
    assert [row["thumbs"] for row in client.get("/documents").json()] == [{}]


def test_a_list_asks_no_storage(client, monkeypatch, exchanges, django_assert_num_queries):
    s3 = S3ThumbnailStorage(bucket_name="media", access_key="key", secret_key="secret", region_name="us-east-1")
    monkeypatch.setattr(AlbumPhoto._meta.get_field("image"), "_given", s3)
    album = Album.objects.create(title="Cats")
    for number in range(5):
        AlbumPhoto.objects.create(album=album, image=f"albums/cat-{number}.jpg", width=300, height=200)
    with django_assert_num_queries(1):
        rows = client.get("/photos").json()
    assert [row["thumbs"]["small"]["height"] for row in rows] == [80] * 5
    assert exchanges == []
