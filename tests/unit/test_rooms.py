"""Which room may import which, and what each of them loads. Tried out in processes of their own."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import athumb_storage

PACKAGE = Path(athumb_storage.__file__).resolve().parent

WITH_DJANGO = """
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["athumb_storage"])
django.setup()
"""


def loaded_by(script):
    """The modules that are loaded after `script`."""
    script += "\nimport sys\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PACKAGE.parent, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def top_levels(modules):
    return {module.partition(".")[0] for module in modules}


def test_the_package_loads_neither_boto3_nor_settings_nor_pillow():
    loaded = loaded_by("import athumb_storage")
    assert "athumb_storage.specs" in loaded
    assert not {"boto3", "botocore", "storages", "PIL"} & top_levels(loaded)
    assert "django.conf" not in loaded


@pytest.mark.parametrize(
    "module",
    [
        "specs",
        "thumbsets",
        "encoders",
        "geometry",
        "naming",
        "formats",
        "exceptions",
        "concurrency",
        "uploads",
        "version",
    ],
)
def test_the_pure_rooms_know_neither_django_nor_pillow(module):
    loaded = loaded_by(f"import athumb_storage.{module}")
    assert not {"django", "PIL", "boto3", "botocore", "storages"} & top_levels(loaded)


def test_rendering_knows_no_django():
    loaded = loaded_by("import athumb_storage.rendering")
    assert "PIL" in loaded
    assert not {"django", "boto3", "botocore", "storages"} & top_levels(loaded)


def test_rendering_works_without_django():
    loaded_by("""
import io
from PIL import Image
from athumb_storage import Thumb
from athumb_storage.specs import Variant
from athumb_storage.rendering import render
output = io.BytesIO()
Image.new("RGB", (30, 20)).save(output, "PNG")
output.seek(0)
[result] = render(output, "PNG", [Variant.of("small", Thumb(size=(15, 15)), "WEBP")])
assert result.size == (15, 10)
import sys
assert "django" not in sys.modules
""")


def test_storages_and_fields_load_no_boto3():
    loaded = loaded_by(
        f"{WITH_DJANGO}\nimport athumb_storage.storages, athumb_storage.fields, athumb_storage.regeneration"
    )
    assert "athumb_storage.fields" in loaded
    assert not {"boto3", "botocore", "storages"} & top_levels(loaded)


def test_a_site_that_uses_another_storage_loads_no_boto3():
    loaded = loaded_by(f"""{WITH_DJANGO}
from django.core.files.base import ContentFile
from athumb_storage.storages import InMemoryThumbnailStorage
InMemoryThumbnailStorage().save("a.txt", ContentFile(b"text"))
import athumb_storage.templatetags.athumb, athumb_storage.templatetags.thumbnail, athumb_storage.checks
import athumb_storage.management.commands.athumb_regen_field
""")
    assert not {"boto3", "botocore", "storages"} & top_levels(loaded)


@pytest.mark.parametrize("name", ["S3ThumbnailStorage", "PublicS3ThumbnailStorage"])
def test_to_ask_for_a_storage_on_s3_loads_boto3(name):
    loaded = loaded_by(f"{WITH_DJANGO}\nfrom athumb_storage.storages import {name}")
    assert {"boto3", "athumb_storage.storages.s3"} <= loaded


def test_everything_public_is_there():
    names = [*athumb_storage.__all__]
    assert all(getattr(athumb_storage, name) for name in names)
    from athumb_storage import storages

    assert all(getattr(storages, name) for name in storages.__all__)
    with pytest.raises(AttributeError, match="S4ThumbnailStorage"):
        storages.S4ThumbnailStorage  # noqa: B018, it is the look-up that is tested


# From the bottom up; a room imports only from its own and those before it.
ROOMS = [
    {
        "",
        "version",
        "exceptions",
        "formats",
        "geometry",
        "encoders",
        "checking",
        "specs",
        "thumbsets",
        "naming",
        "concurrency",
        "conf",
        "signals",
        "uploads",
    },
    {"rendering", "processors"},
    {"storages"},
    {"transactions", "validators", "forms", "focal", "fieldfiles", "rows"},
    {"fields", "markup"},
    {"audit", "regeneration"},
    {"distributed"},
    {"apps", "checks", "deploy_checks", "management", "templatetags", "contrib"},
]
LEVELS = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}


class Imports(ast.NodeVisitor):
    """The modules of this package that a module imports anywhere, but for those that only a type checker reads."""

    def __init__(self):
        self.modules = set()

    def visit_If(self, node):
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for child in node.orelse:
                self.visit(child)
        else:
            self.generic_visit(node)

    def visit_Import(self, node):
        self.modules |= {alias.name for alias in node.names}

    def visit_ImportFrom(self, node):
        assert node.level == 0, "imports are absolute here"
        self.modules.add(node.module)
        if node.module == "athumb_storage":
            self.modules |= {f"athumb_storage.{alias.name}" for alias in node.names}


def room_of(module):
    room = module.removeprefix("athumb_storage").lstrip(".").partition(".")[0]
    return room if room in LEVELS else ""


def imports_of(path):
    visitor = Imports()
    visitor.visit(ast.parse(path.read_text()))
    return visitor.modules


FILES = sorted(PACKAGE.rglob("*.py"))


def module_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_point_one_way(path):
    own = room_of(module_of(path))
    # A room that is not in the list yet has to be put there first.
    assert module_of(path) == "athumb_storage" or own
    for module in imports_of(path):
        if module.partition(".")[0] == "athumb_storage":
            assert LEVELS[room_of(module)] <= LEVELS[own], module


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_only_rendering_knows_pillow_and_the_core_no_contrib(path):
    imported = imports_of(path)
    own = room_of(module_of(path))
    assert own in ("rendering", "processors", "contrib") or "PIL" not in top_levels(imported)
    assert own == "contrib" or not any(module.startswith("athumb_storage.contrib") for module in imported)
    assert own == "contrib" or "pytest" not in top_levels(imported)
    assert own == "storages" or not {"boto3", "botocore", "storages"} & top_levels(imported)


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_only_the_room_of_runs_knows_tasks(path):
    source = path.read_text()
    assert module_of(path) == "athumb_storage.distributed.engines" or not re.search(r"django[._]tasks\b", source)


def test_the_room_of_runs_loads_no_task_engine():
    loaded = loaded_by(f"""
{WITH_DJANGO.replace('["athumb_storage"]', '["athumb_storage", "athumb_storage.distributed"]')}
import athumb_storage.distributed.runs
import athumb_storage.distributed.working
import athumb_storage.distributed.management.commands.athumb_runs
""")
    assert "django_tasks" not in top_levels(loaded)
    assert not {module for module in loaded if module.startswith("django.tasks.backends")}


def test_where_runs_are_not_installed_the_door_can_be_imported_and_has_no_table():
    loaded = loaded_by(f"{WITH_DJANGO}\nimport athumb_storage.distributed.door")
    assert "athumb_storage.distributed.models" not in loaded


def test_the_contract_of_storages_asks_for_nothing_but_pytest():
    loaded = loaded_by(f"{WITH_DJANGO}\nimport athumb_storage.contrib.testing")
    assert not {"pytest", "boto3", "botocore", "storages"} & top_levels(loaded)
    loaded = loaded_by(f"{WITH_DJANGO}\nfrom athumb_storage.contrib.testing import StorageContract")
    assert "pytest" in loaded
    assert not {"boto3", "botocore", "storages", "pytest_django"} & top_levels(loaded)


def test_where_pytest_is_missing_the_contract_says_how_to_get_it():
    loaded_by(f"""
{WITH_DJANGO}
import sys
sys.modules["pytest"] = None
try:
    from athumb_storage.contrib.testing import StorageContract
except ImportError as error:
    assert "pip install pytest" in str(error)
else:
    raise AssertionError("it is not missed")
del sys.modules["pytest"]
""")
