"""HEIC files put together by hand, around two pictures that an encoder made: nothing here can write HEVC."""

from __future__ import annotations

import base64
import itertools
import struct

REAL = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAkVtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAAA5waXRtAAAA"
    "AAABAAAANGlsb2MAAAAAREAAAgABAAAAAAJpAAEAAAAAAAAAQgACAAAAAAKrAAEAAAAAAAAAHQAAADhpaW5mAAAAAAACAAAAFWluZmUCAAAAAAEA"
    "AGh2YzEAAAAAFWluZmUCAAAAAAIAAGh2YzEAAAABhGlwcnAAAAFfaXBjbwAAAHhodmNDAQNwAAAAAAAAAAAAHvAA/P34+AAADwMgAAEAGEABDAH/"
    "/wNwAAADAJAAAAMAAAMAHroCQCEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqSSmubgQEDAgAAAMACAAAAwAIQCIAAQAHRAHBcrAiQAAAABRp"
    "c3BlAAAAAAAAAEAAAABAAAAAEHBpeGkAAAAAAwgICAAAAHJodmNDAQQIAAAAAAAAAAAAHvAA/Pz4+AAADwMgAAEAF0ABDAH//wQIAAADAJ/4AAAD"
    "AAAeugJAIQABACZCAQEECAAAAwCf+AAAAwAAHsCCBBZbqSSmubAgAAADACAAAAMAISIAAQAHRAHBcrAiQAAAABRpc3BlAAAAAAAAAEAAAABAAAAA"
    "DnBpeGkAAAAAAQgAAAAnYXV4QwAAAAB1cm46bXBlZzpoZXZjOjIwMTU6YXV4aWQ6MQAAAAAdaXBtYQAAAAAAAAACAAEDgQKDAAIEhAWGhwAAABpp"
    "cmVmAAAAAAAAAA5hdXhsAAIAAQABAAAAZ21kYXQAAAA+KAGvBjha/P03+Z3v///K9d6H+9g4bCV/ly5f/9N7v//4BLyxmP45ChG/plhv//H2Ky1B"
    "+9mff/S6n9fuvVkAAAAZKAGuDHB1BfC/8JcRS6v9Trh0JV/w9yMPwA=="
)
"""`heif-enc -q 90` of libheif 1.15, of 64 x 64 pixels: four quarters, red, lime, blue and yellow.

The red one is transparent, the lime one has an alpha of 128, the others of 255.
"""


def box(name, content=b"", flags=None):
    """A box; with flags, a "full" one of version 0."""
    head = b"" if flags is None else struct.pack(">I", flags)
    return struct.pack(">I", 8 + len(head + content)) + name + head + content


def _records():
    """The content of each hvcC box of the file."""
    parts = REAL.split(b"hvcC")
    return [part[: int.from_bytes(before[-4:], "big") - 8] for before, part in itertools.pairwise(parts)]


RECORD, ALPHA_RECORD = _records()
_PIXELS = REAL[REAL.index(b"mdat") + 4 :]
CODED, ALPHA_CODED = _PIXELS[: 4 + _PIXELS[3]], _PIXELS[4 + _PIXELS[3] :]


def picture(*properties, size=(64, 64), record=RECORD, coded=CODED, kind=b"hvc1"):
    """An item: its type, its data, its properties."""
    return kind, coded, [box(b"hvcC", record), box(b"ispe", struct.pack(">II", *size), 0), *properties]


def alpha(*properties, **options):
    """One that is the transparency of another."""
    name = box(b"auxC", b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0", 0)
    return picture(name, *properties, **{"record": ALPHA_RECORD, "coded": ALPHA_CODED, **options})


def grid(rows, columns, size, *properties, told=None):
    """A grid, which may be told to have another size than its data have."""
    data = struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, *size)
    return b"grid", data, [box(b"ispe", struct.pack(">II", *(told or size)), 0), *properties]


def heic(*items, primary=1, references=(), places=None, in_meta=b"", rest=b"", brands=b"heicmif1"):
    """A file of these items, which have the numbers 1, 2 and so on.

    Args:
        items: type, data and properties of each.
        primary: the number of the one that is to be shown.
        references: type, number and the numbers that it refers to.
        places: number -> extents (place, size), where these are not simply where the data are.
        in_meta: more boxes in the description.
        rest: boxes at the end.
        brands: the major one, and the others.
    """
    head = box(b"ftyp", brands[:4] + bytes(4) + brands[4:])
    size = len(head + _meta(items, primary, references, {}, in_meta)) + 8
    extents, data = {}, b""
    for number, (_, content, _) in enumerate(items, 1):
        extents[number] = [(size + len(data), len(content))]
        data += content
    size += sum(8 * (len(found) - 1) for found in (places or {}).values())
    return head + _meta(items, primary, references, {**extents, **(places or {})}, in_meta) + box(b"mdat", data) + rest


def _meta(items, primary, references, places, more):
    names = b"".join(
        box(b"infe", struct.pack(">HH", number, 0) + kind + b"\0", 2 << 24)
        for number, (kind, _, _) in enumerate(items, 1)
    )
    found = list(dict.fromkeys(prop for _, _, properties in items for prop in properties))
    owned = b"".join(
        struct.pack(">HB", number, len(properties)) + b"".join(bytes([1 + found.index(prop)]) for prop in properties)
        for number, (_, _, properties) in enumerate(items, 1)
    )
    iloc = b"".join(
        struct.pack(">HHH", number, 0, len(places.get(number, [0])))
        + b"".join(struct.pack(">II", *place) for place in places.get(number, [(0, 0)]))
        for number, _ in enumerate(items, 1)
    )
    refers = b"".join(box(kind, struct.pack(f">HH{len(to)}H", of, len(to), *to)) for kind, of, *to in references)
    return box(
        b"meta",
        box(b"hdlr", bytes(4) + b"pict" + bytes(13), 0)
        + box(b"pitm", struct.pack(">H", primary), 0)
        + box(b"iloc", struct.pack(">HH", 0x4400, len(items)) + iloc, 0)
        + box(b"iinf", struct.pack(">H", len(items)) + names, 0)
        + box(b"iprp", box(b"ipco", b"".join(found)) + box(b"ipma", struct.pack(">I", len(items)) + owned, 0))
        + (box(b"iref", refers, 0) if references else b"")
        + more,
        0,
    )


def record_of_size(record, width, height):
    """The hvcC box's content, with parameters that tell this size."""
    at = record.index(b"\x42\x01\x01")
    size = int.from_bytes(record[at - 2 : at], "big")
    parameters = _parameters_of_size(record[at : at + size], width, height)
    return record[: at - 2] + struct.pack(">H", len(parameters)) + parameters + record[at + size :]


def unit_of_size(width, height):
    """Parameters that tell this size, as they stand among the pixels."""
    at = RECORD.index(b"\x42\x01\x01")
    unit = _parameters_of_size(RECORD[at : at + int.from_bytes(RECORD[at - 2 : at], "big")], width, height)
    return struct.pack(">I", len(unit)) + unit


def _parameters_of_size(unit, width, height):
    data = unit.replace(b"\0\0\3", b"\0\0")
    bits = f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}"
    start = 16 + 8 + 96 + 1  # the number of the parameters is 0, which takes one bit
    start += 3 if bits[start] == "0" else 1  # how colours are stored
    end = start
    for _ in range(2):
        zeros = bits.index("1", end) - end
        end += 2 * zeros + 1
    bits = bits[:start] + golomb(width) + golomb(height) + bits[end:]
    bits = bits.rstrip("0").ljust(-(-len(bits.rstrip("0")) // 8) * 8, "0")
    return escaped(int(bits, 2).to_bytes(len(bits) // 8, "big"))


def golomb(number):
    """The bits of ue(v) (ITU-T H.265, section 9.2)."""
    bits = f"{number + 1:b}"
    return "0" * (len(bits) - 1) + bits


def escaped(data):
    """With a 3 wherever two zeros are followed by a number up to 3 (section 7.4.2)."""
    result = bytearray()
    for byte in data:
        if byte <= 3 and result[-2:] == b"\0\0":
            result.append(3)
        result.append(byte)
    return bytes(result)
