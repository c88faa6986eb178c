"""What a hospital says about its feeds: which zone, which identifiers, which codes a sender means.

Read of `feeds.toml` by `feeds.load`; every setting is told in docs/hl7v2.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

from importers.hl7v2.tables.codes import Coding

AckMode = Literal["sender", "original", "enhanced"]

STRONG_TYPES = frozenset(
    {
        "MR",
        "MRN",
        "PI",
        "PT",
        "PN",
        "EI",
        "JHN",
        "HC",
        "NI",
        "NH",
        "MC",
        "MA",
        "SN",
        "SR",
        "U",
        "MPI",
        "EPI",
        "PE",
    }
)
"""Types of table 0203 (and as senders write them) by which a patient is known; so are the national ones, NNxxx."""

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FeedConfig:
    """The settings of one feed: of what a sending application in a sending facility sends."""

    name: str = "default"
    application: str = "*"
    """a pattern of MSH-3.1 with * and ?"""
    facility: str = "*"
    """a pattern of MSH-4.1 with * and ?"""
    charset: str = "utf-8"
    """Python's name of the encoding where MSH-18 says nothing"""
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    """of times that have none"""
    base_uri: str = "urn:hl7v2"
    """what the systems of local codes and identifiers are derived from"""
    identifier_systems: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """assigning authority (namespace or universal id), or `authority^type` → system"""
    namespaces: Literal["shared", "facility"] = "shared"
    """whether the same namespace means the same authority whoever sends it"""
    strong_types: frozenset[str] = STRONG_TYPES
    code_systems: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """name of a coding system → URI, before those of table 0396"""
    code_maps: Mapping[str, Mapping[str, Coding]] = field(default_factory=lambda: NOTHING)
    """HL7 table (`0004`) or name of a local coding system → code → Coding"""
    ack_mode: AckMode = "sender"
    """`sender`: as MSH-15 and MSH-16 ask"""
    unknown_version: Literal["refuse", "nearest"] = "refuse"
    default_version: str = "2.5.1"
    """of messages without MSH-12; empty: they are refused"""
    strict: bool = False
    """whether hl7apy's strict validation is added to the report"""
    overrides: Mapping[str, Callable[..., Any]] = field(default_factory=lambda: NOTHING)
    """name of a mapping (`ADT^A01`, `PID`, `XPN`) → the function that replaces it"""

    def is_strong(self, type_code: str) -> bool:
        """Whether an identifier of this type (CX.5), with an authority, tells who a patient is."""
        code = type_code.upper()
        return code in self.strong_types or (len(code) >= 4 and code.startswith("NN"))

    def derived_uri(self, kind: str, *names: str) -> str:
        """A URI of one's own, the same for the same names: `urn:hl7v2:id:HOSP:MRN`."""
        return _derived(self.base_uri, kind, *names)


@lru_cache(maxsize=4096)
def _derived(base: str, *names: str) -> str:
    separator = "/" if "://" in base else ":"
    return (
        base.rstrip("/:") + separator + separator.join(quote(name.strip(), safe="") or "-" for name in names)
    )


@dataclass(frozen=True, slots=True)
class Feeds:
    """All feeds; the first whose patterns fit a sender is his, the default if none does."""

    default: FeedConfig = field(default_factory=FeedConfig)
    configured: tuple[FeedConfig, ...] = ()

    def of(self, application: str, facility: str) -> FeedConfig:
        for each in self.configured:
            if fnmatchcase(application, each.application) and fnmatchcase(facility, each.facility):
                return each
        return self.default
