"""What a hospital says about those who send images: which zone, which identifiers, what becomes of a correction.

Read of `dicom.toml` by `load`; what is wrong in it is said at the start, with the file and the key. Every setting is
told in docs/dicom.md; the names are those of `SourceConfig`.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal
from zoneinfo import ZoneInfo

Keep = Literal["first", "newest"]
Table = dict[str, Any]

NOTHING: Mapping[str, str] = MappingProxyType({})
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """The settings of one source: of what a calling AE title, or an address, sends."""

    name: str = "default"
    ae: str = "*"
    """A pattern of the calling AE title with * and ?; what comes over HTTP or in files has none"""
    address: str = ""
    """Addresses and networks (`10.1.2.3,10.2.0.0/16`); empty: any"""
    zone: ZoneInfo | None = None
    """Of dates with a time that name none; None: their time is left out"""
    patient_system: str = ""
    """System of a PatientID without issuer; empty: one derived from the name of the source"""
    accession_system: str = ""
    """System of an AccessionNumber without issuer; empty: as for patients"""
    issuers: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """Issuer (local namespace) → system, of whatever number"""
    code_systems: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """Coding scheme designator → system, before those that are known"""
    endpoint: str = ""
    """Base of the WADO-RS service that has the pixels (`https://pacs.example.org/dicomweb`); empty: no Endpoint"""
    results: bool = True
    """Whether measurements and doses of reports, waveforms and documents become resources of their own"""
    index_only: bool = False
    """On: somebody else keeps the pixels, and the sender is told of plain success"""
    keep: Keep = "first"
    """Of two instances with one UID and different content: the one that came first, or the newest"""

    def system(self, kind: str) -> str:
        """A system of one's own for numbers that come without any: `urn:fhir-server:dicom:default:patient`."""
        told = {"patient": self.patient_system, "accession": self.accession_system}.get(kind)
        return told or f"urn:fhir-server:dicom:{re.sub(r'[^A-Za-z0-9._-]', '-', self.name)}:{kind}"

    def fits(self, ae: str, address: str | None) -> bool:
        """Whether what such a peer sends is meant."""
        if not fnmatchcase(ae, self.ae):
            return False
        if not self.address:
            return True
        try:
            peer = ipaddress.ip_address(address or "")
        except ValueError:
            return False
        networks = (ipaddress.ip_network(each.strip()) for each in self.address.split(","))
        return any(peer in network for network in networks)


@dataclass(frozen=True, slots=True)
class Sources:
    """All sources; the first that fits a peer is his, the default if none does."""

    default: SourceConfig = field(default_factory=SourceConfig)
    configured: tuple[SourceConfig, ...] = ()

    def of(self, ae: str, address: str | None) -> SourceConfig:
        return next((each for each in self.configured if each.fits(ae, address)), self.default)

    def named(self, name: str) -> SourceConfig:
        """By the name under which something came in; the default where it is there no longer."""
        return next((each for each in self.configured if each.name == name), self.default)


class SourcesError(ValueError):
    """`dicom.toml` cannot be used: the text names the file, the key, and what was expected."""


class _Wrong(ValueError):
    """What is wrong at a key, before the file is known."""

    def __init__(self, key: str, expected: str) -> None:
        super().__init__(f"{key}: {expected}")


def load(path: Path) -> Sources:
    """The sources of a file; raises SourcesError."""
    try:
        with path.open("rb") as file:
            return _sources(tomllib.load(file))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise SourcesError(f"{path} is not TOML: {fault}") from None
    except OSError as fault:
        raise SourcesError(f"{path} cannot be read: {fault.strerror}") from None
    except _Wrong as wrong:
        raise SourcesError(f"{path}: {wrong}") from None


def _sources(told: Table) -> Sources:
    for key in told:
        if key not in ("default", "source"):
            raise _Wrong(key, "is not known here; expected [default] and [[source]]")
    default = _source(SourceConfig(), told.get("default", {}), "default")
    listed = told.get("source", [])
    if not isinstance(listed, list):
        raise _Wrong("source", "expected [[source]] with two brackets, one for each source")
    configured: list[SourceConfig] = []
    for number, settings in enumerate(listed, 1):
        place = f"source[{number}]"
        name = settings.get("name") if isinstance(settings, dict) else None
        if not isinstance(name, str) or not name:
            raise _Wrong(f"{place}.name", "expected a name: what came in is known by it later")
        if "ae" not in settings and "address" not in settings:
            raise _Wrong(name, "expected ae, a pattern of the calling AE title, or address")
        if name in {"default", *(each.name for each in configured)}:
            raise _Wrong(f"{place}.name", f"two sources have the name {name!r}")
        configured.append(_source(default, settings, name))
    return Sources(default, tuple(configured))


def _source(base: SourceConfig, settings: Any, where: str) -> SourceConfig:
    """The base with the settings on top; of tables each entry."""
    if not isinstance(settings, dict):
        raise _Wrong(where, "expected a table")
    read: Table = {}
    for key, value in settings.items():
        place = f"{where}.{key}"
        reader = _READERS.get(key)
        if reader is None:
            raise _Wrong(place, f"is not known; expected one of {', '.join(sorted(_READERS))}")
        found = reader(place, value)
        read[key] = {**getattr(base, key), **found} if isinstance(found, dict) else found
    return replace(base, **read)


def _text(place: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong(place, "expected text in quotes")
    return value


def _flag(place: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong(place, "expected true or false")
    return value


def _keep(place: str, value: Any) -> str:
    if value not in ("first", "newest"):
        raise _Wrong(place, "expected 'first' or 'newest'")
    return str(value)


def _zone(place: str, value: Any) -> ZoneInfo:
    try:
        return ZoneInfo(_text(place, value))
    except (KeyError, ValueError, OSError):
        raise _Wrong(place, f"{value!r} is no zone; expected a name such as 'Europe/Copenhagen'") from None


def _address(place: str, value: Any) -> str:
    for each in _text(place, value).split(","):
        try:
            ipaddress.ip_network(each.strip())
        except ValueError:
            told = f"{each.strip()!r} is no address; expected for example '10.1.2.3,10.2.0.0/16'"
            raise _Wrong(place, told) from None
    return str(value)


def _uri(place: str, value: Any) -> str:
    if not _URI.fullmatch(_text(place, value)):
        told = f"{value!r} is no URI; expected one such as 'urn:oid:1.2.3' or 'https://example.org/mrn'"
        raise _Wrong(place, told)
    return str(value)


def _http(place: str, value: Any) -> str:
    if not _text(place, value).startswith(("http://", "https://")):
        raise _Wrong(place, f"{value!r}: expected http://… or https://…")
    return str(value).rstrip("/")


def _uris(place: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _Wrong(place, "expected a table")
    return {name: _uri(f'{place}."{name}"', uri) for name, uri in value.items()}


_READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "name": _text,
    "ae": _text,
    "address": _address,
    "zone": _zone,
    "patient_system": _uri,
    "accession_system": _uri,
    "issuers": _uris,
    "code_systems": _uris,
    "endpoint": _http,
    "results": _flag,
    "index_only": _flag,
    "keep": _keep,
}
