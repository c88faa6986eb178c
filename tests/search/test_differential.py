"""Searches answered twice: by MongoDB from the index, and by reading every resource with another FHIRPath engine.

What is asked for is taken from the resources themselves. The second answer shares nothing with the code that is
tested: it guesses types by their shape and compares as R4's paragraphs say.

http://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

import calendar
import os
import random
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import ucumvert
from fhirpathpy import compile as compile_fhirpath
from fhirpathpy.models import models
from ucumvert.parser import InvalidUcumError

from capability.table import TABLE
from resources import codec
from resources.search_parameters import SearchParameter, all_parameters
from tests.search.conftest import BASE, Resource, Shelf

CORPUS = Path(os.environ.get("FHIR_CORPUS", Path(__file__).parents[2] / "../shared/corpus"))
MOST_OF_A_TYPE = 25
WITHOUT_CASE = {"altid", "base-path", "contact", "email", "fhirversion", "lot-number", "monitoring-program-name",
                "path", "phone", "site", "source-cost", "telecom", "version"}  # fmt: skip
"""Token parameters that are about texts and addresses (`location` and others of these names are of other types)"""


def plain(value: Any) -> Any:
    """The other engine knows floats only."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return float(value) if isinstance(value, Decimal) else value


def read_corpus() -> dict[str, list[Resource]]:
    found: dict[str, dict[str, Resource]] = defaultdict(dict)
    files = (
        sorted((CORPUS / "fhir/examples").rglob("*.json"))
        + sorted((CORPUS / "fhir/synthea").glob("*.json"))[:2]
    )
    for file in files:
        whole = codec.decode(file.read_bytes())
        entries = [entry["resource"] for entry in whole.get("entry", ()) if "resource" in entry]
        for resource in [whole, *entries]:
            if resource.get("resourceType") in TABLE.types and "id" in resource:
                found[resource["resourceType"]].setdefault(resource["id"], resource)
    return {name: list(each.values())[:MOST_OF_A_TYPE] for name, each in found.items()}


@cache
def compiled(expression: str) -> Any:
    return compile_fhirpath(expression, models["r4"])


def branches(parameter: SearchParameter, resource_type: str) -> Iterator[str]:
    for part in str(parameter.expression).split(" | "):
        if re.match(rf"\(?({resource_type}|Resource|DomainResource)(\.|$)|[a-z]", part):
            typed = re.sub(r"^\((\S+) as (\w+)\)", r"\1.ofType(\2)", part).replace(".as(", ".ofType(")
            yield typed
            if typed.endswith(".ofType(uri)"):  # a canonical is a uri, which the other engine does not know
                yield typed.replace("(uri)", "(canonical)")


def elements(parameter: SearchParameter, resource: Resource) -> list[Any]:
    found: list[Any] = []
    for part in branches(parameter, resource["resourceType"]):
        expression = (
            part.replace("Resource.", f"{resource['resourceType']}.")
            if part.startswith("Resource.")
            else part
        )
        expression, about, wanted = expression.partition(".where(resolve() is ")
        values = compiled(expression)(plain(resource))
        if about:
            contained = {
                f"#{each['id']}": each["resourceType"]
                for each in resource.get("contained", ())
                if "id" in each
            }
            texts_of = [(each, each.get("reference", "")) for each in values]
            values = [
                each for each, text in texts_of if wanted[:-1] in {contained.get(text), *text.split("/")[:-1]}
            ]
        found += values
    return found


def pairs(value: Any) -> list[tuple[str | None, str | None]]:
    if isinstance(value, bool):
        return [(None, str(value).lower())]
    if not isinstance(value, dict):
        return [(None if ":" in str(value) else "implicit", str(value))]
    if "coding" in value:
        return [pair for coding in value["coding"] for pair in pairs(coding)]
    if "code" in value:
        return [(value.get("system"), value["code"])]
    if value.get("system") in {"phone", "fax", "email", "pager", "url", "sms", "other"} and "value" in value:
        return [(None, value["value"])]
    return [(value.get("system"), value.get("value"))]


def simple(text: str) -> str:
    signs = unicodedata.normalize("NFD", text)
    return " ".join("".join(sign for sign in signs if not unicodedata.combining(sign)).casefold().split())


def texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inside = [
        value.get(name, [])
        for name in (
            "family",
            "given",
            "prefix",
            "suffix",
            "text",
            "line",
            "city",
            "district",
            "state",
            "postalCode",
            "country",
        )
    ]
    return [text for each in inside for text in ([each] if isinstance(each, str) else each)]


def moment(text: str) -> tuple[datetime, datetime]:
    if len(text) > 10:
        start = datetime.fromisoformat(text)
        start = start if start.tzinfo else start.replace(tzinfo=UTC)
        return start, start + timedelta(milliseconds=1 if "." in text else 1000)
    year, month, day = (*map(int, text.split("-")), 1, 1)[:3]
    start = datetime(year, month, day, tzinfo=UTC)
    days = {10: 1, 7: calendar.monthrange(year, month)[1], 4: 365 + calendar.isleap(year)}
    return start, start + timedelta(days=days[len(text)])


def span(value: Any) -> tuple[datetime, datetime] | None:
    if isinstance(value, str):
        return moment(value)
    if "event" in value:
        events = [moment(each) for each in value["event"]]
        return min(each[0] for each in events), max(each[1] for each in events)
    value = value.get("repeat", {}).get("boundsPeriod", {}) if "repeat" in value else value
    if not {"start", "end"} & set(value):
        return None
    start = moment(value["start"])[0] if "start" in value else datetime(1, 1, 1, tzinfo=UTC)
    return start, moment(value["end"])[1] if "end" in value else datetime(9999, 12, 31, tzinfo=UTC)


def decimal(value: Any) -> Decimal:
    return Decimal(str(value))


def ends(value: Any) -> tuple[Decimal, Decimal, Any] | None:
    """The smallest and the largest number in a value, and what has its unit."""
    if not isinstance(value, dict):
        return decimal(value), decimal(value), {}
    if "low" in value or "high" in value:
        low, high = value.get("low", {}), value.get("high", {})
        assert not low or not high or low.get("code") == high.get("code")
        low_end = decimal(low["value"]) if low else Decimal("-Infinity")
        return low_end, decimal(high["value"]) if high else Decimal("Infinity"), low or high
    if "origin" in value:
        points = [
            decimal(value["origin"]["value"]) + decimal(each) * decimal(value.get("factor", 1))
            for each in value.get("data", "").split()
            if each not in "EUL"
        ]
        return (min(points), max(points), value["origin"]) if points else None
    if "value" not in value:
        return None
    number = decimal(value["value"])
    if "<" in value.get("comparator", ""):
        return Decimal("-Infinity"), number - (Decimal("1e-9") if value["comparator"] == "<" else 0), value
    if ">" in value.get("comparator", ""):
        return number + (Decimal("1e-9") if value["comparator"] == ">" else 0), Decimal("Infinity"), value
    return number, number, value


UNITS = ucumvert.PintUcumRegistry()
UCUM = "http://unitsofmeasure.org"


@cache
def ratio(code: str, other: str) -> Decimal | None:
    """How many of the other unit one is, by a library's own floats; None if they measure different things."""
    if code == other:
        return Decimal(1)
    if "[" in code + other or "Cel" in {code, other} or code.startswith("{") or other.startswith("{"):
        return None
    try:
        one, many = UNITS.from_ucum(code), UNITS.from_ucum(other)
    except InvalidUcumError:  # Synthea writes mmHg for mm[Hg]: that measures only itself
        return None
    return decimal(round(one.to(many).magnitude, 12)) if one.is_compatible_with(many) else None


def measures(asked: str, value: Any) -> bool:
    """Whether a value is what a number, or number|system|code, asks for."""
    number, system, code = [*asked[2:].split("|"), "", ""][:3]
    found = ends(value)
    if found is None:
        return False
    low, high, unit = found
    if unit.get("currency"):
        unit = {"system": "urn:iso:std:iso:4217", "code": unit["currency"]}
    if code and not system and code not in {unit.get("unit"), unit.get("code")}:
        return False
    if system and system != unit.get("system"):
        return False
    if system == UCUM:
        factor = ratio(unit["code"], code)
        if factor is None:
            return False
        low, high = low * factor, high * factor
    elif system and unit.get("code") != code:
        return False
    x, half = Decimal(number), Decimal(5).scaleb(Decimal(number).as_tuple().exponent - 1)  # type: ignore[operator]
    inside = x - half <= low and high < x + half
    return {
        "eq": inside,
        "ne": not inside,
        "gt": high > x,
        "lt": low < x,
        "ge": high >= x,
        "le": low <= x,
        "sa": low > x,
        "eb": high < x,
    }[asked[:2]]


def references(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value, value.split("|")[0]]
    if "resourceType" in value:
        return [f"{value['resourceType']}/{value.get('id')}"]
    text = value.get("reference", "#").replace(f"{BASE}/", "")
    return [] if text.startswith("#") else [text, text.split("/_history")[0]]


def components(parameter: SearchParameter, element: Any, resource: Resource) -> list[list[Any]]:
    """The values of each component of a composite in one repetition, by the few forms R4's expressions have."""
    found = []
    for component in parameter.component:
        values = []
        for part in component.expression.split(" | "):
            if part.startswith("%resource."):
                _, first, second = part.split(".")
                inside = resource.get(first, {})
                values.append(inside.get(second))
            elif part == "value":
                values += [element.get("valueCodeableConcept"), element.get("valueBoolean")]  # Group-value
            elif match := re.fullmatch(r"value\.as\((\w)(\w+)\)", part):
                values.append(element.get(f"value{match[1].upper()}{match[2]}"))
            else:
                values.append(element.get(part))
        found.append([plain(each) for each in values if each is not None])
    return found


DEFINITIONS = {each.url: each for each in all_parameters()}


def defining(parameter: SearchParameter) -> list[SearchParameter]:
    found = [DEFINITIONS[each.definition] for each in parameter.component]
    return found[::-1] if parameter.code == "relationship" else found  # R4 names them the wrong way round


def has_values(parameter: SearchParameter, values: list[list[Any]]) -> bool:
    """Whether all components of a repetition have something that could be asked for."""
    kinds = [each.type for each in defining(parameter)]

    def searchable(kind: str, each: Any) -> bool:
        if kind == "token":
            return any(set(pair) != {None} for pair in pairs(each))
        return kind != "quantity" or ends(each) is not None

    return all(any(searchable(kind, each) for each in some) for kind, some in zip(kinds, values, strict=True))


def holds(parameter: SearchParameter, modifier: str, asked: str, value: Any) -> bool:
    if parameter.type == "token":
        without_case = parameter.code in WITHOUT_CASE
        system, bar, code = (asked.lower() if without_case else asked).rpartition("|")
        own_pairs = [(s, c and c.lower()) if without_case else (s, c) for s, c in pairs(value)]
        return any(
            (not code or code == own)
            and (
                not bar
                or (
                    ("" if theirs is None else theirs) in {system, "implicit"}
                    and bool(system or theirs is None)
                )
            )
            for theirs, own in own_pairs
        )
    if parameter.type == "string":
        if modifier == "exact":
            return asked in texts(value)
        if modifier == "contains":
            return any(simple(asked) in simple(text) for text in texts(value))
        return any(simple(text).startswith(simple(asked)) for text in texts(value))
    if parameter.type == "date":
        (a, b), found = moment(asked[2:]), span(value)
        if found is None:
            return False
        s, e = found
        inside = a <= s and e <= b
        return {
            "eq": inside,
            "ne": not inside,
            "gt": e > b,
            "lt": s < a,
            "ge": e > b or inside,
            "le": s < a or inside,
            "sa": s >= b,
            "eb": e <= a,
        }[asked[:2]]
    if parameter.type in {"number", "quantity"}:
        return measures(asked, value)
    if parameter.type == "composite":
        element, resource = value
        parts = zip(
            defining(parameter), asked.split("$"), components(parameter, element, resource), strict=True
        )
        return all(any(holds(each, "", text, one) for one in values) for each, text, values in parts)
    return asked in references(value)


def brute_force(
    parameter: SearchParameter, modifier: str, asked: str, resources: list[Resource]
) -> list[str]:
    found = []
    for resource in resources:
        values = elements(parameter, resource)
        if parameter.type == "composite":
            values = [
                (each, resource)
                for each in values
                if has_values(parameter, components(parameter, each, resource))
            ]
        if modifier == "missing":
            matches = (not values) is (asked == "true")
        elif modifier == "not":
            matches = not any(holds(parameter, "", asked, value) for value in values)
        else:
            matches = any(holds(parameter, modifier, asked, value) for value in values)
        if matches:
            found.append(resource["id"])
    return sorted(found)


def questions(
    parameter: SearchParameter, values: list[Any], chance: random.Random
) -> Iterator[tuple[str, str]]:
    """(modifier, value) pairs about what is there."""
    yield "missing", chance.choice(["true", "false"])
    for value in chance.sample(values, min(3, len(values))):
        if parameter.type == "token":
            for system, code in pairs(value):
                if code and "," not in code:
                    yield chance.choice(["", "not"]), code
                    if system and system != "implicit":
                        yield chance.choice(["", "not"]), f"{system}|{code}"
                        yield "", f"{system}|"
                    elif system is None and not isinstance(value, bool):
                        yield "", f"|{code}"
        elif parameter.type == "string":
            for text in texts(value):
                if simple(text) and not set(text) & set("\\,$|"):
                    yield "", text[: chance.randint(1, 12)].strip() or text
                    yield "exact", text
                    yield "contains", text.strip()[chance.randint(0, len(text.strip()) - 1) :].strip() or text
        elif parameter.type == "date":
            found = span(value)
            text = value if isinstance(value, str) else value.get("start", "2012-03") if found else "2012-03"
            for prefix in ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb"):
                yield "", prefix + text[: chance.choice([4, 7, 10, 99])]
        elif parameter.type in {"number", "quantity"}:
            found_ends = ends(value)
            if found_ends is None:
                continue
            number = next(each for each in found_ends[:2] if each.is_finite())
            unit = found_ends[2]
            for prefix in ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb"):
                asked = f"{prefix}{round(number, chance.choice([0, 1, 9])):f}"
                forms = ["", f"|{unit.get('system', '')}|{unit.get('code')}", f"||{unit.get('unit')}"]
                form = chance.choice(forms) if parameter.type == "quantity" else ""
                yield "", asked + (form if "None" not in form else "")
        elif parameter.type == "composite":
            options = [
                [text for modifier, text in questions(each, some, chance) if not modifier]
                for each, some in zip(defining(parameter), components(parameter, *value), strict=True)
            ]
            if all(options):
                for _ in range(6):
                    yield "", "$".join(chance.choice(some) for some in options)
        else:
            for text in references(value):
                if "|" not in text and "/" in text:
                    yield "", text


def differences(
    shelf: Shelf, resources: list[Resource]
) -> Iterator[tuple[str, str, str, list[str], list[str]] | None]:
    """For each question None, or the query with both answers if they differ."""
    chance = random.Random(shelf.resource_type)
    for parameter in TABLE.search_parameters(shelf.resource_type):
        if parameter.code in {"_id", "_lastUpdated", "_content", "_text", "near"} or "xtension(" in str(
            parameter.expression
        ):
            continue
        values = [value for resource in resources for value in elements(parameter, resource)]
        if parameter.type == "composite":
            values = [(each, resource) for resource in resources for each in elements(parameter, resource)]
        for modifier, value in questions(parameter, values, chance):
            name = f"{parameter.code}:{modifier}" if modifier else parameter.code
            expected = brute_force(parameter, modifier, value, resources)
            found = shelf.find((name, value))
            yield None if found == expected else (shelf.resource_type, name, value, found, expected)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real resources is not there (FHIR_CORPUS)")
def test_both_answers_are_the_same(shelves: Mapping[str, Shelf]) -> None:
    answers = []
    for resource_type, resources in read_corpus().items():
        shelves[resource_type].put(*resources)
        answers += list(differences(shelves[resource_type], resources))
    assert [answer for answer in answers if answer is not None] == []
    assert len(answers) > 3000
