"""Version ids as entity tags, in headers and in Bundle entries alike.

http://hl7.org/fhir/R4/http.html#versioning, RFC 9110 §8.8.3, §13.1
"""

from __future__ import annotations

import re

from resources.outcome import bad_request

ANY = "*"
_TAG = re.compile(r'(?:W/)?"([A-Za-z0-9\-.]{1,64})"')


def etag(version: int) -> str:
    """`W/"3"`: weak, because one version has several representations."""
    return f'W/"{version}"'


def version_ids(text: str, header: str) -> frozenset[str]:
    """The version ids in If-Match or If-None-Match, `*` for any; 400 that says what was expected."""
    if text.strip() == ANY:
        return frozenset({ANY})
    tags = [_TAG.fullmatch(part.strip()) for part in text.split(",")]
    found = frozenset(tag[1] for tag in tags if tag is not None)
    if len(found) == 0 or None in tags:
        raise bad_request(
            f"""{header}: '{text[:100]}' is not a list of entity tags; W/"3" or * was expected"""
        )
    return found
