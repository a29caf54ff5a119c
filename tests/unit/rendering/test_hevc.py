"""Headers written bit by bit, as sections 7.3.2.2 and 7.3.3 of ITU-T H.265 have them."""

import io

import pytest

from athumb_storage import UploadedImageIsUnreadableError
from athumb_storage.rendering.bytestream import Truncated
from athumb_storage.rendering.containers import hevc
from tests.hostile.heic import RECORD, escaped, golomb


def parameters(size=(4000, 300), *, chroma=1, layers=()):
    """A unit that tells a size.

    Args:
        layers: of each, whether it has a profile and a level of its own.
    """
    bits = f"{33 << 9 | 1:016b}" + f"0000{len(layers):03b}1" + "0" * 96
    bits += "".join(f"{int(profile)}{int(level)}" for profile, level in layers)
    bits += "00" * (8 - len(layers)) if layers else ""
    bits += "".join("1" * 88 * profile + "1" * 8 * level for profile, level in layers)
    bits += golomb(0) + golomb(chroma) + ("0" if chroma == 3 else "") + golomb(size[0]) + golomb(size[1]) + "1"
    size = -(-len(bits) // 8)
    return escaped(int(bits.ljust(8 * size, "0"), 2).to_bytes(size, "big"))


def units(*parts, wide=4):
    return b"".join(len(part).to_bytes(wide, "big") + part for part in parts)


def record(*parts):
    """The content of an hvcC box with these units, each of a kind of its own."""
    kinds = b"".join(b"\x21\0\1" + units(part, wide=2) for part in parts)
    return RECORD[:22] + bytes([len(parts)]) + kinds


def sizes(data, wide=4):
    return list(hevc.sizes(io.BytesIO(data), 0, len(data), wide))


@pytest.mark.parametrize("layers", [(), [(0, 0)], [(1, 0), (0, 1)], [(1, 1)] * 6], ids=str)
@pytest.mark.parametrize("chroma", [0, 1, 2, 3])
def test_the_size_is_found_behind_whatever_stands_before_it(chroma, layers):
    unit = parameters(chroma=chroma, layers=layers)
    assert sizes(units(unit)) == list(hevc.sizes_of_record(record(unit))) == [(4000, 300)]


def test_it_may_have_bytes_put_in_between():
    unit = parameters((65536, 65536))
    assert b"\0\0\3" in unit[100 // 8 :]
    assert sizes(units(unit)) == [(65536, 65536)]


@pytest.mark.parametrize("wide", [1, 2, 4])
def test_other_units_are_passed_over(wide):
    other = b"\x28\1" + b"\xff" * 250
    data = units(other, parameters((9, 8)), b"", other, parameters((7, 6)), wide=wide)
    assert sizes(data, wide) == [(9, 8), (7, 6)]


def test_the_length_of_a_length():
    assert hevc.length_size(RECORD) == 4
    assert hevc.length_size(RECORD[:21] + b"\x0d" + RECORD[22:]) == 2


@pytest.mark.parametrize("data", [units(parameters()[:15]), units(parameters())[:9], units(b"\x42\1" + bytes(90))])
def test_one_that_is_cut_off_ends_there(data):
    with pytest.raises(Truncated):
        sizes(data)


@pytest.mark.parametrize("data", [b"", RECORD[:20], RECORD[:30], RECORD[:-1]], ids=len)
def test_a_record_that_is_cut_off(data):
    with pytest.raises((IndexError, Truncated)):
        list(hevc.sizes_of_record(data))


@pytest.mark.parametrize("parts", [[parameters()] * 17, [b"\x28\1"] * 1001], ids=["parameters", "units"])
def test_no_program_writes_so_many(parts):
    with pytest.raises(UploadedImageIsUnreadableError, match="which no program writes"):
        sizes(units(*parts))
