"""What a browser is told of a file on S3: what its bytes say, or that it is to be saved and not shown."""

from __future__ import annotations

import gzip
import io
import urllib.request
import zipfile
from urllib.parse import unquote, urlsplit

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile, File
from django.core.files.uploadedfile import InMemoryUploadedFile, SimpleUploadedFile, TemporaryUploadedFile
from storages.backends.s3 import S3Storage

from athumb_storage import UploadedImageIsUnreadableError
from athumb_storage.formats import WEB_FORMATS
from athumb_storage.storages import S3ThumbnailStorage
from tests.conftest import draw, stored, upload

ONE = {"small": {"size": (30, 30)}}
IMAGES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
}
HTML = b"<!DOCTYPE html><script>alert(document.domain)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
UNKNOWN = {
    "html": HTML,
    "html after spaces": b"\n \t" + HTML,
    "html after a mark of its encoding": b"\xef\xbb\xbf" + HTML,
    "svg": SVG,
    "svg with a prolog": b'<?xml version="1.0"?>' + SVG,
    "svg in UTF-16": SVG.decode().encode("utf-16"),
    "xml": b'<?xml version="1.0"?><a/>',
    "xhtml": b'<html xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></html>',
    "javascript": b"alert(document.domain)",
    "css": b"body { background: red }",
    "text": b"some text",
    "json": b'{"a": 1}',
    "nothing": b"",
    "zeros": bytes(100),
    "a magic number cut off": b"%PDF",
    "a magic number after a space": b" %PDF-1.7",
    "a magic number in small letters": b"%pdf-1.7",
    "html that mentions one": HTML + b"%PDF-1.7",
    "an image after html": HTML + draw((9, 9)),
    "riff of no kind": b"RIFF\x00\x00\x00\x00HTML" + HTML,
}


def wav():
    import wave

    output = io.BytesIO()
    with wave.open(output, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(b"\x80" * 40)
    return output.getvalue()


def zipped():
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as file:
        file.writestr("page.html", HTML)
    return output.getvalue()


KNOWN = {
    "application/pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + HTML,
    "video/mp4": b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + HTML,
    "audio/mpeg": b"ID3\x04\x00\x00\x00\x00\x00\x00" + HTML,
    "application/ogg": b"OggS\x00\x02" + bytes(30),
    "video/webm": b"\x1a\x45\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x1f\x42\x82\x84webm",
    "audio/wav": wav(),
    "audio/flac": b"fLaC\x00\x00\x00\x22" + bytes(34),
    "application/zip": zipped(),
    "application/gzip": gzip.compress(HTML),
}

NAMES = ["page.html", "picture.svg", "picture.jpg", "data", "movie.mp4", "page.html.gz", "feed.xml"]
CLIENTS = ["text/html", "image/svg+xml", "image/png", "application/xhtml+xml", "", None]


@pytest.fixture
def types_of(s3_server, bucket, exchanges):
    """The content type that was sent with an object, and the disposition and encoding that the server tells of it.

    SeaweedFS keeps no "application/octet-stream", but tells what it guesses from the name instead.
    """
    client = s3_server.client()

    def told(key):
        head = client.head_object(Bucket=bucket, Key=key)
        return sent_type(exchanges, f"/{bucket}/{key}"), head.get("ContentDisposition"), head.get("ContentEncoding")

    return told


def sent_type(exchanges, path):
    """What the last request that began to store an object said of its type."""
    types = [
        request.headers["Content-Type"]
        for request in exchanges
        if unquote(urlsplit(request.url).path) == path
        and (request.method == "PUT" or "uploads" in urlsplit(request.url).query)
        and "Content-Type" in request.headers
    ]
    return types[-1].decode() if isinstance(types[-1], bytes) else types[-1]


def in_memory(name, data, content_type):
    return InMemoryUploadedFile(io.BytesIO(data), "file", name, content_type, len(data), None)


def in_a_temporary_file(name, data, content_type):
    file = TemporaryUploadedFile(name, content_type, len(data), None)
    file.write(data)
    return file


DOWNLOAD = ("application/octet-stream", "attachment", None)
CLAIMS = [{"conditional_writes": True}, {"conditional_writes": False}, {"unique_names": True}, {"file_overwrite": True}]


@pytest.mark.parametrize("thumbs", [ONE, {}], ids=["thumbs", "no thumbs"])
@pytest.mark.parametrize("make", [in_memory, in_a_temporary_file])
def test_what_its_bytes_do_not_tell_is_saved_and_not_shown(make_s3, types_of, thumbs, make):
    storage = make_s3(thumbs=thumbs)
    for number, (kind, data) in enumerate(UNKNOWN.items()):
        # Each kind with other pairs of what it may be called and said to be.
        name, client = NAMES[number % len(NAMES)], CLIENTS[number % len(CLIENTS)]
        with make(name, data, client) as file:
            saved = storage.save(name, file)
        assert types_of(saved) == DOWNLOAD, f"{kind} called {name}, {client}"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_page_under_any_name_and_type_is_saved_and_not_shown(make_s3, types_of, client):
    storage = make_s3(thumbs=ONE)
    for name in NAMES:
        assert types_of(storage.save(name, in_memory(name, HTML, client))) == DOWNLOAD


@pytest.mark.parametrize("options", CLAIMS, ids=lambda options: next(iter(options)))
def test_the_content_type_comes_from_the_bytes_however_a_name_is_claimed(make_s3, types_of, options):
    storage = make_s3(thumbs=ONE, **options)
    assert types_of(storage.save("a.html", SimpleUploadedFile("a.html", HTML, "text/html"))) == DOWNLOAD
    assert types_of(storage.save("b.html", SimpleUploadedFile("b.html", KNOWN["audio/flac"]))) == (
        "audio/flac",
        None,
        None,
    )


def test_what_its_bytes_tell_is_stored_as_that_and_shown(make_s3, types_of):
    storage = make_s3()
    for content_type, data in KNOWN.items():
        saved = storage.save("page.html", SimpleUploadedFile("page.html", data, "text/html"))
        assert types_of(saved) == (content_type, None, None)


@pytest.mark.parametrize(("extension", "format_"), [("bmp", "BMP"), ("tif", "TIFF"), ("TIFF", "TIFF")])
def test_a_thumb_that_keeps_the_extension_is_stored_as_what_it_is(make_s3, types_of, extension, format_):
    storage = make_s3(thumbs=ONE, naming="athumb")
    storage.save(f"cat.{extension}", upload(format=format_))
    assert types_of(f"cat_small.{extension}") == (IMAGES[format_], None, None)


def test_a_heic_photo_is_no_video(make_s3, types_of):
    saved = make_s3().save("photo.heic", ContentFile(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(40)))
    assert types_of(saved)[0] != "video/mp4"


@pytest.mark.parametrize("images_only", [True, False])
def test_an_image_is_what_its_bytes_say(make_s3, types_of, images_only):
    storage = make_s3().with_thumbs(ONE, images_only=images_only)
    for image_format, content_type in IMAGES.items():
        data = draw((20, 20), format=image_format)
        saved = storage.save("page.html", SimpleUploadedFile("page.html", data, "text/html"))
        assert types_of(saved) == (content_type, None, None)
        plain = "image/jpeg" if images_only or image_format not in WEB_FORMATS else content_type  # by the name
        assert types_of(storage.thumb_key(saved, "small")) == (plain, None, None)


def test_an_image_on_a_storage_without_thumbs(make_s3, types_of):
    saved = make_s3(thumbs={}).save("a.svg", SimpleUploadedFile("a.svg", draw(format="GIF"), "image/svg+xml"))
    assert types_of(saved) == ("image/gif", None, None)


def test_a_page_within_an_image_is_an_image(make_s3, types_of):
    """A GIF whose comment is a page; browsers that guess would take it for one."""
    polyglot = draw((20, 20), format="GIF", comment=HTML)
    assert HTML in polyglot
    saved = make_s3(thumbs=ONE).save("a.html", SimpleUploadedFile("a.html", polyglot, "text/html"))
    assert types_of(saved) == ("image/gif", None, None)


@pytest.mark.parametrize("name", ["cat.jpg", "cat.svg", "page.html"])
def test_an_image_field_takes_no_page(make_s3, name):
    storage = make_s3().with_thumbs(ONE, images_only=True)
    for data in UNKNOWN.values():
        with pytest.raises(UploadedImageIsUnreadableError):
            storage.save(name, SimpleUploadedFile(name, data, "image/jpeg"))
    assert stored(storage) == []


def answer_to(url):
    with urllib.request.urlopen(url) as answer:
        return answer.headers["Content-Type"], answer.headers["Content-Disposition"]


@pytest.mark.parametrize("signed", [True, False])
def test_what_a_browser_is_told(make_s3, s3_server, signed):
    storage = make_s3(thumbs=ONE, querystring_auth=signed)
    if not signed:
        allow_reading(s3_server, storage.bucket_name)
    page = storage.save("page", SimpleUploadedFile("page", SVG, "image/svg+xml"))
    picture = storage.save("cat.svg", SimpleUploadedFile("cat.svg", SVG, "image/svg+xml"))
    image = storage.save("cat.html", SimpleUploadedFile("cat.html", draw(), "text/html"))
    assert answer_to(storage.url(page)) == ("application/octet-stream", "attachment")
    assert answer_to(storage.url(picture))[1] == "attachment"
    assert answer_to(storage.url(image)) == ("image/jpeg", None)
    assert answer_to(storage.url_for_thumb(image, "small")) == ("image/jpeg", None)


def allow_reading(server, bucket):
    import json

    resource = f"arn:aws:s3:::{bucket}/*"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resource}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    server.client().put_bucket_policy(Bucket=bucket, Policy=policy)


def test_a_large_page_goes_up_in_parts_and_is_saved_and_not_shown(make_s3, types_of):
    from boto3.s3.transfer import TransferConfig

    storage = make_s3(transfer_config=TransferConfig(multipart_threshold=5 * 1024**2, multipart_chunksize=5 * 1024**2))
    saved = storage.save("page.html", SimpleUploadedFile("page.html", HTML + bytes(6 * 1024**2), "text/html"))
    assert types_of(saved) == DOWNLOAD


# The project says otherwise


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"ContentType": "text/css"}, ("text/css", None)),
        ({"ContentDisposition": "inline"}, ("application/octet-stream", "inline")),
        ({"ContentType": "text/html", "ContentDisposition": "attachment"}, ("text/html", "attachment")),
        ({"CacheControl": "max-age=1"}, ("application/octet-stream", "attachment")),
    ],
)
def test_object_parameters_have_the_last_word(make_s3, types_of, parameters, expected):
    saved = make_s3(thumbs=ONE, object_parameters=parameters).save("a.html", in_memory("a.html", HTML, "text/html"))
    assert types_of(saved)[:2] == expected


def test_get_object_parameters_has_the_last_word(make_s3, types_of):
    class Styles(S3ThumbnailStorage):
        def get_object_parameters(self, name):
            more = {"ContentType": "text/css; charset=utf-8"} if name.endswith(".css") else {}
            return {**super().get_object_parameters(name), **more}

    storage = make_s3(Styles, thumbs=ONE)
    assert types_of(storage.save("a.css", in_memory("a.css", UNKNOWN["css"], "text/html"))) == (
        "text/css; charset=utf-8",
        None,
        None,
    )
    assert types_of(storage.save("a.html", in_memory("a.html", HTML, "text/html"))) == DOWNLOAD


def test_a_content_type_that_the_projects_code_sets_counts(make_s3, types_of):
    content = ContentFile(UNKNOWN["css"], name="a.css")
    content.content_type = "text/css"
    assert types_of(make_s3(thumbs=ONE).save("a.css", content)) == ("text/css", None, None)


def test_a_wrapped_upload_is_still_a_clients_word(make_s3, types_of):
    file = File(SimpleUploadedFile("a.html", HTML, "text/html"), name="a.html")
    assert types_of(make_s3(thumbs=ONE).save("a.html", file)) == DOWNLOAD


@pytest.mark.parametrize("client", ["text/html", "text/markdown", None])
@pytest.mark.parametrize("make", [in_memory, lambda name, data, client: ContentFile(data, name=name)])
def test_names_are_believed_where_the_project_says_so(make_s3, types_of, s3_options, make, client):
    upstream = S3Storage(
        location="theirs", **{name: value for name, value in s3_options.items() if name != "conditional_writes"}
    )
    ours = make_s3(location="ours", thumbs=ONE, content_types="name")
    for name, data in [*zip(NAMES, UNKNOWN.values(), strict=False), ("a.pdf", HTML), ("b", KNOWN["application/pdf"])]:
        theirs = upstream.save(name, make(name, data, client))
        assert types_of(f"ours/{ours.save(name, make(name, data, client))}") == types_of(f"theirs/{theirs}")


@pytest.mark.parametrize("option", ["Bytes", "", None, "content", ["bytes"]])
def test_a_wrong_option_is_told(make_s3, option):
    with pytest.raises(ImproperlyConfigured, match=r"S3ThumbnailStorage: option 'content_types': .*bytes, name"):
        make_s3(content_types=option)


# Zipping


def test_what_is_text_by_its_name_is_zipped_and_still_an_attachment(make_s3, types_of, s3_server, bucket):
    saved = make_s3(gzip=True).save("a.css", in_memory("a.css", UNKNOWN["css"], "text/css"))
    assert types_of(saved) == (*DOWNLOAD[:2], "gzip")
    body = s3_server.client().get_object(Bucket=bucket, Key=saved)["Body"].read()
    assert gzip.decompress(body) == UNKNOWN["css"]


def test_a_file_of_unknown_kind_is_not_zipped(make_s3, types_of, s3_server, bucket):
    saved = make_s3(gzip=True).save("a.bin", in_memory("a.bin", UNKNOWN["css"], "text/css"))
    assert types_of(saved) == DOWNLOAD
    assert s3_server.client().get_object(Bucket=bucket, Key=saved)["Body"].read() == UNKNOWN["css"]


def test_what_the_project_calls_text_is_zipped(make_s3, types_of, s3_server, bucket):
    content = ContentFile(UNKNOWN["css"], name="a.css")
    content.content_type = "text/css"
    storage = make_s3(gzip=True)
    saved = storage.save("a.css", content)
    assert types_of(saved) == ("text/css", None, "gzip")
    body = s3_server.client().get_object(Bucket=bucket, Key=saved)["Body"].read()
    assert gzip.decompress(body) == UNKNOWN["css"]


def test_what_is_zipped_already_is_told_as_such(make_s3, types_of):
    """With an encoding in place of a type, a browser would unpack it, and show the page in it."""
    assert types_of(make_s3().save("page.html.gz", ContentFile(gzip.compress(HTML)))) == (
        "application/gzip",
        None,
        None,
    )


def test_a_zipped_page_is_a_download(make_s3, types_of):
    storage = make_s3(gzip=True, gzip_content_types=("application/octet-stream",))
    assert types_of(storage.save("a.html", upload(data=HTML))) == ("application/octet-stream", "attachment", "gzip")
