"""Which service of DICOMweb a URL means, and of which study, series or instance.

https://dicom.nema.org/medical/dicom/current/output/chtml/part18/chapter_10.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from importers.dicom.uids import LONGEST, is_uid
from resources.outcome import bad_request, error, method_not_allowed, unknown_path

BASE = "/dicomweb"
Level = Literal["studies", "series", "instances"]
Service = Literal["store", "search", "metadata", "delete"]

LEVELS: tuple[Level, ...] = ("studies", "series", "instances")
_METADATA = "metadata"


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for: to store or search in `level`, or the metadata or deletion of one of it."""

    service: Service
    level: Level
    study: str | None = None
    series: str | None = None
    instance: str | None = None


def target(method: str, segments: Sequence[str]) -> Target:
    """FHIRError 400 for what is no UID, 404 for other paths, 405 and 406 for what is not done there."""
    path = "/".join(segments)
    asks_metadata = len(segments) > 1 and segments[-1] == _METADATA
    names = segments[:-1] if asks_metadata else segments
    uids = {str(level): uid for level, uid in zip(names[::2], names[1::2], strict=False)}
    levels = list(names[::2])
    if not levels or not _is_path(levels, whole=asks_metadata or len(names) % 2 == 0):
        raise unknown_path(f"{BASE}/{path}")
    for uid in uids.values():
        if not is_uid(uid):
            raise bad_request(
                f"The URL has no UID where one was expected: digits and dots, at most {LONGEST}"
            )
    found = [uids.get(level) for level in LEVELS]
    level = LEVELS[LEVELS.index(levels[-1])]
    services = _services(level, asks_metadata=asks_metadata, one=len(names) % 2 == 0)
    asked = "GET" if method == "HEAD" else method
    if asked not in services:
        raise method_not_allowed(method, f"{BASE}/{path}", list(services))
    service = services[asked]
    if service is None:
        told = "No pixels are kept here, only what instances say of themselves: ask for /metadata"
        raise error(406, "not-supported", told)
    return Target(service, level, *found)


def _is_path(levels: Sequence[str], *, whole: bool) -> bool:
    """Studies, series, instances, downwards; a search may leave out what is above."""
    if not set(levels) <= set(LEVELS):
        return False
    order = [LEVELS.index(each) for each in levels]
    if order != sorted(set(order)):
        return False
    return order == list(range(len(order))) if whole else len(order) < 2 or order[0] == 0


def _services(level: Level, *, asks_metadata: bool, one: bool) -> dict[str, Service | None]:
    """By method; None is the retrieval of what is not kept."""
    if asks_metadata:
        return {"GET": "metadata"}
    if not one:
        return {"GET": "search", "POST": "store"} if level == "studies" else {"GET": "search"}
    services: dict[str, Service | None] = {"GET": None, "DELETE": "delete"}
    return {**services, "POST": "store"} if level == "studies" else services
