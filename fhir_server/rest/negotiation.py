"""Which format the caller wants, and which one was sent.

http://hl7.org/fhir/R4/http.html#mime-type, https://www.rfc-editor.org/rfc/rfc9110#section-12
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from resources import outcome
from resources.outcome import FHIRError

FHIR_JSON = "application/fhir+json"
JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
FORM = "application/x-www-form-urlencoded"

MAX_MEMBERS = 10_000
"""Gzip members in one body; bgzip makes one for each 64 KiB."""

_CHUNK = 16 * 1024
_NAMES = {"json": FHIR_JSON, FHIR_JSON: FHIR_JSON, JSON: JSON, "text/json": JSON}
_VERSIONS = {"4.0", "4.0.1"}
_QUALITY = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEDIA_TYPE = re.compile(rf'{_WORD}/{_WORD}( *; *{_WORD}=({_WORD}|"[ !#-\[\]-~]*"))* *;?')
_RESOURCES = f"{FHIR_JSON} or {JSON}, charset utf-8, fhirVersion 4.0"


@dataclass(frozen=True, slots=True)
class Format:
    """How a response is written."""

    media_type: str = f"{FHIR_JSON}; charset=utf-8"
    pretty: bool = False


@dataclass(frozen=True, slots=True)
class _MediaType:
    name: str
    parameters: dict[str, str]

    @property
    def is_r4(self) -> bool:
        return self.parameters.get("fhirversion", "4.0") in _VERSIONS

    @property
    def is_utf8(self) -> bool:
        return self.parameters.get("charset", "utf-8").lower() in {"utf-8", "utf8"}


def response_format(query: Iterable[tuple[str, str]], accept: str | None) -> Format:
    """The format of the response: `_format` where it is given, else Accept, and `_pretty`.

    406 where it is not JSON or not R4, 400 where `_pretty` is not a boolean.

    http://hl7.org/fhir/R4/http.html#parameters
    """
    asked = dict(query)
    pretty = asked.get("_pretty", "false")
    if pretty not in {"true", "false"}:
        raise outcome.bad_parameter("_pretty", f"'{pretty[:50]}' is not true or false")
    named = asked.get("_format", "").strip()
    media_type = _named(named) if named else _accepted(accept or "")
    if media_type is None:
        raise outcome.not_acceptable(named or (accept or ""))
    return Format(f"{media_type}; charset=utf-8", pretty == "true")


def fallback(query_string: bytes) -> Format:
    """A format for an error whose request may not have been understood; never fails."""
    return Format(pretty=b"_pretty=true" in query_string)


def names_json(accept: str) -> set[str]:
    """The JSON media types that an Accept header names."""
    return {_NAMES[name] for each in accept.split(",") if (name := _read(each).name) in _NAMES}


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a response may be gzipped. https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3"""
    weights = {_read(each).name: _quality(each) for each in accept_encoding.split(",")}
    return bool(weights.get("gzip", weights.get("x-gzip", weights.get("*"))))


def is_fhir(content_type: str | None) -> bool:
    """Whether the body is meant as FHIR (not as the bytes of a Binary).

    http://hl7.org/fhir/R4/binary.html#rest
    """
    return _read(content_type or "").name.startswith("application/fhir+")


def is_json(content_type: str | None) -> bool:
    """Whether these are the media types of plain JSON."""
    return _read(content_type or "").name in {JSON, "text/json"}


def is_media_type(text: str) -> bool:
    """Whether the text is a media type that can stand in a header. https://www.rfc-editor.org/rfc/rfc9110#section-8.3.1"""
    return _MEDIA_TYPE.fullmatch(text) is not None


def is_json_patch(content_type: str | None) -> bool:
    """Whether the body is meant as JSON Patch."""
    return _read(content_type or "").name == JSON_PATCH


def check_resource(content_type: str | None) -> None:
    """415 unless the body is a resource in JSON.

    http://hl7.org/fhir/R4/http.html#mime-type
    """
    _check(content_type, {FHIR_JSON, JSON, "text/json"}, _RESOURCES)


def check_patch(content_type: str | None) -> None:
    """415 unless the body is JSON Patch or FHIRPath Patch.

    http://hl7.org/fhir/R4/http.html#patch
    """
    expected = f"{JSON_PATCH} (JSON Patch), or {FHIR_JSON} (FHIRPath Patch, a Parameters resource)"
    _check(content_type, {JSON_PATCH, FHIR_JSON, JSON, "text/json"}, expected)


def check_form(content_type: str | None) -> None:
    """415 unless the body is a form; without a type it is taken for one.

    http://hl7.org/fhir/R4/http.html#search
    """
    if content_type is not None:
        _check(content_type, {FORM}, FORM)


def decoded(body: bytes, coding: str | None, limit: int) -> bytes:
    """The body without its Content-Encoding: identity or gzip, else 415; 413 beyond `limit` bytes.

    http://hl7.org/fhir/R4/http.html#compression
    """
    name = (coding or "identity").strip().lower()
    if name in {"identity", ""}:
        return body
    if name in {"gzip", "x-gzip"}:
        return inflate(body, limit)
    text = f"Content-Encoding '{name[:100]}' is not understood here. Expected: gzip, or none"
    raise outcome.error(415, "not-supported", text, Accept_Encoding="gzip, identity")


def inflate(body: bytes, limit: int) -> bytes:
    """What was gzipped; 413 as soon as it is more than `limit` bytes, 400 where it is not gzip or not whole.

    https://www.rfc-editor.org/rfc/rfc1952
    """
    inflated, position, members = bytearray(), 0, 0
    while position < len(body):
        members += 1
        if members > MAX_MEMBERS:
            raise outcome.too_costly(f"The gzipped body has more than {MAX_MEMBERS} members")
        position = _inflate_member(body, position, inflated, limit)
    if members == 0:
        raise _broken("it is empty")
    return bytes(inflated)


def _inflate_member(body: bytes, position: int, inflated: bytearray, limit: int) -> int:
    """Append what the member at the position holds; the position after it."""
    member = zlib.decompressobj(wbits=31)
    while not member.eof:
        chunk = body[position : position + _CHUNK]
        if not chunk:
            raise _broken("it ends in the middle")
        try:
            inflated += member.decompress(chunk, limit - len(inflated) + 1)
        except zlib.error:
            raise _broken(f"it cannot be read at byte {position} or soon after") from None
        if len(inflated) > limit:
            raise outcome.too_large(f"The body is larger than {limit:,} bytes when its gzip is undone")
        position += len(chunk) - len(member.unused_data) - len(member.unconsumed_tail)
    return position


def _broken(text: str) -> FHIRError:
    return outcome.bad_request(f"The body is not gzip as its Content-Encoding says: {text}")


def _check(content_type: str | None, known: set[str], expected: str) -> None:
    read = _read(content_type or "")
    if read.name not in known or not read.is_utf8 or not read.is_r4:
        raise outcome.unsupported_media_type(content_type or "", expected)


def _named(text: str) -> str | None:
    """The media type a `_format` names, in which a `+` may have become a space; None where there is none."""
    read = _read(text)
    name = read.name.replace("application/fhir json", FHIR_JSON)
    return _NAMES.get(name) if read.is_r4 and read.is_utf8 else None


@lru_cache(256)
def _accepted(accept: str) -> str | None:
    """The media type that an Accept header likes best; what it names counts before what it merely allows."""
    ranges = [(_read(each), quality) for each in accept.split(",") if (quality := _quality(each)) is not None]
    if not accept.strip():
        return FHIR_JSON
    best: tuple[float, int] = (0.0, 0)
    chosen = None
    for media_type in (FHIR_JSON, JSON):
        quality, precision = _liking(media_type, ranges)
        if quality > 0 and (quality, precision) > best:
            best, chosen = (quality, precision), media_type
    return chosen


def _liking(media_type: str, ranges: list[tuple[_MediaType, float]]) -> tuple[float, int]:
    """Quality of a media type, and how precisely it is asked for: the most precise range decides."""
    precision, quality = 0, 0.0
    for asked, asked_quality in ranges:
        exact = _NAMES.get(asked.name) == media_type and asked.name != "json" and asked.is_r4
        fits = 3 if exact else {"application/*": 2, "*/*": 1}.get(asked.name, 0)
        if fits > precision or (fits == precision and fits and asked_quality > quality):
            precision, quality = fits, asked_quality
    return quality, precision


def _quality(text: str) -> float | None:
    """The weight of a range of Accept; None where it is malformed."""
    quality = _read(text).parameters.get("q", "1")
    return float(quality) if _QUALITY.fullmatch(quality) else None


def _read(text: str) -> _MediaType:
    name, *parameters = text.split(";")
    pairs = (each.partition("=") for each in parameters)
    return _MediaType(
        name.strip().lower(), {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}
    )
