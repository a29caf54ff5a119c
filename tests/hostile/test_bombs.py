"""What each bomb costs: little time and little memory, whether it is saved or only looked at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import some_slow
from tests.hostile.bombs import ACCEPTED, bombs, within_the_limits
from tests.hostile.families import BROKEN, STORED

BOMBS = {bomb.label: bomb for bomb in bombs()}
SECONDS, MIB = 1, 64
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def measure():
    """What a bomb costs at each door, measured by a process of its own: outcome, seconds of CPU, MiB at the peak."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the peak of memory can be read on Linux alone")
    path = os.pathsep.join([str(ROOT), str(ROOT / "testproject")])
    with subprocess.Popen(
        [sys.executable, "-m", "tests.hostile.costs"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:

        def costs(bomb):
            process.stdin.write(f"{bomb.label}\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield costs


def test_every_bomb_has_a_label_of_its_own():
    assert len(BOMBS) == len(list(bombs()))


@pytest.mark.parametrize("label", some_slow(BOMBS, always=list(BOMBS)[::18]))
def test_a_bomb_costs_less_than_a_second_and_64_mib(label, measure):
    costs = measure(BOMBS[label])
    assert costs["save"]["outcome"] in BOMBS[label].expected
    assert costs["move"]["outcome"] in BOMBS[label].expected | BROKEN
    assert costs["check"]["outcome"] in BOMBS[label].errors
    # What is sound and within the limits is no bomb after all: a decoder holds its bytes, Pillow's for WebP a second
    # time, and the storage in memory that it is saved to has them as well.
    copies = {"save": 3 * (costs["save"]["outcome"] == STORED), "check": costs["check"]["outcome"] == ACCEPTED}
    copies["move"] = 3 * (costs["move"]["outcome"] == STORED)
    for door in ("save", "move", "check"):
        assert costs[door]["seconds"] < SECONDS, door
        assert costs[door]["mib"] < MIB + copies[door] * costs["size"], door


def test_a_measurement_notices_what_an_image_costs(measure):
    costs = measure(within_the_limits())
    assert costs["save"]["outcome"] == STORED
    assert costs["check"]["outcome"] == ACCEPTED
    assert costs["check"]["mib"] > MIB
