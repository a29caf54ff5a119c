"""The README and the docs: every block of code runs, every link leads somewhere, every list is that of the code.

A page is one small project. Its blocks run in order, in a process of their own:

    python   run; one that begins with a comment that names a file (`# settings.py`, `# store/models.py`) becomes a part
             of that file, which all other blocks find in place
    pycon    run as a doctest
    html     rendered as a template, with `product` and whatever the blocks before it have defined
    bash     `manage.py` commands and pytest are run; targets and variables of `make` have to exist
    diff     what it adds has to be Python
    text     is no code

`<!-- test: alone -->` before a block runs it in a project without the other blocks. The README is followed in a new
project instead, as a reader does; there `<!-- test: s3 -->` marks a block that counts only on S3.
"""

from __future__ import annotations

import ast
import configparser
import dataclasses
import html
import inspect
import json
import os
import re
import shlex
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from botocore.exceptions import ClientError

import athumb_storage
from athumb_storage import Thumb, fields, storages
from athumb_storage.distributed import runs
from athumb_storage.distributed.management.commands import athumb_runs
from athumb_storage.fields import ThumbsFieldFile, ThumbsFieldMixin
from athumb_storage.formats import MIME_TYPES
from athumb_storage.management.commands import athumb_audit, athumb_regen_field
from athumb_storage.naming import NAMINGS
from athumb_storage.specs import Variant
from athumb_storage.storages import S3ThumbnailStorage
from athumb_storage.storages.options import StorageOptions
from tests.conftest import draw

ROOT = Path(__file__).resolve().parent.parent
PAGES = {
    path.relative_to(ROOT).as_posix(): path for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
}
BLOCK = re.compile(r"(?:^<!-- test: (?P<marker>\w+) -->\n)?^```(?P<language>\w*)\n(?P<source>.*?)^```$", re.M | re.S)
FILE = re.compile(r"# (?P<path>[\w/]+\.py)\n")


class Block(NamedTuple):
    marker: str | None
    language: str
    source: str
    line: int

    @property
    def path(self):
        """The file that this block is a part of."""
        match = FILE.match(self.source) if self.language == "python" else None
        return match["path"] if match else None


def blocks_of(text):
    return [
        Block(match["marker"], match["language"], match["source"], text.count("\n", 0, match.start("source")))
        for match in BLOCK.finditer(text)
    ]


def all_blocks(*languages):
    return [
        pytest.param(block, id=f"{page}:{block.line}")
        for page, path in PAGES.items()
        for block in blocks_of(path.read_text())
        if block.language in languages
    ]


SETTINGS = """
from pathlib import Path

DEBUG = True
BASE_DIR = Path(__file__).parent
SECRET_KEY = "only for tests"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "store"]
ROOT_URLCONF = "urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": ["django.template.context_processors.request"],
            "string_if_invalid": "(no such variable: %s)",
        },
    }
]
"""

DEFAULTS = """
if "athumb_storage" not in INSTALLED_APPS:
    INSTALLED_APPS += ["athumb_storage"]
if "MEDIA_ROOT" not in globals():
    MEDIA_ROOT, MEDIA_URL = BASE_DIR / "files", "/files/"
if not {"STORAGES", "DEFAULT_FILE_STORAGE"} & set(globals()):
    STORAGES = {
        "default": {"BACKEND": "athumb_storage.storages.FileSystemThumbnailStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
"""
"""What a page need not say."""

RUNNER = '''
"""Sets the project up, then runs the blocks in `blocks.json`."""

import doctest
import json
import linecache
import shlex
import subprocess
import sys
from pathlib import Path

import django

django.setup()

from django.core.management import call_command
from django.template import engines
from django.test import RequestFactory

namespace = {"__name__": "docs"}


def python(name, source):
    linecache.cache[name] = len(source), None, source.splitlines(True), name
    exec(compile(source, name, "exec"), namespace)


def pycon(name, source):
    test = doctest.DocTestParser().get_doctest(source, namespace, name, name, 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test, clear_globs=False)
    namespace.update(test.globs)
    assert runner.summarize(verbose=False).failed == 0, name


def html(name, source):
    product = namespace.get("product") or a_product()
    template = engines["django"].from_string(source)
    text = template.render({**namespace, "product": product}, RequestFactory().get("/"))
    print(text)
    assert Path(product.image.name).stem in text, f"{name} shows nothing"
    assert "(no such variable" not in text, name
    assert '=""' not in text.replace('alt=""', ""), f"{name} has an empty attribute"


def a_product():
    from django.core.files import File
    from store.models import Product

    with open("cat.jpg", "rb") as file:
        return Product.objects.create(image=File(file, name="cat.jpg"))


def bash(name, source):
    for line in source.splitlines():
        words = shlex.split(line, comments=True)
        if words[:2] == ["python", "manage.py"]:
            call_command(*words[2:])
        elif words[:3] == ["python", "-m", "pytest"]:
            subprocess.run([sys.executable, *words[1:]], check=True)


call_command("check")
call_command("migrate", run_syncdb=True, verbosity=0)
for language, name, source in json.loads(Path("blocks.json").read_text()):
    globals()[language](name, source)
'''


@pytest.fixture(scope="module")
def s3_settings(s3_server):
    """Settings that lead the storages of the docs to a real server, which has their buckets."""
    for bucket in ("media", "public-media"):
        with suppress(ClientError):
            s3_server.create_bucket(bucket)
    return {
        "AWS_S3_ENDPOINT_URL": s3_server.endpoint_url,
        "AWS_S3_REGION_NAME": s3_server.region,
        "AWS_S3_ACCESS_KEY_ID": s3_server.access_key,
        "AWS_S3_SECRET_ACCESS_KEY": s3_server.secret_key,
    }


@pytest.fixture
def run_project(tmp_path, s3_settings):
    """Runs blocks as a project."""

    def run(page, blocks):
        files = {"settings.py": SETTINGS + "".join(f"{name} = {value!r}\n" for name, value in s3_settings.items())}
        for block in blocks:
            if block.path:
                files[block.path] = files.get(block.path, "") + block.source
        files["settings.py"] += DEFAULTS
        to_run = [
            (block.language, f"{page}:{block.line}", block.source)
            for block in blocks
            if not block.path and block.language in ("python", "pycon", "html", "bash")
        ]
        files = {"store/__init__.py": "", "urls.py": "urlpatterns = []\n", **files}
        write(tmp_path, {**files, "blocks.json": json.dumps(to_run), "run.py": RUNNER})
        (tmp_path / "cat.jpg").write_bytes(draw((300, 200)))
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            # Django 4.2 warns of the setting that a page shows for it.
            [sys.executable, "-W", "error", "-W", "ignore:The DEFAULT_FILE_STORAGE setting", "run.py"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class TestBlocks:
    @pytest.mark.parametrize("page", PAGES)
    def test_every_block_is_of_a_kind_that_is_tested(self, page):
        text = PAGES[page].read_text()
        blocks = blocks_of(text)
        known = {"python", "pycon", "html", "bash", "diff", "toml", "ini", "json", "text"}
        assert {block.language for block in blocks} <= known
        assert {block.marker for block in blocks} <= {None, "alone", "s3"}
        assert page == "README.md" or "s3" not in {block.marker for block in blocks}
        assert text.count("```") == 2 * len(blocks)
        assert text.count("<!-- test:") == sum(block.marker is not None for block in blocks)

    @pytest.mark.parametrize("page", [page for page in PAGES if page != "README.md"])
    def test_the_page_runs_as_a_project(self, page, run_project):
        blocks = [block for block in blocks_of(PAGES[page].read_text()) if block.marker is None]
        if not any(block.language in ("python", "pycon", "html", "bash") for block in blocks):
            pytest.skip("no code on this page")
        run_project(page, blocks)

    @pytest.mark.parametrize(
        "block", [param for param in all_blocks("python", "pycon", "html", "bash") if param.values[0].marker == "alone"]
    )
    def test_blocks_that_run_alone(self, block, run_project):
        run_project("alone", [block])

    @pytest.mark.parametrize("block", all_blocks("diff"))
    def test_what_a_diff_adds_is_python(self, block):
        lines = block.source.splitlines()
        assert any(line.startswith("+") for line in lines)
        ast.parse("\n".join(line[1:] for line in lines if not line.startswith("-")))

    @pytest.mark.parametrize("block", all_blocks("bash"))
    def test_commands_exist(self, block):
        for line in block.source.splitlines():
            match shlex.split(line, comments=True):
                case ["make", *arguments]:
                    assert_make_knows(arguments)
                case ["pip", "install", package]:
                    assert package in (".", "athumb-storage")
                case ["django-admin", "startproject", _] | ["cd", _]:
                    pass  # run in a new project
                case ["python", "manage.py", *_] | ["python", "-m", "pytest", *_] | ["sed", "-i", *_] | []:
                    pass  # run by the page, or by the test of the migration
                case words:
                    pytest.fail(f"nobody tests {words}")

    @pytest.mark.parametrize("page", PAGES)
    def test_make_commands_within_the_text_exist(self, page):
        for command in re.findall(r"`make ([^`]+)`", PAGES[page].read_text()):
            assert_make_knows(shlex.split(command))

    @pytest.mark.parametrize("page", PAGES)
    def test_configuration_parses(self, page):
        for block in blocks_of(PAGES[page].read_text()):
            if block.language == "ini":
                configparser.ConfigParser().read_string(block.source)
            elif block.language == "json":
                json.loads(block.source)
            elif block.language == "toml":
                pytest.importorskip("tomllib").loads(block.source)


class NewProject:
    """What a reader of the README has on his machine."""

    def __init__(self, folder):
        self.folder = folder

    def follow(self, block):
        """Do what a block says; what it prints, or renders."""
        if block.language == "bash":
            return "".join(self.command(line) for line in block.source.splitlines())
        if block.path:
            path = self.folder / block.path
            assert path.is_file(), f"Django makes no {block.path}"
            path.write_text(path.read_text() + block.source)
            return ""
        if block.language == "html":
            write(self.folder, {"store/templates/store/product.html": block.source})
            return self.python("manage.py", "shell", "-c", RENDER)
        (self.folder / "cat.jpg").write_bytes(draw((300, 200)))
        return self.python("manage.py", "shell", "-c", block.source)

    def command(self, line):
        match shlex.split(line):
            case ["pip", "install", "."]:
                return ""  # done already
            case ["cd", folder]:
                self.folder /= folder
                return ""
            case ["django-admin", *words]:
                return self.python("-m", "django", *words)
            case ["python", *words]:
                return self.python(*words)
        raise AssertionError(line)

    def python(self, *words):
        environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        done = subprocess.run(
            [sys.executable, *words], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


RENDER = """
from django.template.loader import render_to_string
from store.models import Product
print(render_to_string("store/product.html", {"product": Product.objects.get()}))
"""


class TestQuickStart:
    """The README's quick start, word for word, in a project that Django has just made."""

    @staticmethod
    def follow(folder, *, settings=None):
        """What each block gives, by its language; with `settings` on S3, else on the file system."""
        text = PAGES["README.md"].read_text()
        section = re.search(r"^## Quick start$(.*?)^## ", text, re.M | re.S)[1]
        project, given = NewProject(folder), {}
        for block in blocks_of(section):
            if block.marker == "s3":
                if settings is None:
                    continue
                block = block._replace(source=block.source + settings)
            given[block.language] = project.follow(block) or given.get(block.language)
        return project, given

    @staticmethod
    def urls_in(given):
        return [given["python"].split()[-1], *re.findall(r'(?:src|href)="([^"]+)"', given["html"])]

    def test_on_the_file_system(self, tmp_path):
        project, given = self.follow(tmp_path)
        urls = self.urls_in(given)
        assert [url.removeprefix("/media/products/cat.jpg.thumbs/") for url in urls] == [
            "large.webp",
            "60x60.jpg",
            "large.webp",
            "square.jpg",
        ]
        assert all((project.folder / url.lstrip("/")).is_file() for url in urls)
        assert "1 row: 1 generated" in given["bash"]

    def test_on_s3(self, tmp_path, s3_server, s3_settings):
        _, given = self.follow(tmp_path, settings=s3_server.settings())
        urls = self.urls_in(given)
        assert len(urls) == 4
        for url in map(html.unescape, urls):
            assert url.startswith(s3_server.endpoint_url)
            with urllib.request.urlopen(url) as answer:
                assert answer.headers["Content-Type"] in ("image/jpeg", "image/webp")
        assert "1 row: 1 generated" in given["bash"]


def test_how_long_the_tests_take_is_said_where_they_are_started():
    for path in ("Makefile", "README.md", "docs/contributing.md"):
        assert "about 6 minutes" in (ROOT / path).read_text(), path


def assert_make_knows(arguments):
    makefile = (ROOT / "Makefile").read_text()
    for argument in arguments:
        name, is_variable, _ = argument.partition("=")
        pattern = rf"^{name} \?=" if is_variable else rf"^{name}:"
        assert re.search(pattern, makefile, re.M), f"the Makefile has no {name}"


def without_code(text):
    return re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.S)


def anchors(path):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", path.read_text(), flags=re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class TestLinks:
    @pytest.mark.parametrize("page", [*PAGES, "CHANGELOG.md"])
    def test_links_between_pages_lead_somewhere(self, page):
        source = ROOT / page
        for target in re.findall(r"\]\(([^)]+)\)", without_code(source.read_text())):
            if re.match(r"https?://", target):
                continue
            name, _, anchor = target.partition("#")
            path = (source.parent / name).resolve() if name else source
            assert path.is_file(), f"{page} links to {target}"
            assert path.is_relative_to(ROOT)
            assert not anchor or anchor in anchors(path), f"{page} links to {target}"

    def test_the_readme_leads_to_the_index_and_the_index_to_every_page(self):
        assert "(docs/index.md)" in PAGES["README.md"].read_text()
        index = (ROOT / "docs" / "index.md").read_text()
        # Speed has its page; whoever writes it links it.
        pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md", "speed.md"}
        assert pages <= set(re.findall(r"\]\(([\w-]+\.md)\)", index))


class TestReadme:
    @pytest.mark.parametrize(
        ("label", "classifier"),
        [("Python", r"Programming Language :: Python :: (3\.\d+)"), ("Django", r"Framework :: Django :: (\d+\.\d+)")],
    )
    def test_supported_versions_are_those_of_the_package(self, label, classifier):
        (line,) = re.findall(rf"^- {label} (.+)$", PAGES["README.md"].read_text(), re.M)
        assert line.split(", ") == re.findall(f'"{classifier}"', (ROOT / "pyproject.toml").read_text())

    def test_every_dependency_is_justified(self):
        text = (ROOT / "pyproject.toml").read_text()
        (listed,) = re.findall(r"^dependencies = \[\n(.*?)^\]", text, re.M | re.S)
        assert first_column("README.md", "What it depends on") == re.findall(r'^    "([\w-]+)', listed, re.M)

    def test_options(self):
        table = dict(table_of("README.md", "Options"))
        assert words(table["a thumb"]) == [field.name for field in dataclasses.fields(Thumb)]
        assert words(table["a field"]) == list(field_options())
        assert words(table["every storage"]) == list(storage_options())
        assert set(words(table["a storage on S3"])) == set(s3_options())


class TestGuarantees:
    def test_each_promise_has_a_file_of_its_own(self):
        tests = ROOT / "tests"
        rows = re.findall(r"^\| .* \| (`.*\.py`) \|$", PAGES["docs/guarantees.md"].read_text(), re.M)
        named = [words(cell) for cell in rows]
        assert all(len(files) == 1 and (tests / files[0]).is_file() for files in named), named
        files = [files[0] for files in named]
        assert len(set(files)) == len(files)
        assert {f"guarantees/{path.name}" for path in (tests / "guarantees").glob("test_*.py")} <= set(files)


def table_of(page, heading):
    """The rows of the first table below a heading, each a list of its cells."""
    text = (ROOT / page).read_text()
    section = re.split(rf"^#+ {re.escape(heading)}$", text, maxsplit=1, flags=re.M)[1]
    (table, *_) = re.findall(r"(?:^\|.*\|\n)+", section, re.M)
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in table.splitlines()[2:]]


def words(cell):
    return re.findall(r"`([^`]+)`", cell)


def first_column(page, heading):
    return [row[0].strip("`") for row in table_of(page, heading)]


def options_in(heading):
    """Option -> default, as the reference has them."""
    return {row[0].strip("`"): row[1].strip("`") for row in table_of("docs/reference.md", heading)}


def own_defaults(function):
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def field_options():
    return own_defaults(ThumbsFieldMixin.__init__)


def storage_options():
    allowed = tuple(name for name in MIME_TYPES if name in StorageOptions().allowed_formats - {"HEIC"})
    words = {naming: word for word, naming in NAMINGS.items()}
    defaults = {field.name: field.default for field in dataclasses.fields(StorageOptions)}
    return {**defaults, "naming": words[defaults["naming"]], "allowed_formats": allowed}


def s3_options():
    """Those that django-storages does not have."""
    (base,) = [cls for cls in S3ThumbnailStorage.__mro__ if cls.__name__ == "S3Storage"]
    ours = S3ThumbnailStorage(bucket_name="media").get_default_settings()
    return {name: default for name, default in ours.items() if name not in base().get_default_settings()}


class TestReference:
    def test_names_of_the_package(self):
        assert sorted(first_column("docs/reference.md", "`athumb_storage`")) == sorted(athumb_storage.__all__)

    def test_fields(self):
        names = first_column("docs/reference.md", "`athumb_storage.fields`")
        defined = [name for name, value in vars(fields).items() if inspect.isclass(value)]
        own = {name for name in defined if getattr(fields, name).__module__ == fields.__name__}
        assert set(names) == {name for name in own if not name.startswith("_") and not name.endswith("FieldFile")}

    def test_storages(self):
        assert sorted(first_column("docs/reference.md", "`athumb_storage.storages`")) == sorted(storages.__all__)

    def test_options_of_a_thumb(self):
        defaults = {
            field.name: "required" if field.default is dataclasses.MISSING else repr(field.default)
            for field in dataclasses.fields(Thumb)
        }
        assert options_in("Options of a thumb") == defaults

    @pytest.mark.parametrize(
        ("heading", "options"),
        [
            ("Options of a field", field_options),
            ("Options of every storage", storage_options),
            ("Options of a storage on S3", s3_options),
        ],
    )
    def test_options(self, heading, options):
        expected = {
            name: json.dumps(value) if isinstance(value, str) else repr(value) for name, value in options().items()
        }
        assert options_in(heading) == expected

    @pytest.mark.parametrize(
        ("heading", "cls"),
        [("Methods of a storage", S3ThumbnailStorage), ("Methods of a field's file", ThumbsFieldFile)],
    )
    def test_methods_exist(self, heading, cls):
        for signature in first_column("docs/reference.md", heading):
            name, _, rest = signature.partition("(")
            attribute = inspect.getattr_static(cls, name)
            if rest:
                documented = re.findall(r"(?<!\w)[a-z_]\w*", rest)
                actual = [name for name in inspect.signature(attribute).parameters if name != "self"]
                assert documented == actual, signature

    def test_storage_methods_are_all_there(self):
        documented = {
            signature.partition("(")[0] for signature in first_column("docs/reference.md", "Methods of a storage")
        }
        promised = {"thumbs", "with_thumbs", "thumb_key", "url_for_thumb", "generate_thumbs", "delete", "delete_thumbs"}
        assert promised <= documented

    def test_namings(self):
        thumb = Thumb(size=(1, 1), format="WEBP")
        expected = {
            name: naming.key("photos/cat.jpg", Variant.of("large", thumb, "WEBP")) for name, naming in NAMINGS.items()
        }
        rows = table_of("docs/reference.md", "Namings")
        assert {row[0].strip('`"'): row[1].strip("`") for row in rows} == expected

    def test_settings(self):
        source = "".join(path.read_text() for path in (ROOT / "athumb_storage").rglob("*.py"))
        used = set(re.findall(r'(?:setting\(|settings, )"([A-Z0-9_]+)"', source))
        assert set(first_column("docs/reference.md", "Settings")) == used

    def test_system_checks(self):
        package = ROOT / "athumb_storage"
        source = "".join((package / name).read_text() for name in ("checks.py", "deploy_checks.py"))
        ids = sorted(set(re.findall(r'id="(athumb_storage\.\w+)"', source)))
        assert sorted(first_column("docs/reference.md", "System checks")) == ids

    @pytest.mark.parametrize(
        ("module", "heading"),
        [
            (athumb_regen_field, "Command"),
            (athumb_audit, "Command of the audit"),
            (athumb_runs, "Command for runs"),
        ],
    )
    def test_options_of_the_commands(self, module, heading):
        parser = module.Command().create_parser("manage.py", module.__name__)
        common = {"--help", "--version", "--verbosity", "--settings", "--pythonpath", "--traceback", "--no-color"}
        common |= {"--force-color", "--skip-checks"}
        own = {
            option for action in parser._actions for option in action.option_strings if option.startswith("--")
        } - common
        documented = [option for row in table_of("docs/reference.md", heading) for option in words(row[0])]
        assert {option.split()[0] for option in documented} == own

    def test_functions_for_runs(self):
        public = [name for name, value in vars(runs).items() if inspect.isfunction(value) and name[0] != "_"]
        own = [name for name in public if getattr(runs, name).__module__ == runs.__name__]
        documented = dict(s.split("(", 1) for s in first_column("docs/reference.md", "`athumb_storage.distributed`"))
        assert list(documented) == own
        for name, rest in documented.items():
            arguments = re.findall(r"(?<!\w)([a-z_]\w*)[,=)]", rest)
            assert arguments == list(inspect.signature(getattr(runs, name)).parameters), name

    def test_libraries_of_the_template_tag(self):
        modules = {path.stem for path in (ROOT / "athumb_storage" / "templatetags").glob("*.py")} - {"__init__"}
        (line,) = re.findall(r"^The libraries (.+) are the same\.$", (ROOT / "docs" / "reference.md").read_text(), re.M)
        assert set(words(line)) == modules
