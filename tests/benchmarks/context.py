"""What every measurement is told: the server, the photos, how often to run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

GROUPS = (
    "save",
    "latency",
    "peers",
    "responsive",
    "rendering",
    "url",
    "template",
    "pictures",
    "api",
    "regenerate",
    "rows",
    "jobs",
    "threads",
    "memory",
    "quality",
    "variants",
    "motion",
    "audit",
)


@dataclass(frozen=True)
class Context:
    """One group's task, passed to its process as JSON."""

    group: str
    endpoint_url: str
    slow_endpoint_url: str
    """The same server behind the proxy that delays each request."""
    access_key: str
    secret_key: str
    bucket: str
    runs: int
    quick: bool
    photo_12mp: str
    photo_48mp: str
    real_photos: tuple[str, ...] = ()
    heic_photo: str = ""
    """The largest HEIC of those that were given, if there is one: nothing here can write them."""
    custom_domain: str = ""
    subject: str = ""
    """Which part of the group, for groups that need a process for each."""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Context:
        values = json.loads(text)
        values["real_photos"] = tuple(values["real_photos"])
        return cls(**values)

    def parts(self) -> list[Context]:
        """The processes that the group takes: where one would disturb the other, each has its own."""
        if self.group == "url":  # the peers know one default storage, so each kind of URL needs its own
            return [replace(self, subject="with", custom_domain="cdn.example.com"), replace(self, subject="without")]
        if self.group == "api":  # without one, a plain field would sign each URL, and that is another matter
            return [replace(self, custom_domain="cdn.example.com")]
        if self.group == "memory":  # the peak of a process rises only once
            return [replace(self, subject=f"{size}, {who}") for size in ("12 MP", "48 MP") for who in ("ours", "plain")]
        if self.group == "audit":  # what fills the bucket would count for the peak
            return [replace(self, subject=subject) for subject in ("fill", "audit")]
        if self.group == "motion":
            return [replace(self, subject=subject) for subject in ("time", "ours", "vips")]
        return [self]

    @property
    def photos(self) -> list[Path]:
        """The drawn 12-megapixel photo first, then the real ones."""
        return [Path(self.photo_12mp), *map(Path, self.real_photos)]
