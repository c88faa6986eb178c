"""The capabilities interaction. http://hl7.org/fhir/R4/http.html#capabilities"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from capability.statement import capability_statement
from fhir_server.context import Context, FhirRequest, Result
from resources.outcome import bad_parameter

if TYPE_CHECKING:
    from fhir_server.store.unit import Unit

RELEASED = "2026-11-20"
"""When what the statement says last changed"""


async def capabilities(ctx: Context, request: FhirRequest, unit: Unit) -> Result:
    """What this server does, as CapabilityStatement; `mode=full` is all there is of the modes."""
    mode = dict(request.query).get("mode", "full")
    if mode not in {"full", "normative"}:
        raise bad_parameter("mode", f"'{mode[:40]}' is not answered here; full was expected")
    settings = ctx.settings
    statement = capability_statement(
        base_url=ctx.base_url,
        table=ctx.site.table,
        software_version=version("fhir-server"),
        date=RELEASED,
        conditional_delete="multiple" if settings.conditional_delete_multiple else "single",
        update_create=settings.update_create,
        referential_integrity=settings.referential_integrity,
    )
    return Result(200, statement, changed=False)
