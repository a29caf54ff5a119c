"""Headers written bit by bit, as section 5.5 of the AV1 specification has them."""

import io
import itertools

import pytest

from athumb_storage.rendering.containers import av1


def sequence(size=(4000, 300), *, reduced=False, timing=None, model=None, display_delay=False, points=1, level=4):
    """The bits of a sequence header.

    Args:
        timing: None, or whether pictures have equal intervals.
        model: None, or the bits of a delay of the decoder's model.
    """
    bits = f"000{int(reduced)}{int(reduced)}"
    if reduced:
        bits += "00100"
    else:
        bits += "0" if timing is None else f"1{1:032b}{25:032b}" + ("1" + "00101" if timing else "0")
        if timing is not None:
            bits += "0" if model is None else f"1{model - 1:05b}{1:032b}{9:05b}{9:05b}"
        bits += str(int(display_delay))
        bits += f"{points - 1:05b}" + points * point(level, timing is not None and model, display_delay)
    width, height = size
    return bits + f"{15:04b}{11:04b}{width - 1:016b}{height - 1:012b}"


def point(level, model, display_delay):
    bits = f"{0:012b}{level:05b}" + ("0" if level > 7 else "")
    if model:
        bits += "1" + "01" * model + "1"
    return bits + ("1" + f"{3:04b}" if display_delay else "")


def unit(bits, kind=1, *, sized=True, extended=False):
    data = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    head = bytes([kind << 3 | extended << 2 | sized << 1]) + b"\0" * extended
    return head + (bytes([len(data) & 0x7F | 0x80, len(data) >> 7]) if sized else b"") + data


def sizes(data):
    return list(av1.sizes(io.BytesIO(data), 0, len(data)))


VARIANTS = [
    {"timing": timing, "model": model, "display_delay": delay, "points": points, "level": level}
    for timing, model, delay, points, level in itertools.product(
        (None, False, True), (None, 1, 32), (False, True), (1, 32), (4, 13)
    )
]


def test_it_does_not_matter_what_was_read_last():
    data = bytes(9) + unit(sequence())
    reader = io.BytesIO(data)
    for place in (0, 9, len(data)):
        reader.seek(place)
        assert list(av1.sizes(reader, 9, len(data))) == [(4000, 300)]


@pytest.mark.parametrize("options", [{"reduced": True}, *VARIANTS], ids=str)
def test_the_size_is_found_behind_whatever_stands_before_it(options):
    assert sizes(unit(sequence(**options))) == [(4000, 300)]


def test_other_units_are_passed_over():
    data = unit("1" * 24, kind=2) + unit(sequence((9, 8)), extended=True) + unit("1" * 800, kind=6)
    assert sizes(data + unit(sequence((7, 6)), sized=False)) == [(9, 8), (7, 6)]


@pytest.mark.parametrize(
    "data", [b"\x0a", b"\x0a\x05\x00", unit(sequence())[:-3], b"\x0a" + b"\xff" * 9], ids=bytes.hex
)
def test_one_that_is_cut_off_ends_there(data):
    with pytest.raises(av1.Truncated):
        sizes(data)
