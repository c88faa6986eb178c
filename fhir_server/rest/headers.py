"""Request and response headers as plain values; entity tags are read in `interactions.etags`.

http://hl7.org/fhir/R4/http.html
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime

from fhir_server.context import Prefer
from resources import outcome

MAX_PREFER = 1_000
"""Characters of Prefer that are read; it may be ignored, so more is."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = "|".join(_MONTHS)
_DAY = "Mon|Tue|Wed|Thu|Fri|Sat|Sun"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_DATES = tuple(
    re.compile(form)
    for form in (
        rf"(?:{_DAY}), (?P<day>[0-9]{{2}}) (?P<month>{_MONTH}) (?P<year>[0-9]{{4}}) {_TIME} GMT",
        rf"[A-Z][a-z]+day, (?P<day>[0-9]{{2}})-(?P<month>{_MONTH})-(?P<year>[0-9]{{2}}) {_TIME} GMT",
        rf"(?:{_DAY}) (?P<month>{_MONTH}) (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
)
_ITEM = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*(?:"|$))+')
_PREFERENCE = re.compile(r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*(?:=\s*("?)([^"]*)\2)?\s*')
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")


def http_date(moment: datetime) -> str:
    """An aware datetime as IMF-fixdate, to the second: `Sun, 06 Nov 1994 08:49:37 GMT`.

    https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
    """
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def parse_http_date(text: str) -> datetime | None:
    """An HTTP date in any of its three forms as UTC; None where it is none, for such a header is to be ignored.

    https://www.rfc-editor.org/rfc/rfc9110#section-13.1.3
    """
    found = next((match for form in _DATES if (match := form.fullmatch(text.strip(" \t")))), None)
    if found is None:
        return None
    year, month = int(found["year"]), _MONTHS.index(found["month"]) + 1
    if len(found["year"]) == 2:
        year = _full_year(year)
    second = min(int(found["second"]), 59)  # 60 is a leap second, which datetime does not know
    if int(found["second"]) > 60:
        return None
    try:
        return datetime(
            year, month, int(found["day"]), int(found["hour"]), int(found["minute"]), second, tzinfo=UTC
        )
    except ValueError:
        return None


def _full_year(year: int) -> int:
    """Two digits mean the past where they would else be more than 50 years ahead (RFC 9110 §5.6.7)."""
    now = datetime.now(UTC).year
    full = now - now % 100 + year
    return full - 100 if full > now + 50 else full


def parse_prefer(text: str | None) -> Prefer:
    """What the caller prefers; what is unknown or malformed is ignored, of two the first counts.

    https://www.rfc-editor.org/rfc/rfc7240#section-2, http://hl7.org/fhir/R4/http.html#ops
    """
    asked: dict[str, str] = {}
    if text is not None and len(text) <= MAX_PREFER:
        for preference in _ITEM.findall(text):
            match = _PREFERENCE.fullmatch(preference.partition(";")[0])
            if match is not None:
                asked.setdefault(match[1].lower(), (match[3] or "").strip())
    wanted = asked.get("return")
    return Prefer(
        return_=wanted if wanted in {"minimal", "representation", "OperationOutcome"} else None,
        lenient=asked.get("handling") == "lenient",
    )


def is_safe(value: str) -> bool:
    """Whether the value can be a response header as it stands."""
    return _UNSAFE.search(value) is None


def safe(value: str) -> str:
    """The value, fit to be a response header; 400 where it holds control characters (a new line would start another
    header) or what is not Latin-1.

    https://www.rfc-editor.org/rfc/rfc9110#section-5.5
    """
    found = _UNSAFE.search(value)
    if found is not None:
        raise outcome.bad_request(f"{found[0]!r} cannot stand in an HTTP header")
    return value.strip(" \t")
