"""Pages of a listing, parsed in a sixth of the time that botocore takes: it looks at every key by its model of S3."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from xml.etree import ElementTree

_ROOT: Final = "ListBucketResult"
_ENTRY: Final = "Contents"


class _Unexpected(ValueError):
    """Something that only botocore may know what to do with."""


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise _Unexpected(text)
    return time


_TEXT: Final[dict[str, Callable[[str], object]]] = {
    "Key": str,
    "LastModified": _time,
    "ETag": str,
    "Size": int,
    "StorageClass": str,
    "ChecksumType": str,
}
"""What an object's element holds, and what it is made of.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
"""


def parse_page(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Take the objects out of a page of ListObjectsV2 before botocore parses it, and give them as botocore would.

    A page that has anything else than expected is left to botocore as it is. It is a handler of botocore's event
    `before-parse`.
    """
    if response_dict["status_code"] != 200:
        return
    try:
        root = _root_of(response_dict["body"])
        namespace = root.tag[: -len(_ROOT)]
        tag = namespace + _ENTRY
        known = {namespace + name: (name, convert) for name, convert in _TEXT.items()}
        entries = [_parsed(element, known) for element in root if element.tag == tag]
    except (ElementTree.ParseError, ValueError, OverflowError):
        return
    if entries:
        root[:] = [element for element in root if element.tag != tag]
        response_dict["body"] = ElementTree.tostring(root, encoding="utf-8")
        customized_response_dict[_ENTRY] = entries


def _root_of(body: bytes) -> ElementTree.Element:
    parser = ElementTree.XMLParser(encoding="utf-8")  # noqa: S314, as botocore's own, which would read it otherwise
    parser.feed(body)
    root = parser.close()
    if not root.tag.endswith(_ROOT):
        raise _Unexpected(root.tag)
    return root


def _parsed(element: ElementTree.Element, known: dict[str, tuple[str, Callable[[str], object]]]) -> dict[str, Any]:
    """An object's element as botocore would parse it.

    Args:
        element: it.
        known: what its children may be, by their tags.
    """
    entry: dict[str, Any] = {}
    for child in element:
        found = known.get(child.tag)
        if found is not None:
            name, convert = found
            if name in entry or len(child):
                raise _Unexpected(name)
            entry[name] = convert(child.text or "")
            continue
        name = child.tag.rpartition("}")[2]
        if name == "ChecksumAlgorithm" and not len(child):  # may be there several times
            entry.setdefault(name, []).append(child.text or "")
        elif name == "Owner" and name not in entry:
            entry[name] = _owner(child)
        else:
            raise _Unexpected(name)
    return entry


def _owner(element: ElementTree.Element) -> dict[str, str]:
    owner = {child.tag.rpartition("}")[2]: child.text or "" for child in element if not len(child)}
    if len(owner) != len(element) or not owner.keys() <= {"DisplayName", "ID"}:
        raise _Unexpected("Owner")
    return owner
