"""Names, addresses and numbers to call: XPN, XAD, XTN, and PN, AD and TN of older versions.

http://hl7.org/fhir/uv/v2mappings, maps XPN[HumanName], XAD[Address], XTN[ContactPoint].
"""

from __future__ import annotations

from importers.hl7v2.conversion import Conversion
from importers.hl7v2.elements import EXTENSION, coded, period
from importers.hl7v2.er7 import Segment, Value
from importers.hl7v2.issue import DATA_TYPE_ERROR
from importers.hl7v2.override import overridable
from resources.codec import Json

_FAMILY_PARTS = {"own-prefix": 2, "own-name": 3, "partner-prefix": 4, "partner-name": 5}
"""Subcomponents of FN: http://hl7.org/fhir/R4/extension-humanname-own-name.html and its kin"""
_DIGITS = 5
"""So many are a telephone number, and fewer an extension"""
_PLACES = (("city", 3), ("district", 9), ("state", 4), ("postalCode", 5), ("country", 6))
_NUMBER_PARTS = {"country": 5, "area": 6, "local": 7, "extension": 8}
"""Components of XTN: http://hl7.org/fhir/R4/extension-contactpoint-area.html and its kin"""


def human_names(conversion: Conversion, segment: Segment, field: int) -> list[Json]:
    """All names of a field, and as nicknames those a person is called by (XPN.15)."""
    found = []
    for value in segment.values(field):
        if (name := human_name(conversion, value)) is not None:
            found.append(name)
        if called := value.text(15):
            found.append({"use": "nickname", "given": [called]})
    return found


@overridable("XPN")
def human_name(conversion: Conversion, value: Value) -> Json | None:
    """A HumanName of an XPN, or of PN in older versions."""
    texts = value.texts(14)
    name = _name(value, texts, given=2, suffixes=(4, 6, 14))
    return None if name is None else name | _about(conversion, value, texts, use=7, within=10, since=(12, 13))


def practitioner_name(conversion: Conversion, value: Value) -> Json | None:
    """The HumanName inside of an XCN or CN, whose first component is a number."""
    texts = value.texts(21)
    name = _name(value, texts, given=3, suffixes=(5, 7, 21))
    return (
        None if name is None else name | _about(conversion, value, texts, use=10, within=17, since=(19, 20))
    )


def _name(value: Value, texts: list[str], *, given: int, suffixes: tuple[int, ...]) -> Json | None:
    """The parts; `given` is the component of the first given name, behind the family name."""
    name: Json = {}
    if family := texts[given - 1]:
        name["family"] = family
        parts = [
            {"url": f"{EXTENSION}humanname-{part}", "valueString": text}
            for part, number in _FAMILY_PARTS.items()
            if (text := value.text(given - 1, number))
        ]
        if parts:
            name["_family"] = {"extension": parts}
    if names := [each for each in texts[given : given + 2] if each]:
        name["given"] = names
    if prefix := texts[given + 3]:
        name["prefix"] = [prefix]
    if said := [texts[suffix] for suffix in suffixes if texts[suffix]]:
        name["suffix"] = said
    return name or None


def _about(
    conversion: Conversion, value: Value, texts: list[str], *, use: int, within: int, since: tuple[int, int]
) -> Json:
    """What the name is used for, and when."""
    about = coded(conversion, "use", "0200", texts[use])
    if (known := _validity(conversion, value, within, since)) is not None:
        about["period"] = known
    return about


def _validity(conversion: Conversion, value: Value, within: int, since: tuple[int, int]) -> Json | None:
    """The Period of the two components for its ends, or of the one of older versions, a DR."""
    if value.size < within:
        return None
    if value.text(since[0]) or value.text(since[1]):
        return period(conversion, value.component(since[0]), value.component(since[1]))
    if not value.text(within) and not value.text(within, 2):
        return None
    both = value.component(within)
    return period(conversion, both.component(1), both.component(2))


@overridable("XAD")
def address(conversion: Conversion, value: Value) -> Json | None:
    """An Address of an XAD, or of AD in older versions."""
    texts = value.texts(19)
    lines = (texts[1], value.text(1, 2), value.text(1, 3), texts[2], texts[19])
    found: Json = {}
    if line := [each for each in lines if each]:
        found["line"] = line
    for name, component in _PLACES:
        if text := texts[component]:
            found[name] = text
    if tract := texts[10]:
        found["extension"] = [{"url": f"{EXTENSION}iso21090-ADXP-censusTract", "valueString": tract}]
    if not found:
        return None
    kind = texts[7]
    if kind and (known := conversion.code("0190/type", kind)) is not None:
        found["type"] = known["code"]
    else:
        found |= coded(conversion, "use", "0190", kind)
    if (told := _validity(conversion, value, 12, (13, 14))) is not None:
        found["period"] = told
    return found


@overridable("XTN")
def contact_point(conversion: Conversion, value: Value, use: str = "") -> Json | None:
    """A ContactPoint of an XTN, or of TN in older versions, its number exactly as sent.

    `use` holds where XTN.2 says nothing: home of PID-13, work of PID-14.
    """
    texts = value.texts(18)
    equipment, said_use, mail = texts[3], texts[2], texts[4]
    number = texts[12] or texts[1] or _composed(texts) or _misplaced(texts)
    system = conversion.code("0202", equipment)
    kind = "" if system is None else system["code"]
    if kind == "mobile":
        kind, said_use, use = "phone", "", "mobile"
    if kind == "email" or (not equipment and said_use == "NET"):
        kind, number, mail = "email", mail or number, ""
    elif mail and not number:  # some put a telephone number where mail belongs
        kind, number, mail = "email" if "@" in mail else kind, mail, ""
    if not number:
        return None
    found: Json = {"system": kind or ("email" if "@" in number else "phone"), "value": number}
    found |= _use(conversion, said_use, use)
    if parts := _parts(texts):
        found["extension"] = parts
    if texts[18].isdecimal() and int(texts[18][:9]) > 0:
        found["rank"] = int(texts[18][:9])
    if texts[13] or texts[14]:
        found["period"] = period(conversion, value.component(13), value.component(14))
    return {name: content for name, content in found.items() if content is not None}


def contact_points(conversion: Conversion, value: Value, use: str = "") -> list[Json]:
    """The ContactPoint of an XTN, and that of the mail which some put beside a telephone number, in XTN.4."""
    found = contact_point(conversion, value, use)
    mail = value.text(4)
    if found is None or not mail or found["value"] == mail:
        return [found] if found is not None else []
    if "@" in mail:
        return [found, {"system": "email", "value": mail}]
    told = "XTN.4 stands beside a number and is no mail address. It was not mapped"
    conversion.issue(value.place, told, DATA_TYPE_ERROR)
    return [found]


def _misplaced(texts: list[str]) -> str:
    """A whole number in XTN.10 or XTN.11, from those who count wrongly to XTN.12."""
    return next((text for text in texts[10:12] if sum(each.isdigit() for each in text) >= _DIGITS), "")


def _use(conversion: Conversion, said: str, otherwise: str) -> Json:
    if said and said != "NET":
        return coded(conversion, "use", "0201", said)
    return {"use": otherwise} if otherwise else {}


def _parts(texts: list[str]) -> list[Json]:
    return [
        {"url": f"{EXTENSION}contactpoint-{name}", "valueString": texts[component]}
        for name, component in _NUMBER_PARTS.items()
        if texts[component]
    ]


def _composed(texts: list[str]) -> str:
    """A number of the parts that newer versions have: country, area, local number, extension."""
    country, area, local, extension = (texts[component] for component in _NUMBER_PARTS.values())
    if not local:
        return ""
    parts = (f"+{country.lstrip('+')}" if country else "", area, local, f"X{extension}" if extension else "")
    return " ".join(part for part in parts if part)
