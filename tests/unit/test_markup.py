"""The HTML that shows thumbs, as the tags of Django's templates and the functions of Jinja2 write it."""

from __future__ import annotations

import base64
import logging
from html.parser import HTMLParser

import jinja2
import pytest
from django.core.files.storage import FileSystemStorage
from django.db import models
from django.db.models.fields.files import FieldFile
from django.test import RequestFactory

from athumb_storage import AthumbError, OriginalSizeUnknown, Responsive, UnknownThumb, markup
from athumb_storage.contrib.jinja2 import ThumbsExtension
from athumb_storage.rendering import placeholder_png
from athumb_storage.storages import InMemoryThumbnailStorage, S3ThumbnailStorage
from tests.shop.models import Document, Plain, Portrait, Product, Story
from tests.unit.templatetags.test_thumbnail import render

S3 = S3ThumbnailStorage(
    bucket_name="media",
    access_key="key",
    secret_key="secret",
    custom_domain="cdn.example.com",
    url_protocol="http:",
    thumbs={"small": {"size": (20, 20)}},
    placeholder_url="/static/none.svg",
)

PLAIN = models.FileField(storage=InMemoryThumbnailStorage(thumbs={"hero": Responsive(widths=(40, 80), ratio=(2, 1))}))

HASH = "YOgFFYZgZFJ2aGd3lod1l7CaDnwV"


class Elements(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def elements(html):
    return Elements(html).found


def in_jinja(source, context):
    environment = jinja2.Environment(autoescape=True, extensions=[ThumbsExtension])
    return environment.from_string(source).render(context)


@pytest.fixture(params=["django", "jinja2"])
def shown(request):
    """What a tag shows of a file: its name, the file, the thumb name, and options."""

    def show(tag, file, thumb, **options):
        context = {"file": file, "thumb": thumb, **options}
        if request.param == "jinja2":
            arguments = "".join(f", {name}={name}" for name in options)
            return in_jinja(f"{{{{ {tag}(file, thumb{arguments}) }}}}", context)
        arguments = "".join(f" {name}={name}" for name in options)
        return render(f"{{% {tag} file thumb{arguments} %}}", context)

    return show


def story(**fields):
    return Story(**{"image": "stories/cat.jpg", "width": 400, "height": 300, **fields})


def key(name):
    return f"/media/stories/cat.jpg.thumbs/{name}"


class TestImg:
    def test_of_a_thumb(self, shown):
        html = shown("thumb_img", story().image, "fit")
        assert html == (f'<img src="{key("fit.png")}" width="50" height="38" alt="" loading="lazy" decoding="async">')

    def test_densities(self, shown):
        [(_, img)] = elements(shown("thumb_img", story().image, "square"))
        assert img["src"] == key("square.jpg")
        assert img["srcset"] == f"{key('square.jpg')} 1x, {key('square%402x.jpg')} 2x"
        assert (img["width"], img["height"]) == ("20", "20")

    def test_densities_that_the_original_has_not_got(self, shown):
        [(_, img)] = elements(shown("thumb_img", story(width=20, height=20).image, "square"))
        assert "srcset" not in img

    def test_of_a_responsive_set(self, shown):
        [(_, img)] = elements(shown("thumb_img", story().image, "hero", sizes="50vw"))
        assert img["src"] == key("hero-160.jpg")
        assert img["srcset"] == ", ".join(f"{key(f'hero-{width}.jpg')} {width}w" for width in (40, 80, 160))
        assert (img["sizes"], img["width"], img["height"]) == ("50vw", "160", "80")

    def test_attributes(self, shown):
        options = {
            "alt": "A cat",
            "class_": "cover",
            "data_id": 5,
            "loading": "eager",
            "decoding": None,
            "hidden": True,
        }
        html = shown("thumb_img", story().image, "fit", **options)
        [(_, img)] = elements(html)
        assert (img["alt"], img["class"], img["data-id"], img["loading"]) == ("A cat", "cover", "5", "eager")
        assert "decoding" not in img
        assert img["hidden"] is None
        assert html.count(" hidden") == 1

    def test_sizes_are_for_several_images(self, shown):
        assert "sizes" not in shown("thumb_img", story().image, "fit", sizes="50vw")

    def test_without_the_size_of_the_original(self, shown):
        [(_, img)] = elements(shown("thumb_img", story(width=None).image, "fit"))
        assert "width" not in img
        [(_, img)] = elements(shown("thumb_img", story(width=None).image, "square"))
        assert (img["width"], img["height"]) == ("20", "20")

    @pytest.mark.parametrize("hostile", ['"><script>', "'\"&<>", 'a" onerror="x'])
    def test_everything_is_escaped(self, shown, hostile):
        image = story(image=f"stories/{hostile}.jpg").image
        [(tag, img)] = elements(shown("thumb_img", image, "fit", alt=hostile, title=hostile))
        assert tag == "img"
        assert set(img) == {"src", "width", "height", "alt", "title", "loading", "decoding"}
        assert (img["alt"], img["title"]) == (hostile, hostile)

    @pytest.mark.parametrize("name", ["on load", "a>", 'a"b', "", "1a"])
    def test_what_is_no_attribute_is_an_error(self, name):
        with pytest.raises(AthumbError, match="is no attribute"):
            markup.thumb_img(story().image, "fit", **{name: "x"})

    def test_https(self):
        request = RequestFactory().get("/", secure=True)
        image = FieldFile(None, models.FileField(storage=S3), "cat.jpg")
        html = render("{% thumb_img image 'small' %}", {"image": image}, request=request)
        assert elements(html)[0][1]["src"].startswith("https://cdn.example.com/")
        source = "{{ thumb_img(image, 'small') }}{{ thumb_img(image, 'small', force_ssl=False) }}"
        assert in_jinja(source, {"image": image, "request": request}).count('"https://cdn.example.com/') == 2
        assert 'src="http://cdn' in in_jinja("{{ thumb_img(image, 'small') }}", {"image": image})


class TestPicture:
    def test_of_a_responsive_set(self, shown):
        html = shown("picture", story().image, "hero", sizes="50vw", alt="A cat")
        assert html.startswith("<picture>")
        assert html.endswith("</picture>")
        _, (tag, source), (_, plain), (_, img) = elements(html)
        assert (tag, source["type"], source["sizes"]) == ("source", "image/webp", "50vw")
        assert source["srcset"] == ", ".join(f"{key(f'hero-{width}.webp')} {width}w" for width in (40, 80, 160))
        assert plain == {**source, "type": "image/jpeg", "srcset": source["srcset"].replace(".webp", ".jpg")}
        assert (img["src"], img["alt"]) == (key("hero-160.jpg"), "A cat")
        assert not {"sizes", "srcset"} & set(img)
        assert (img["width"], img["height"]) == ("160", "80")

    def test_of_a_thumb_in_several_formats(self, shown):
        _, (_, source), (_, plain), (_, img) = elements(shown("picture", story().image, "fit"))
        assert source == {"type": "image/webp", "srcset": key("fit.webp")}
        assert plain == {"type": "image/png", "srcset": key("fit.png")}
        assert img["src"] == key("fit.png")
        assert "srcset" not in img

    def test_densities(self, shown):
        _, (_, source), (_, img) = elements(shown("picture", story().image, "square"))
        assert source["srcset"] == f"{key('square.jpg')} 1x, {key('square%402x.jpg')} 2x"
        assert img["src"] == key("square.jpg")

    def test_there_is_nothing_to_choose_from(self, shown):
        tags = [tag for tag, _ in elements(shown("picture", story(width=20, height=20).image, "square"))]
        assert tags == ["picture", "img"]

    @pytest.mark.parametrize(
        ("size", "widths", "shown_size"),
        [
            ((160, 80), (40, 80, 160), ("160", "80")),
            ((159, 300), (40, 80), ("159", "80")),
            ((400, 79), (40, 80), ("158", "79")),
            ((80, 40), (40, 80), ("80", "40")),
            ((39, 300), (39,), ("39", "20")),
            ((None, None), (40, 80, 160), (None, None)),
        ],
    )
    def test_widths_that_the_original_has_not_got_are_left_out(self, shown, size, widths, shown_size):
        image = story(width=size[0], height=size[1]).image
        _, (_, source), (_, plain), (_, img) = elements(shown("picture", image, "hero"))
        names = [f"hero-{40 if width == 39 else width}" for width in widths]
        for found, extension in ((source, "webp"), (plain, "jpg")):
            expected = [f"{key(f'{name}.{extension}')} {width}w" for name, width in zip(names, widths, strict=True)]
            assert found["srcset"] == ", ".join(expected)
        assert (img.get("width"), img.get("height")) == shown_size

    def test_a_field_that_keeps_no_size(self, shown):
        [_, (_, source), (_, img)] = elements(shown("picture", FieldFile(None, PLAIN, "cat.jpg"), "hero"))
        assert source["srcset"].endswith("hero-80.jpg 80w")
        assert "width" not in img


class TestPlaceholder:
    def test_it_is_the_background(self, shown):
        [(_, img)] = elements(shown("thumb_img", story(placeholder=HASH).image, "fit", style="color: red"))
        url = f"data:image/png;base64,{base64.b64encode(placeholder_png(HASH)).decode()}"
        assert img["style"] == f"background: url({url}) center / cover; color: red"

    @pytest.mark.parametrize("placeholder", ["", "no hash", '"><script>', "HriFDQQXRFCVh5hZaG18/yNZJJlEsFZicw=="])
    def test_there_is_none(self, shown, placeholder):
        assert "style" not in shown("thumb_img", story(placeholder=placeholder).image, "fit")


class TestOthers:
    def test_srcset(self, shown):
        assert shown("srcset", story().image, "square") == f"{key('square.jpg')} 1x, {key('square%402x.jpg')} 2x"
        assert shown("srcset", story().image, "hero", format="WEBP").startswith(f"{key('hero-40.webp')} 40w, ")
        assert shown("srcset", story().image, "fit") == ""

    def test_thumb_size(self, shown):
        assert shown("thumb_size", story().image, "fit") == 'width="50" height="38"'
        assert shown("thumb_size", story().image, "hero") == 'width="160" height="80"'
        assert shown("thumb_size", story(width=None).image, "fit") == ""

    def test_thumbnail_of_a_set_is_its_widest(self, shown):
        assert shown("thumbnail", story().image, "hero") == key("hero-160.jpg")

    def test_a_focal_point(self, shown):
        portrait = Portrait(image="portraits/a.jpg", image_focus="0.3,0.2")
        html = shown("picture", portrait.image, "face")
        assert html.count("face.gif?focal=0.3,0.2") == 1
        assert html.count("face.png?focal=0.3,0.2") == 2

    def test_plain_fields(self, shown):
        plain = Plain(file="files/cat.png")
        [(_, img)] = elements(shown("thumb_img", plain.file, "cover"))
        assert (img["src"], img["width"]) == ("/media/files/cat.png.thumbs/cover.png", "30")

    def test_a_variable(self):
        html = render("{% picture s.image 'fit' alt='<' as p %}[{{ p }}]", {"s": story()})
        assert html.startswith("[<picture><source")
        assert 'alt="&lt;"' in html

    def test_attributes_with_hyphens_and_filters(self):
        html = render("{% thumb_img s.image 'fit' data-id=5 aria-label=name|upper %}", {"s": story(), "name": "cat"})
        assert elements(html)[0][1]["data-id"] == "5"
        assert elements(html)[0][1]["aria-label"] == "CAT"


TAGS = ["thumbnail", "thumb_img", "picture", "srcset", "thumb_size"]


@pytest.mark.parametrize("tag", TAGS)
class TestNothing:
    @pytest.mark.parametrize("debug", [True, False])
    @pytest.mark.parametrize("file", [Story().image, Story(image=None).image, None, ""])
    def test_no_file(self, settings, caplog, shown, tag, file, debug):
        settings.DEBUG = debug
        assert shown(tag, file, "fit") == ""
        assert not caplog.records

    @pytest.mark.parametrize("name", ["manuals/a.pdf", "manuals/a", "manuals/a.nothumbs.jpg", "manuals/a.svg"])
    def test_a_file_without_thumbs(self, settings, caplog, shown, tag, name):
        settings.DEBUG = True
        assert shown(tag, Document(manual=name).manual, "page") == ""
        assert not caplog.records

    def test_a_thumb_that_was_deleted(self, settings, caplog, shown, tag):
        settings.DEBUG = False
        assert shown(tag, story().image, "gone") == ""
        [record] = caplog.records
        assert (record.name, record.levelno) == ("athumb_storage", logging.ERROR)
        assert tag in record.getMessage()
        settings.DEBUG = True
        with pytest.raises(UnknownThumb, match="'fit'"):
            shown(tag, story().image, "gone")

    def test_no_storage_with_thumbs(self, settings, shown, tag):
        settings.DEBUG = True
        file = FieldFile(None, models.FileField(storage=FileSystemStorage()), "cat.jpg")
        with pytest.raises(AthumbError, match="has no thumbs"):
            shown(tag, file, "fit")


def test_the_placeholder_of_an_image_without_thumbs(shown):
    storage = S3.with_thumbs({})
    file = FieldFile(None, models.FileField(storage=storage), "cat.nothumbs.jpg")
    expected = '<img src="/static/none.svg" alt="" loading="lazy" decoding="async">'
    assert shown("thumb_img", file, "small", sizes="9vw") == expected
    assert shown("picture", file, "small") == f"<picture>{expected}</picture>"
    assert shown("thumbnail", file, "small") == "/static/none.svg"
    assert (shown("srcset", file, "small"), shown("thumb_size", file, "small")) == ("", "")


class TestTheMapping:
    def test_of_thumbs_and_sets(self):
        thumbs = story().image.thumbs
        members = [*(f"hero-{width}" for width in (40, 80, 160)), "whole-30", "whole-90"]
        assert list(thumbs) == [*members, "square", "fit", "hero", "whole"]
        assert len(thumbs) == 9
        hero, square = thumbs["hero"], thumbs["square"]
        assert (hero.url, hero.width, hero.height) == (key("hero-160.jpg"), 160, 80)
        assert hero.srcset.count(",") == 2
        assert (square.url, square.width, square.height) == (key("square.jpg"), 20, 20)
        assert thumbs["hero-40"].width == 40
        assert "gone" not in thumbs
        assert thumbs.get("gone") is None

    def test_in_a_template(self):
        assert render("{{ s.image.thumbs.fit.url }}", {"s": story()}) == key("fit.png")

    def test_without_the_size_of_the_original(self):
        fit = story(width=None).image.thumbs["fit"]
        assert (fit.width, fit.height, fit.srcset) == (None, None, "")

    @pytest.mark.parametrize("file", [Story().image, Document(manual="a.pdf").manual])
    def test_there_are_none(self, file):
        assert dict(file.thumbs) == {}

    def test_a_size_that_is_not_known_is_an_error_where_it_is_asked_for(self):
        with pytest.raises(OriginalSizeUnknown):
            story(width=None).image.thumb_size("hero")


def test_no_query_and_no_request(monkeypatch):
    monkeypatch.setattr(type(story().image.storage), "_open", None)
    monkeypatch.setattr(type(story().image.storage), "exists", None)
    assert Product(image="a.jpg").image.thumbs["60x60"].url
    for tag in TAGS:
        assert render(f"{{% {tag} s.image 'hero' %}}", {"s": story(placeholder=HASH)})
