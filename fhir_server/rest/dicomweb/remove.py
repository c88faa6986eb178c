"""Deletion of a study, series or instance: its rows are taken out of their study, which is folded anew.

What DICOM has no service for; others offer it as DELETE on the URL of what is to go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_server.context import Result
from fhir_server.rest.exchange import HttpResponse
from fhir_server.settings import is_loopback
from resources.outcome import error

if TYPE_CHECKING:
    from fhir_server.context import Context, FhirRequest
    from fhir_server.rest.dicomweb.paths import Target


async def remove(ctx: Context, request: FhirRequest, target: Target) -> HttpResponse:
    """204 once it is gone; FHIRError 404 where there was nothing, 403 where nobody could be an administrator."""
    if not is_loopback(ctx.settings.host):
        # Without access control there are no administrators: whoever is on this machine is one.
        raise error(
            403, "forbidden", "Only administrators delete; from another machine nobody can be known to be one"
        )
    assert ctx.dicom is not None
    assert target.study is not None
    count = await ctx.dicom.store.withdraw(target.study, target.series, target.instance)
    if not count:
        raise error(404, "not-found", "No instance of that study, series or UID is known here")
    async with ctx.store.unit() as unit:
        ctx.audit.success(unit, request, Result(204, studies=((target.study, count),)))
        await unit.commit()
    return HttpResponse(204)
