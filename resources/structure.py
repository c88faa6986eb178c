"""The fast structural check of a resource, with the types of `resources.struct_types`.

`fits` is sound, not complete: what it accepts is right; what it refuses may still be right and is then judged by
`resources.faults`, which knows every rule and names every fault. So the types know only what is frequent: no
`_value[x]` beside a choice element, no null in an array, no blank in base64.

A resource is written as JSON once and decoded into its type: empty objects and control characters are then found
by searching the bytes, and no field has to pay for them.

http://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from resources import codec
from resources.struct_types import decoder

Json = dict[str, Any]

_ID_ONLY = re.compile(rb'\{"id":"(?:[^"\\]|\\.)*"\}')


class Examined(NamedTuple):
    """`fits`: the structure is certainly right; `fragments`: there may be references such as `#x` inside;
    `extensions`: there may be extensions inside.
    """

    fits: bool
    fragments: bool
    extensions: bool


_STAND_IN = {"resourceType": "Resource"}
_WRONG = Examined(fits=False, fragments=True, extensions=True)


def examine(resource: Json) -> Examined:
    """The resource against the type it claims to be; what is inside nested resources is not judged."""
    try:
        decode = decoder(resource["resourceType"]).decode
        body = codec.encode(_shell(resource) if "entry" in resource else resource)
        if not _is_clean(body):
            return _WRONG
        decode(body)
    except (msgspec.MsgspecError, LookupError, ValueError, TypeError, RecursionError):
        return _WRONG
    return Examined(True, b'"reference":"#' in body, b'xtension":' in body)


def _shell(bundle: Json) -> Json:
    """A Bundle without the contents of its resources: they may be large, and are judged one by one."""
    entries = bundle["entry"]
    if bundle["resourceType"] != "Bundle" or not isinstance(entries, list):
        return bundle
    return {**bundle, "entry": [_empty(entry) for entry in entries]}


def _empty(entry: Any) -> Any:
    has_resource = isinstance(entry, dict) and isinstance(entry.get("resource"), dict)
    return {**entry, "resource": _STAND_IN} if has_resource else entry


def fits(resource: Json) -> bool:
    """Whether the resource certainly has the structure its type demands; nested resources are not judged."""
    return examine(resource).fits


def _is_clean(body: bytes) -> bool:
    """No empty object, no object with an id alone (ele-1), no control character."""
    if b"{}" in body or (b'{"id":' in body and _ID_ONLY.search(body)):
        return False
    return b"\\" not in body or not (rb"\u00" in body or rb"\b" in body or rb"\f" in body)
