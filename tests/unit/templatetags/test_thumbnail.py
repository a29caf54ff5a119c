"""The template tag: every form it has, and what it does where there is no URL."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace

import pytest
from django.core.checks import INFO, run_checks
from django.core.files.storage import FileSystemStorage
from django.db import models
from django.db.models.fields.files import FieldFile
from django.template import Context, Engine, RequestContext, TemplateSyntaxError
from django.template.backends.django import DjangoTemplates
from django.template.library import InvalidTemplateLibrary
from django.test import RequestFactory

from athumb_storage import AthumbError, Thumb, UnknownThumb
from athumb_storage.fields import FileWithThumbsField
from athumb_storage.storages import InMemoryThumbnailStorage, S3ThumbnailStorage
from tests.shop.models import Plain, Product

URL = "/media/products/cat.jpg.thumbs/60x60.jpg"


@pytest.fixture(params=["athumb", "thumbnail"])
def library(request):
    return request.param


def render(template, context=None, *, library="athumb", request=None):
    modules = {name: f"athumb_storage.templatetags.{name}" for name in ("athumb", "thumbnail")}
    engine = Engine(libraries=modules, context_processors=["django.template.context_processors.request"])
    compiled = engine.from_string(f"{{% load {library} %}}{template}")
    if request is not None:
        return compiled.render(RequestContext(request, context))
    return compiled.render(Context(context))


@pytest.fixture
def product():
    return Product(image="products/cat.jpg")


@pytest.fixture
def over_http(settings):
    settings.MEDIA_URL = "http://media.example.com/"


def page(*, secure):
    return RequestFactory().get("/", secure=secure)


def field_file(storage, name="cat.jpg"):
    return FieldFile(None, models.FileField(storage=storage), name)


@pytest.mark.parametrize(
    "tag",
    [
        "{% thumbnail product.image '60x60' %}",
        '{% thumbnail product.image "60x60" %}',
        "{% thumbnail product.image 60x60 %}",
        "{% thumbnail product.image thumb_name %}",
        "{% thumbnail product.image padded %}",
        "{% thumbnail product.image spec %}",
        "{% thumbnail product.image other|default:'60x60' %}",
        "{% thumbnail product.image '60x60' force_ssl=False %}",
        "{% thumbnail product.image '60x60' as thumb %}{{ thumb }}",
        "{% thumbnail product.image '60x60' as 'thumb' %}{{ thumb }}",
        '{% thumbnail product.image 60x60 as "thumb" %}{{ thumb }}',
        "{% thumbnail product.image thumb_name force_ssl=False as thumb %}{{ thumb }}",
        "{% with file=product.image %}{% thumbnail file '60x60' %}{% endwith %}",
    ],
)
def test_every_form_gives_the_url(product, library, tag):
    context = {"product": product, "thumb_name": "60x60", "padded": " 60x60 ", "spec": Thumb(size=(60, 60))}
    assert render(tag, context, library=library) == URL


def test_with_as_the_tag_itself_writes_nothing(product):
    assert render("[{% thumbnail product.image '60x60' as thumb %}]", {"product": product}) == "[]"


def test_as_replaces_an_older_value_of_the_variable(product):
    template = "{% thumbnail product.image '60x60' as url %}{% thumbnail empty '60x60' as url %}[{{ url }}]"
    assert render(template, {"product": product, "empty": Product().image}) == "[]"


def test_each_turn_of_a_loop_has_its_own_url():
    products = [Product(image="a.jpg"), Product(image="b.jpg")]
    template = "{% for p in products %}{% thumbnail p.image 'large' %} {% endfor %}"
    assert render(template, {"products": products}) == "/media/a.jpg.thumbs/large.webp /media/b.jpg.thumbs/large.webp "


@pytest.mark.parametrize("name", ["athumb", "thumbnail"])
def test_usable_as_a_builtin(product, name):
    engine = Engine(builtins=[f"athumb_storage.templatetags.{name}"])
    template = engine.from_string("{% thumbnail product.image '60x60' %}")
    assert template.render(Context({"product": product})) == URL


@pytest.mark.django_db(databases=["default", "other"])  # from Django 6.1 on, all checks ask them whether they have JSON
class TestAnotherLibraryOfThisName:
    """`{% load thumbnail %}` is the other app's, `{% load athumb %}` always ours."""

    @pytest.fixture
    def other(self, tmp_path, monkeypatch):
        """An app with a tag `thumbnail` that writes "theirs"."""
        package = tmp_path / "othertags" / "templatetags"
        package.mkdir(parents=True)
        for folder in (package, package.parent):
            (folder / "__init__.py").touch()
        (package / "thumbnail.py").write_text(
            "from django import template\n"
            "register = template.Library()\n"
            "@register.simple_tag\n"
            "def thumbnail(*arguments): return 'theirs'\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        yield "othertags"
        for name in [name for name in sys.modules if name.partition(".")[0] == "othertags"]:
            del sys.modules[name]

    @pytest.fixture(params=["before", "after"])
    def apps(self, request, settings, other):
        installed = settings.INSTALLED_APPS
        settings.INSTALLED_APPS = [other, *installed] if request.param == "before" else [*installed, other]

    @staticmethod
    def rendered(library, **options):
        template = f"{{% load {library} %}}{{% thumbnail product.image '60x60' %}}"
        engine = DjangoTemplates({"NAME": "django", "DIRS": [], "APP_DIRS": True, "OPTIONS": options})
        return engine.from_string(template).render({"product": Product(image="products/cat.jpg")})

    @staticmethod
    def checked():
        return [message for message in run_checks() if message.id == "athumb_storage.I001"]

    @pytest.mark.usefixtures("apps")
    def test_is_in_force_wherever_its_app_stands(self):
        assert self.rendered("thumbnail") == "theirs"
        assert self.rendered("athumb") == URL

    @pytest.mark.usefixtures("apps")
    def test_a_check_says_so(self):
        (message,) = self.checked()
        assert not message.is_serious()
        assert message.level == INFO
        assert message.msg == (
            "{% load thumbnail %} loads othertags.templatetags.thumbnail, and not the tags of athumb_storage."
        )
        assert message.hint == "Write {% load athumb %} for the tags of athumb_storage."

    @pytest.mark.usefixtures("apps")
    def test_django_warns_of_no_clash(self):
        assert [message for message in run_checks() if message.id.startswith("templates.")] == []

    @pytest.mark.usefixtures("apps")
    def test_to_name_the_module_of_ours_says_what_to_write(self):
        with pytest.raises(InvalidTemplateLibrary) as caught:
            self.rendered("thumbnail", libraries={"thumbnail": "athumb_storage.templatetags.thumbnail"})
        assert str(caught.value.__context__) == (
            "the library 'thumbnail' is that of othertags.templatetags.thumbnail; "
            "ours is athumb_storage.templatetags.athumb"
        )

    @pytest.mark.usefixtures("apps")
    def test_the_projects_own_word_counts(self, settings):
        libraries = {"thumbnail": "athumb_storage.templatetags.athumb"}
        assert self.rendered("thumbnail", libraries=libraries) == URL
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "OPTIONS": {"libraries": libraries}}]
        assert self.checked() == []

    @pytest.mark.usefixtures("other")
    def test_in_the_options_of_the_engine(self, settings):
        libraries = {"thumbnail": "othertags.templatetags.thumbnail"}
        assert self.rendered("thumbnail", libraries=libraries) == "theirs"
        assert self.rendered("athumb", libraries=libraries) == URL
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "OPTIONS": {"libraries": libraries}}]
        assert len(self.checked()) == 1

    def test_without_another_both_are_ours(self):
        assert self.rendered("thumbnail") == self.rendered("athumb") == URL
        assert self.checked() == []

    def test_a_module_of_this_name_that_is_no_library_changes_nothing(self, settings, tmp_path, other):
        (tmp_path / "othertags" / "templatetags" / "thumbnail.py").write_text("")
        settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, other]
        assert self.rendered("thumbnail") == URL


@pytest.mark.usefixtures("over_http")
class TestHttps:
    @pytest.mark.parametrize(
        ("secure", "scheme"),
        [(False, "http"), (True, "https")],
    )
    def test_follows_the_request(self, product, secure, scheme):
        url = render("{% thumbnail product.image '60x60' %}", {"product": product}, request=page(secure=secure))
        assert url == f"{scheme}://media.example.com/products/cat.jpg.thumbs/60x60.jpg"

    def test_no_request_in_the_context(self, product):
        assert render("{% thumbnail product.image '60x60' %}", {"product": product}).startswith("http://")

    @pytest.mark.parametrize("value", ["True", "1", "yes"])
    def test_force_ssl(self, product, library, value):
        tag = f"{{% thumbnail product.image '60x60' force_ssl={value} %}}"
        url = render(tag, {"product": product, "yes": True}, library=library, request=page(secure=False))
        assert url == "https://media.example.com/products/cat.jpg.thumbs/60x60.jpg"

    def test_force_ssl_with_as(self, product):
        tag = "{% thumbnail product.image '60x60' force_ssl=True as thumb %}{{ thumb }}"
        assert render(tag, {"product": product}).startswith("https://")

    def test_force_ssl_false_leaves_a_secure_page_secure(self, product):
        tag = "{% thumbnail product.image '60x60' force_ssl=False %}"
        assert render(tag, {"product": product}, request=page(secure=True)).startswith("https://")

    def test_a_url_without_a_host_stays_as_it_is(self, product, settings):
        settings.MEDIA_URL = "/media/"
        tag = "{% thumbnail product.image '60x60' force_ssl=True %}"
        assert render(tag, {"product": product}, request=page(secure=True)) == URL


class TestPlainFields:
    """Any file whose storage makes thumbs will do."""

    def test_plain_file_field(self):
        plain = Plain(file="files/cat.png")
        url = render("{% thumbnail plain.file 'cover' %}", {"plain": plain})
        assert url == "/media/files/cat.png.thumbs/cover.png"

    def test_plain_image_field(self):
        plain = Plain(image="images/cat.gif")
        url = render("{% thumbnail plain.image 'cover' %}", {"plain": plain})
        assert url == "/media/images/cat.gif.thumbs/cover.gif"


class TestEscaping:
    @pytest.fixture
    def signed(self):
        storage = S3ThumbnailStorage(
            bucket_name="media",
            access_key="key",
            secret_key="secret",
            region_name="eu-west-1",
            signature_version="s3v4",
            thumbs={"small": {"size": (20, 20)}},
        )
        return field_file(storage)

    def test_ampersands_between_parameters(self, signed):
        url = render("{% thumbnail file 'small' %}", {"file": signed})
        assert "&amp;X-Amz-Signature=" in url
        assert "&" not in url.replace("&amp;", "")

    def test_a_variable_is_escaped_once(self, signed):
        url = render("{% thumbnail file 'small' as url %}{{ url }}", {"file": signed})
        assert "&amp;X-Amz-Signature=" in url
        assert "&amp;amp;" not in url

    def test_not_where_escaping_is_off(self, signed):
        url = render("{% autoescape off %}{% thumbnail file 'small' %}{% endautoescape %}", {"file": signed})
        assert "&X-Amz-Signature=" in url
        assert "&amp;" not in url

    def test_quotes_in_a_name_cannot_end_the_attribute(self):
        url = render("<img src='{% thumbnail p.image '60x60' %}'>", {"p": Product(image="""o'x "y" <z>.jpg""")})
        assert url.count("'") == 2
        assert url.count("<") == 1
        assert '"' not in url


@pytest.mark.parametrize("debug", [True, False])
class TestEmpty:
    @pytest.mark.parametrize("value", ["", None])
    @pytest.mark.parametrize("tag", ["{% thumbnail p.image '60x60' %}", "{% thumbnail p.image '60x60' as t %}{{ t }}"])
    def test_field_without_a_file(self, settings, caplog, debug, value, tag):
        settings.DEBUG = debug
        assert render(f"[{tag}]", {"p": Product(image=value)}) == "[]"
        assert not caplog.records

    @pytest.mark.parametrize("context", [{}, {"p": None}, {"p": ""}])
    def test_no_such_variable(self, settings, caplog, debug, context):
        settings.DEBUG = debug
        assert render("[{% thumbnail p.image '60x60' %}]", context) == "[]"
        assert not caplog.records


FORGOTTEN = (
    "The thumb name large is empty, or there is no such variable. "
    "A name itself needs quotes: {% thumbnail file 'large' %}."
)


def no_url_cases():
    plain_storage = FileSystemStorage()
    thumbless = FileWithThumbsField(storage=InMemoryThumbnailStorage())
    thumbless.contribute_to_class(Fake, "file")
    return {
        "unknown name": (Product(image="cat.jpg").image, "'80x80'", UnknownThumb, "'50x50_cropped', '60x60', 'large'"),
        "unknown unquoted": (Product(image="cat.jpg").image, "80x80", UnknownThumb, "'60x60'"),
        "forgotten quotes": (Product(image="cat.jpg").image, "large", AthumbError, FORGOTTEN),
        "empty name": (Product(image="cat.jpg").image, "''", AthumbError, "The thumb name '' is empty"),
        "plain field": (Plain(file="cat.jpg").file, "'60x60'", UnknownThumb, "'cover'"),
        "field without thumbs": (thumbless.attr_class(None, thumbless, "cat.jpg"), "'x'", UnknownThumb, "none"),
        "storage without thumbs": (field_file(plain_storage), "'60x60'", AthumbError, "has no thumbs"),
        "plain string": ("products/cat.jpg", "'60x60'", AthumbError, "'products/cat.jpg' has no thumbs"),
        "number": (5, "'60x60'", AthumbError, "5 has no thumbs"),
    }


class Fake(models.Model):
    class Meta:
        abstract = True
        app_label = "shop"


@pytest.fixture(
    params=[
        "unknown name",
        "unknown unquoted",
        "forgotten quotes",
        "empty name",
        "plain field",
        "field without thumbs",
        "storage without thumbs",
        "plain string",
        "number",
    ]
)
def no_url(request):
    file, thumb, error, message = no_url_cases()[request.param]
    return SimpleNamespace(file=file, tag=f"{{% thumbnail file {thumb} %}}", error=error, message=message)


class TestNoUrl:
    def test_in_development_an_error_names_the_known_thumbs(self, settings, no_url):
        settings.DEBUG = True
        with pytest.raises(no_url.error, match=no_url.message):
            render(no_url.tag, {"file": no_url.file})

    def test_in_production_the_log_has_it_and_the_page_goes_on(self, settings, caplog, no_url):
        settings.DEBUG = False
        assert render(f"[{no_url.tag}]", {"file": no_url.file}) == "[]"
        (record,) = caplog.records
        assert (record.name, record.levelno) == ("athumb_storage", logging.ERROR)
        assert record.getMessage().startswith("{% thumbnail file ")
        assert no_url.message in str(record.exc_info[1])

    def test_in_production_a_variable_is_empty(self, settings, caplog, no_url):
        settings.DEBUG = False
        tag = no_url.tag.replace(" %}", " as url %}")
        assert render(f"{tag}[{{{{ url }}}}]", {"file": no_url.file}) == "[]"
        assert len(caplog.records) == 1

    @pytest.mark.parametrize("value", [[], {}, 5, object()], ids=["list", "dict", "number", "object"])
    def test_a_variable_that_is_no_thumb_name(self, settings, caplog, product, value):
        settings.DEBUG = False
        assert render("[{% thumbnail product.image value %}]", {"product": product, "value": value}) == "[]"
        assert len(caplog.records) == 1

    @pytest.mark.parametrize("thumb", ["theirs", "differing"])
    def test_a_plain_field_has_the_thumbs_of_its_storage_and_no_others(self, settings, caplog, thumb):
        storage = InMemoryThumbnailStorage(thumbs={"own": {"size": (9, 9)}})
        fields = [
            FileWithThumbsField(
                storage=storage,
                thumbs={"theirs": {"size": (4, 4)}, "differing": {"size": (side, side)}, "own": {"size": (side, 5)}},
            )
            for side in (1, 2)
        ]

        class Two:
            """Two fields of one model, without the model."""

            _meta = SimpleNamespace(
                label="shop.Two", abstract=False, add_field=lambda *_, **__: None, private_fields=[], model_name="two"
            )

        for number, field in enumerate(fields):
            field.contribute_to_class(Two, f"file{number}")
        file = field_file(storage)
        assert render("{% thumbnail file 'own' %}", {"file": file}).endswith("cat.jpg.thumbs/own.jpg")
        settings.DEBUG = True
        with pytest.raises(UnknownThumb, match="Known thumbs: 'own'"):
            render(f"{{% thumbnail file '{thumb}' %}}", {"file": file})
        settings.DEBUG = False
        assert render(f"{{% thumbnail file '{thumb}' %}}", {"file": file}) == ""
        assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "tag",
    [
        "{% thumbnail %}",
        "{% thumbnail product.image %}",
        "{% thumbnail product.image as thumb %}",
        "{% thumbnail product.image '60x60' as %}",
        "{% thumbnail product.image '60x60' as a b %}",
        "{% thumbnail product.image '60x60' extra %}",
        "{% thumbnail product.image '60x60' force_ssl %}",
        "{% thumbnail product.image '60x60' force_ssl= %}",
        "{% thumbnail product.image '60x60' quality=3 %}",
        "{% thumbnail product.image '60x60' force_ssl=True quality=3 as thumb %}",
    ],
)
def test_wrong_syntax(library, tag):
    with pytest.raises(TemplateSyntaxError, match="'thumbnail' "):
        render(tag, library=library)
