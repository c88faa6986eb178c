"""Rules of patient administration that R4 itself does not state.

A birth date lies between today and 150 years ago; addresses in the US have a state code and a ZIP code. The
latter are warnings: an address is used as it was told.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from resources.outcome import Issue

Json = dict[str, Any]

MAX_AGE = 150
"""Years. The oldest person known reached 122."""

_DATE = re.compile(r"[0-9]{4}(?:-[0-9]{2}){0,2}\Z")
_US = frozenset({"US", "USA", "UNITED STATES", "UNITED STATES OF AMERICA"})
_ZIP = re.compile(r"[0-9]{5}(?:-[0-9]{4})?\Z")
# USPS Publication 28, Appendix B: states, DC, territories, freely associated states, armed forces
_STATE_CODES = """
    AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA
    RI SC SD TN TX UT VT VA WA WV WI WY DC AS GU MP PR VI UM FM MH PW AA AE AP
"""
_STATES = frozenset(_STATE_CODES.split())
_ADDRESSES = {
    "Patient": (("address",), ("contact", "address")),
    "Practitioner": (("address",),),
    "Person": (("address",),),
    "RelatedPerson": (("address",),),
    "Organization": (("address",), ("contact", "address")),
    "Location": (("address",),),
}
_BORN = frozenset({"Patient", "Person", "Practitioner", "RelatedPerson"})


def faults(resource: Json, today: dt.date) -> list[Issue]:
    """The rules this resource breaks; structural faults are passed over, others find them."""
    name = resource.get("resourceType")
    if name not in _ADDRESSES:
        return []
    issues = _birth_faults(resource, str(name), today) if name in _BORN else []
    for path in _ADDRESSES[str(name)]:
        for place, address in _at(resource, path, str(name)):
            issues += _address_faults(address, place)
    return issues


def _birth_faults(resource: Json, name: str, today: dt.date) -> list[Issue]:
    born = resource.get("birthDate")
    if not isinstance(born, str) or not _DATE.match(born):
        return []
    # Compared at the precision given, as texts: 2024 is not in the future in 2024
    path = f"{name}.birthDate"
    if born > today.isoformat()[: len(born)]:
        return [_rule("error", path, f"{born} is in the future (today is {today.isoformat()})")]
    oldest = f"{today.year - MAX_AGE - 1:04d}{today.isoformat()[4:]}"
    if born <= oldest[: len(born)] and (len(born) == 10 or born < oldest[: len(born)]):
        return [_rule("error", path, f"{born} is more than {MAX_AGE} years ago")]
    return []


def _address_faults(address: Json, path: str) -> list[Issue]:
    country, state, code = (address.get(key) for key in ("country", "state", "postalCode"))
    if not isinstance(country, str) or country.strip().upper() not in _US:
        return []
    issues = []
    if isinstance(state, str) and state not in _STATES:
        text = f"'{state[:40]}' is not the two-letter code of a US state or territory, such as MA"
        issues.append(_rule("warning", f"{path}.state", text))
    if isinstance(code, str) and not _ZIP.match(code):
        text = f"'{code[:40]}' is not a US ZIP code; expected 12345 or 12345-6789"
        issues.append(_rule("warning", f"{path}.postalCode", text))
    return issues


def _at(value: Any, path: tuple[str, ...], place: str) -> list[tuple[str, Json]]:
    if isinstance(value, list):
        return [found for i, each in enumerate(value) for found in _at(each, path, f"{place}[{i}]")]
    if not isinstance(value, dict):
        return []
    return _at(value.get(path[0]), path[1:], f"{place}.{path[0]}") if path else [(place, value)]


def _rule(severity: str, path: str, text: str) -> Issue:
    return Issue(severity, "business-rule", f"{path}: {text}", (path,))
