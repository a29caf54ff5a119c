"""Pages of a listing, parsed in a sixth of the time that botocore takes: it looks at every key by its model of S3."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from xml.etree import ElementTree

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

_OWNER: Final = frozenset({"DisplayName", "ID"})


def parse_page(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Take the objects out of a page of ListObjectsV2 before botocore parses it, and give them as botocore would.

    A page that has anything else than expected is left to botocore as it is. It is a handler of botocore's event
    `before-parse.s3.ListObjectsV2`.
    """
    if response_dict["status_code"] != 200:
        return
    try:
        root = _root_of(response_dict["body"])
        namespace = root.tag.rpartition("}")[0]
        tag = f"{namespace}}}{_ENTRY}" if namespace else _ENTRY
        start = len(tag) - len(_ENTRY)
        entries = [_parsed(element, start) for element in root if element.tag == tag]
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
    if not root.tag.endswith("ListBucketResult"):
        raise _Unexpected(root.tag)
    return root


def _parsed(element: ElementTree.Element, start: int) -> dict[str, Any]:
    """An object's element as botocore would parse it.

    Args:
        element: it.
        start: how long the namespace is that tags begin with.
    """
    entry: dict[str, Any] = {}
    for child in element:
        name = child.tag[start:]
        convert = _TEXT.get(name)
        if name == "ChecksumAlgorithm":  # may be there several times
            entry.setdefault(name, []).append(_text(child))
        elif name in entry:
            raise _Unexpected(name)
        elif convert is not None:
            entry[name] = convert(_text(child))
        elif name == "Owner":
            entry[name] = _owner(child, start)
        else:
            raise _Unexpected(name)
    return entry


def _owner(element: ElementTree.Element, start: int) -> dict[str, str]:
    owner = {child.tag[start:]: _text(child) for child in element}
    if len(owner) != len(element) or not owner.keys() <= _OWNER:
        raise _Unexpected("Owner")
    return owner


def _text(element: ElementTree.Element) -> str:
    if len(element):
        raise _Unexpected(element.tag)
    return element.text or ""
