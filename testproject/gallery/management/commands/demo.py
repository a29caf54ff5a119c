"""Upload photos through the model, print what the storage holds of each, and serve the gallery.

The first also becomes a showpiece.
"""

from __future__ import annotations

import shlex
import tempfile
from contextlib import ExitStack
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib.auth import get_user_model
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.files import File
from django.core.management import BaseCommand, CommandError, call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from PIL import Image

from athumb_storage.exceptions import AthumbError
from gallery.models import Photo, Showpiece
from gallery.samples import draw_samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.core.files.storage import Storage
    from django.core.management.base import CommandParser

HOST = "127.0.0.1"
UNREADABLE = (AthumbError, OSError)

Kind = TypeVar("Kind", Photo, Showpiece)


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--photos", nargs="*", default=[], help="image files, or folders of them (default: drawn)")
        parser.add_argument("--port", type=int, default=0, help="port of the gallery (default: a free one)")
        parser.add_argument("--no-serve", action="store_true", help="end after uploading and printing")

    def handle(self, *args: Any, photos: Sequence[str], port: int, no_serve: bool, **options: Any) -> None:
        call_command("migrate", verbosity=0)
        with ExitStack() as stack:
            server = None if no_serve else stack.enter_context(bind(port))
            site = f"http://{HOST}:{server.server_port}" if server else ""
            paths = find_files(photos) if any(photos) else draw_samples(Path(stack.enter_context(temporary_folder())))
            stored = [self.upload_and_show(path, site) for path in paths]
            self.say(f"{sum(stored)} of {len(stored)} files uploaded.")
            if not any(stored):
                raise CommandError("None of the files is an image that could be stored.")
            self.show_piece(paths[stored.index(True)], site)
            if server:
                self.serve(server, site)

    def upload_and_show(self, path: Path, site: str) -> bool:
        """Whether the file was stored. ``site`` goes before URLs that have no host of their own."""
        try:
            photo = upload(path, Photo)
        except UNREADABLE as error:
            self.say(f"{path.name}\n  not uploaded: {error}\n")
            return False
        self.say("\n".join(describe(photo, site)) + "\n")
        return True

    def show_piece(self, path: Path, site: str) -> None:
        piece = upload(path, Showpiece)
        self.say(f"The first once more, with a page of its own at {absolute(piece.get_absolute_url(), site)}")
        self.say("\n".join(describe(piece, site)) + "\n")

    def serve(self, server: ThreadedWSGIServer, site: str) -> None:
        create_admin_user()
        self.say(f"The admin at {site}/admin/ lets in demo, password demo.")
        self.say(f"Serving {site}/ (Ctrl-C stops)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            self.say("\nStopped.")

    def say(self, text: str) -> None:
        self.stdout.write(f"{text}\n")
        self.stdout.flush()


def bind(port: int) -> ThreadedWSGIServer:
    """Bound before the photos are uploaded, so that the URLs printed for them can be opened."""
    try:
        server = ThreadedWSGIServer((HOST, port), WSGIRequestHandler)
    except OSError as error:
        raise CommandError(f"Cannot listen on {HOST}:{port}: {error.strerror}.") from error
    server.daemon_threads = True
    server.set_app(StaticFilesHandler(get_wsgi_application()))
    return server


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="demo-photos-")


def find_files(arguments: Sequence[str]) -> list[Path]:
    """The files named, and those in the folders named, without hidden ones."""
    return [file for argument in arguments for path in split_paths(argument) for file in files_of(path)]


def split_paths(argument: str) -> list[Path]:
    """``make demo PHOTOS="a.jpg b.jpg"`` gives one argument for two files; a path with a space in it stays whole."""
    path = Path(argument).expanduser()
    return [path] if path.exists() else [Path(part).expanduser() for part in shlex.split(argument)]


def files_of(path: Path) -> list[Path]:
    if not path.exists():
        raise CommandError(f"No such file or folder: {path}")
    if not path.is_dir():
        return [path]
    files = [file for file in path.rglob("*") if file.is_file()]
    return sorted(file for file in files if not any(part.startswith(".") for part in file.relative_to(path).parts))


def upload(path: Path, model: type[Kind]) -> Kind:
    with path.open("rb") as file:
        photo = model(title=path.stem.replace("_", " ").replace("-", " "), image=File(file, name=path.name))
        photo.save()
    return photo


def describe(photo: Photo | Showpiece, site: str) -> list[str]:
    """Lines about the original and each of its thumbs, as read back from the storage."""
    name = str(photo.image.name)
    storage: Any = photo.image.storage
    lines = [name, row("original", read(storage, name), absolute(photo.image.url, site))]
    for thumb, spec in storage.thumbs.items():
        for variant in product([thumb], photo.image.formats(thumb), spec.densities):
            content = read(storage, storage.thumb_key(name, *variant))
            lines.append(row(thumb, content, absolute(photo.image.url_for_thumb(*variant), site)))
    return lines


def read(storage: Storage, name: str) -> bytes:
    with storage.open(name) as file:
        return bytes(file.read())


def row(label: str, content: bytes, url: str) -> str:
    with Image.open(BytesIO(content)) as picture:
        size = f"{picture.width:>6} x {picture.height:<6}{picture.format or '':<6}"
    return f"  {label:<10}{size}{len(content):>10,} bytes  {url}"


def absolute(url: str, site: str) -> str:
    return f"{site}{url}" if url.startswith("/") else url


def create_admin_user() -> None:
    users = get_user_model()._default_manager
    if not users.filter(username="demo").exists():
        users.create_superuser("demo", password="demo")
