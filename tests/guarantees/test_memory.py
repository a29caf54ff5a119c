"""What decoding costs: memory a pixel, and of many images at once. Measured by processes of their own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak can be read on Linux alone"),
]

MEASURE = """
import gc, io, json, sys, threading
from pathlib import Path
from django.conf import settings
settings.configure()
from django.core.files.base import ContentFile
from PIL import Image, ImageChops
from athumb_storage.storages import FileSystemThumbnailStorage

mode, image_format, width, height, count, frames, folder = sys.argv[1:]
size = int(width), int(height)
ramp = Image.linear_gradient("L").resize(size)
turned = ramp.transpose(Image.Transpose.ROTATE_180)
image = Image.merge(mode, [ramp, turned, ramp, turned][: len(mode)])
output = io.BytesIO()
options = {"compress_level": 1} if image_format == "PNG" else {}
if int(frames) > 1:
    following = (ImageChops.offset(image, 9 * number) for number in range(1, int(frames)))
    options = {"save_all": True, "append_images": following, "duration": 50}
image.save(output, image_format, **options)
data = output.getvalue()
small = io.BytesIO()
image.resize((64, 64)).save(small, image_format)
del image, ramp, turned, output
thumbs = {"large": {"size": (400, 400)}, "small": {"size": (90, 90), "crop": True}}
if int(frames) > 1:
    thumbs = {"moving": {"size": (200, 200), "format": "WEBP", "animated": True}}
storage = FileSystemThumbnailStorage(location=folder, thumbs=thumbs)
storage.save("warm.png", ContentFile(small.getvalue()))
gc.collect()

def status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name + ":"))

errors = []
def save(number):
    try:
        storage.save(f"{number}.png", ContentFile(data))
    except Exception as error:
        errors.append(repr(error))

before = status("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
threads = [threading.Thread(target=save, args=(number,)) for number in range(int(count))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps({"peak": status("VmHWM"), "added": status("VmHWM") - before, "errors": errors}))
"""


def measured(folder, mode, image_format, size, count=1, frames=1):
    arguments = [mode, image_format, *map(str, size), str(count), str(frames), str(folder)]
    process = subprocess.run(
        [sys.executable, "-c", MEASURE, *arguments], cwd=ROOT, check=True, capture_output=True, text=True, timeout=300
    )
    return json.loads(process.stdout)


@pytest.mark.parametrize(
    ("mode", "image_format", "most"),
    [("RGBA", "PNG", 9), ("RGB", "PNG", 6), ("RGB", "JPEG", 2), ("RGB", "WEBP", 13.5), ("RGBA", "WEBP", 13.5)],
)
def test_bytes_a_pixel(tmp_path, mode, image_format, most):
    size = (6000, 5000)
    found = measured(tmp_path, mode, image_format, size)
    assert found["errors"] == []
    assert found["added"] / (size[0] * size[1]) < most


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_forty_photos_at_once_take_less_than_700_mib_and_none_fails(tmp_path, mode):
    found = measured(tmp_path, mode, "PNG", (4000, 3000), 40)
    assert found["errors"] == []
    assert found["peak"] < 700 * MIB


def test_an_animation_takes_a_few_of_its_frames_and_those_of_its_thumb(tmp_path):
    size, frames = (1200, 1000), 60
    found = measured(tmp_path, "RGB", "GIF", size, frames=frames)
    assert found["errors"] == []
    # In RGBA, with as much again for the encoder; all 60 frames as they are would take 275 MiB.
    assert found["added"] < 4 * (5 * size[0] * size[1] + 2 * frames * 200 * 167) + 16 * MIB
