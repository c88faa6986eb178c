"""Is this a valid R4 resource? Every fault as an issue with its place and what was expected.

The fast types of `resources.structure` decide nearly all valid resources; where they refuse, `resources.faults`
walks the definitions and names every fault. Then come the rules that span elements: containment, the constraints
of R4 (those in `invariants.NATIVE` are enforced by the modules above), and rules of patient administration.

http://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from resources import business_rules, containment, invariants, outcome, registry, structure
from resources.faults import faults
from resources.outcome import Issue

Json = dict[str, Any]


MAX_ISSUES = 1000
"""Issues named for a body; errors come before warnings where there are more."""

_EARLIEST_ZONE = dt.timezone(dt.timedelta(hours=14))


def validate(resource: Json, *, today: dt.date | None = None, entries: bool = True) -> list[Issue]:
    """The issues of a resource and of all resources inside it, each with a FHIRPath; empty if there are none.

    `today` is what birth dates are compared with; by default the latest date on earth, at UTC+14, since a child may
    be registered there before the day begins here. `entries=False` leaves the contents of
    Bundle.entry.resource alone: the entries of a batch are judged one by one.
    """
    issues = _judge(resource, today or dt.datetime.now(_EARLIEST_ZONE).date(), entries=entries)
    return issues if len(issues) <= MAX_ISSUES else _worst(issues)


def check(resource: Json, *, today: dt.date | None = None, entries: bool = True) -> list[Issue]:
    """The warnings of a valid resource; raises `outcome.invalid` (400 or 422) with all issues if one is an error."""
    issues = validate(resource, today=today, entries=entries)
    if any(issue.severity in {"error", "fatal"} for issue in issues):
        raise outcome.invalid(issues)
    return issues


def _worst(issues: list[Issue]) -> list[Issue]:
    ordered = sorted(issues, key=lambda issue: issue.severity not in {"error", "fatal"})
    text = f"Only {MAX_ISSUES} of {len(issues)} issues are listed"
    return [*ordered[:MAX_ISSUES], Issue("information", "incomplete", text)]


def _judge(resource: Json, today: dt.date, *, entries: bool, contained: bool = False) -> list[Issue]:
    examined = structure.examine(resource)
    issues = [] if examined.fits else faults(resource)
    name = resource.get("resourceType")
    if not isinstance(name, str) or not registry.is_resource(name):
        return issues
    if not contained and (examined.fragments or "contained" in resource):
        issues += containment.faults(resource)
        if examined.fragments and "contained" in resource:
            issues += containment.wrong_types(resource, extensions=examined.extensions)
    issues += invariants.violations(resource, extensions=examined.extensions)
    issues += business_rules.faults(resource, today)
    for i, inner in _objects(resource.get("contained")):
        found = _judge(inner, today, entries=entries, contained=True)
        issues += [issue.within(f"{name}.contained[{i}]") for issue in found]
    for path, inner in _inside(resource, entries=entries):
        issues += [issue.within(path) for issue in _judge(inner, today, entries=True)]
    return issues


def _inside(resource: Json, *, entries: bool) -> Iterator[tuple[str, Json]]:
    """The resources inside that stand for themselves, with their paths; malformed parts are passed over."""
    name = resource.get("resourceType")
    if name == "Bundle":
        for i, entry in _objects(resource.get("entry")):
            if entries and isinstance(entry.get("resource"), dict):
                yield f"Bundle.entry[{i}].resource", entry["resource"]
            response = entry.get("response")
            if isinstance(response, dict) and isinstance(response.get("outcome"), dict):
                yield f"Bundle.entry[{i}].response.outcome", response["outcome"]
    if name == "Parameters":
        yield from _parameters(resource.get("parameter"), "Parameters.parameter")


def _parameters(parameters: Any, path: str) -> Iterator[tuple[str, Json]]:
    for i, each in _objects(parameters):
        if isinstance(each.get("resource"), dict):
            yield f"{path}[{i}].resource", each["resource"]
        yield from _parameters(each.get("part"), f"{path}[{i}].part")


def _objects(items: Any) -> Iterator[tuple[int, Json]]:
    if isinstance(items, list):
        yield from ((i, each) for i, each in enumerate(items) if isinstance(each, dict))
