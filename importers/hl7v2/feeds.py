"""Reads `feeds.toml`: what is wrong in it is said at the start, with the file and the key.

Every setting is told in docs/hl7v2.md; the names are those of `FeedConfig`.
"""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from importers.hl7v2.charset import codec_of
from importers.hl7v2.config import FeedConfig, Feeds
from importers.hl7v2.convert import VERSIONS

Table = dict[str, Any]

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_CODING = {"system", "code", "display", "version"}


class FeedsError(ValueError):
    """`feeds.toml` cannot be used: the text names the file, the key, and what was expected."""


class _Wrong(ValueError):
    """What is wrong at a key, before the file is known."""

    def __init__(self, key: str, expected: str) -> None:
        super().__init__(f"{key}: {expected}" if key else expected)


def load(path: Path) -> Feeds:
    """The feeds of a file; raises FeedsError."""
    try:
        with path.open("rb") as file:
            told = tomllib.load(file)
        return _feeds(told, path.parent)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise FeedsError(f"{path} is not TOML: {fault}") from None
    except OSError as fault:
        raise FeedsError(f"{path} cannot be read: {fault.strerror}") from None
    except _Wrong as wrong:
        raise FeedsError(f"{path}: {wrong}") from None


def _feeds(told: Table, folder: Path) -> Feeds:
    for key in told:
        if key not in ("default", "feed"):
            raise _Wrong(key, "is not known here; expected [default] and [[feed]]")
    default = _feed(FeedConfig(), _table("default", told.get("default", {})), "default", folder)
    listed = told.get("feed", [])
    if not isinstance(listed, list):
        raise _Wrong("feed", "expected [[feed]] with two brackets, one for each feed")
    configured = []
    for number, each in enumerate(listed, 1):
        settings = _table(f"feed[{number}]", each)
        name = settings.get("name", f"feed[{number}]")
        if "application" not in settings and "facility" not in settings:
            raise _Wrong(str(name), "expected application or facility, patterns of MSH-3 and MSH-4")
        configured.append(_feed(replace(default, name=str(name)), settings, str(name), folder))
    names = [each.name for each in configured]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise _Wrong(f"name {twice}", "two feeds have the same name")
    return Feeds(default, tuple(configured))


def _feed(base: FeedConfig, settings: Table, where: str, folder: Path) -> FeedConfig:
    """The base with the settings on top; of tables each entry."""
    read: Table = {}
    for key, value in settings.items():
        place = f"{where}.{key}"
        reader = _READERS.get(key)
        if reader is None:
            raise _Wrong(place, f"is not known; expected one of {', '.join(sorted(_READERS))}")
        found = reader(place, value) if key != "overrides" else _overrides(place, value, folder)
        if isinstance(found, Mapping):
            found = {**getattr(base, key), **found}
        read[key] = found
    return replace(base, **read)


def _table(place: str, value: Any) -> Table:
    if not isinstance(value, dict):
        raise _Wrong(place, "expected a table")
    return value


def _text(place: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong(place, "expected text in quotes")
    return value


def _flag(place: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong(place, "expected true or false")
    return value


def _one_of(*allowed: str) -> Callable[[str, Any], str]:
    def read(place: str, value: Any) -> str:
        if value not in allowed:
            raise _Wrong(place, f"expected one of {', '.join(repr(each) for each in allowed)}")
        return str(value)

    return read


def _zone(place: str, value: Any) -> ZoneInfo:
    name = _text(place, value)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise _Wrong(place, f"{value!r} is no zone; expected a name such as 'Europe/Copenhagen'") from None


def _charset(place: str, value: Any) -> str:
    codec = codec_of(_text(place, value))
    if codec is None:
        raise _Wrong(
            place, f"{value!r} is no character set; expected a name of HL7 table 0211 such as '8859/1'"
        )
    return codec


def _uri(place: str, value: Any) -> str:
    if not _URI.fullmatch(_text(place, value)):
        raise _Wrong(
            place, f"{value!r} is no URI; expected one such as 'urn:oid:1.2.3' or 'https://example.org/mrn'"
        )
    return str(value)


def _uris(place: str, value: Any) -> dict[str, str]:
    return {name: _uri(f'{place}."{name}"', uri) for name, uri in _table(place, value).items()}


def _names(place: str, value: Any) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _Wrong(place, "expected a list of texts")
    return frozenset(each.upper() for each in value)


def _code_maps(place: str, value: Any) -> dict[str, dict[str, dict[str, str]]]:
    found = {}
    for name, codes in _table(place, value).items():
        inside = f'{place}."{name}"'
        found[name] = {
            code: _coding(f'{inside}."{code}"', coding) for code, coding in _table(inside, codes).items()
        }
    return found


def _coding(place: str, value: Any) -> dict[str, str]:
    coding = _table(place, value)
    if unknown := next((key for key in coding if key not in _CODING), None):
        raise _Wrong(f"{place}.{unknown}", f"is not known; expected {', '.join(sorted(_CODING))}")
    if "system" not in coding or "code" not in coding:
        raise _Wrong(place, 'expected { system = "…", code = "…" }')
    _uri(f"{place}.system", coding["system"])
    return {key: _text(f"{place}.{key}", text) for key, text in coding.items()}


def _overrides(place: str, value: Any, folder: Path) -> dict[str, Callable[..., Any]]:
    """The functions in `MAPPINGS` of a Python file, whose path is relative to the file of the feeds."""
    path = folder / _text(place, value)
    spec = importlib.util.spec_from_file_location(f"feed_overrides_{path.stem}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise _Wrong(place, f"expected a Python file; there is none at {path}")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as fault:
        raise _Wrong(place, f"{path} failed: {type(fault).__name__}: {fault}") from fault
    mappings = getattr(module, "MAPPINGS", None)
    if not isinstance(mappings, dict) or not all(callable(each) for each in mappings.values()):
        raise _Wrong(place, f"expected MAPPINGS = {{'PID': function, …}} in {path}")
    return mappings


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "name": _text,
    "application": _text,
    "facility": _text,
    "charset": _charset,
    "zone": _zone,
    "base_uri": _uri,
    "identifier_systems": _uris,
    "namespaces": _one_of("shared", "facility"),
    "strong_types": _names,
    "code_systems": _uris,
    "code_maps": _code_maps,
    "ack_mode": _one_of("sender", "original", "enhanced"),
    "unknown_version": _one_of("refuse", "nearest"),
    "default_version": _one_of("", *VERSIONS),
    "strict": _flag,
    "overrides": _text,
}
