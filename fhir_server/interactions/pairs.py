"""A query string as (name, value) pairs, the same for URLs, forms, Bundle entries and criteria."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from resources.outcome import bad_request

MOST = 1000
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}")


def pairs(text: str, what: str = "query") -> tuple[tuple[str, str], ...]:
    """Decoded pairs; 400 if the escapes are broken or no UTF-8, or if there are too many.

    https://www.rfc-editor.org/rfc/rfc3986#section-2.1
    """
    broken = _BROKEN_ESCAPE.search(text)
    if broken is not None:
        raise bad_request(f"The {what} holds '{broken[0]}', which is no %-escape; a % itself is written %25")
    try:
        return tuple(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST))
    except UnicodeDecodeError:
        raise bad_request(f"The {what} is not UTF-8 when its %-escapes are undone") from None
    except ValueError:
        raise bad_request(f"The {what} has more than {MOST} parameters") from None
