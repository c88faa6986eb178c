"""Errors as OperationOutcomes: `FHIRError` and its named makers.

An error is an OperationOutcome with its HTTP status inside. Whoever finds a fault calls the maker that
names it; `fhir_server.rest.errors` renders it in one place.

http://hl7.org/fhir/R4/operationoutcome.html, http://hl7.org/fhir/R4/http.html#Status-Codes
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Outcome = dict[str, Any]

_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


def _text(told: str) -> str:
    """A FHIR string, although it may quote what a client sent."""
    return _NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", told)


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue of an OperationOutcome: `severity` and `code` are R4 issue-severity and issue-type codes,
    `expression` the FHIRPath of the faulty element (`Patient.name[0].given[1]`) or empty.
    """

    severity: str
    code: str
    diagnostics: str
    expression: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        issue: dict[str, Any] = {
            "severity": self.severity,
            "code": self.code,
            "diagnostics": _text(self.diagnostics),
        }
        if self.expression:
            issue["expression"] = [_text(each) for each in self.expression]
        return issue

    def within(self, prefix: str) -> Issue:
        """The same issue seen from a surrounding resource: `Patient.name` → `Bundle.entry[2].resource.name`."""
        moved = tuple(prefix + e[len(e.split(".", 1)[0].split("[", 1)[0]) :] for e in self.expression)
        return replace(self, expression=moved or (prefix,))


@dataclass(slots=True, eq=False)
class FHIRError(Exception):
    """An OperationOutcome on its way to the caller; `status` is the HTTP status it is answered with."""

    status: int
    issues: Sequence[Issue]
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return "; ".join(issue.diagnostics for issue in self.issues)

    def outcome(self) -> Outcome:
        return outcome(self.issues)

    def within(self, prefix: str) -> FHIRError:
        """The same error with every expression moved below `prefix` (an entry of a Bundle)."""
        return FHIRError(self.status, [issue.within(prefix) for issue in self.issues], self.headers)


def outcome(issues: Iterable[Issue]) -> Outcome:
    return {"resourceType": "OperationOutcome", "issue": [issue.to_json() for issue in issues]}


def information(text: str) -> Outcome:
    return outcome([Issue("information", "informational", text)])


def error(status: int, code: str, text: str, *expression: str, **headers: str) -> FHIRError:
    """The maker behind the makers: one issue of severity error."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return FHIRError(status, [Issue("error", code, text, expression)], named)


def not_json(text: str) -> FHIRError:
    """The body is not JSON, or not JSON that FHIR allows (duplicate keys, NaN, lone surrogates)."""
    return error(400, "structure", text)


def invalid(issues: Sequence[Issue]) -> FHIRError:
    """A resource breaks its definition: 400 where its structure is wrong, 422 where only rules are broken.

    http://hl7.org/fhir/R4/http.html#create: 400 failed basic validation rules, 422 violated business rules.
    """
    rules = {"invariant", "business-rule"}
    broken = [issue for issue in issues if issue.severity in {"error", "fatal"}]
    return FHIRError(422 if all(issue.code in rules for issue in broken) else 400, issues)


def bad_request(text: str, *expression: str) -> FHIRError:
    return error(400, "invalid", text, *expression)


def bad_parameter(name: str, text: str) -> FHIRError:
    """A search or control parameter that cannot be understood; names the parameter."""
    return error(400, "invalid", f"Parameter '{name}': {text}")


def unknown_parameter(name: str, known: Iterable[str], where: str) -> FHIRError:
    text = f"Search parameter '{name}' is not known for {where}. Known: {', '.join(sorted(known))}"
    return error(400, "not-supported", text)


def unknown_type(resource_type: str) -> FHIRError:
    text = f"'{resource_type[:64]}' is not a FHIR R4 resource type. Names are case-sensitive, for example 'Patient'"
    return error(404, "not-supported", text)


def not_found(resource_type: str, logical_id: str) -> FHIRError:
    return error(404, "not-found", f"{resource_type}/{logical_id} is not known here")


def version_not_found(resource_type: str, logical_id: str, version_id: str) -> FHIRError:
    return error(404, "not-found", f"{resource_type}/{logical_id} has no version '{version_id}'")


def gone(resource_type: str, logical_id: str, version: int, when: str) -> FHIRError:
    text = f"{resource_type}/{logical_id} was deleted at {when}; earlier versions can be read with _history"
    return error(410, "deleted", text, ETag=f'W/"{version}"')


def unknown_path(path: str) -> FHIRError:
    return error(
        404, "not-found", f"Nothing answers at '{path[:200]}'. See metadata for what this server does"
    )


def method_not_allowed(method: str, where: str, allowed: Sequence[str]) -> FHIRError:
    text = f"{method} is not possible on {where}. Possible: {', '.join(allowed)}"
    return error(405, "not-supported", text, Allow=", ".join(allowed))


def not_acceptable(asked: str) -> FHIRError:
    text = (
        f"'{asked[:200]}' cannot be produced. This server answers application/fhir+json or application/json"
    )
    return error(406, "not-supported", text)


def unsupported_media_type(got: str, expected: str) -> FHIRError:
    return error(
        415, "not-supported", f"Content-Type '{got[:200]}' is not understood here. Expected: {expected}"
    )


def conflict(text: str, *, retry_after: int | None = None) -> FHIRError:
    """A write that lost against others, or that would break a reference. 409."""
    headers = {} if retry_after is None else {"Retry_After": str(retry_after)}
    return error(409, "conflict", text, **headers)


def precondition_failed(text: str) -> FHIRError:
    return error(412, "conflict", text)


def multiple_matches(criteria: str, most: int) -> FHIRError:
    text = f"The criteria '{criteria[:500]}' match too many resources; at most {most} may match here"
    return error(412, "multiple-matches", text)


def too_large(text: str) -> FHIRError:
    return error(413, "too-long", text)


def too_costly(text: str) -> FHIRError:
    return error(413, "too-costly", text)


def unprocessable(text: str, *expression: str, code: str = "business-rule") -> FHIRError:
    return error(422, code, text, *expression)


def unavailable(text: str, *, retry_after: int = 2) -> FHIRError:
    """The database or the audit trail cannot be reached: nothing was done, try again. 503."""
    return error(503, "transient", text, Retry_After=str(retry_after))


def not_supported(text: str) -> FHIRError:
    return error(400, "not-supported", text)


def unexpected(request_id: str) -> FHIRError:
    """A fault of this server: logged in full under the request id, told to nobody. 500."""
    text = f"The server failed to answer. Tell its operator the request id {request_id}"
    return FHIRError(500, [Issue("fatal", "exception", text)])
