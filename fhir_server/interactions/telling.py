"""What was done, in words, for who prefers an OperationOutcome to the resource.

http://hl7.org/fhir/R4/http.html#return
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from resources.outcome import Issue, outcome

if TYPE_CHECKING:
    from fhir_server.context import FhirRequest, Result
    from resources.codec import Json

CHANGES = frozenset({"create", "update", "patch"})


def told(request: FhirRequest, result: Result) -> Json:
    """What a create, update or patch did, with the warnings about the resource."""
    done = Issue("information", "informational", f"{result.location} was {_done(result)}")
    return outcome([done, *request.warnings])


def _done(result: Result) -> str:
    if not result.changed:
        return "there already; nothing was changed"
    return "created" if result.created else "updated"
