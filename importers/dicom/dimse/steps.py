"""MPPS: performed procedure steps that are begun and ended, as transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from importers.dicom import mpps
from importers.dicom.fold import sender_of
from importers.dicom.header import Refused
from importers.dicom.sources import SourceConfig
from importers.dicom.study import StudyConversion
from importers.hl7v2.reconcile import UnclearError, reconciled
from importers.submit import Find, Submit
from resources.codec import Json
from resources.outcome import FHIRError

DUPLICATE, NO_SUCH = 0x0111, 0x0112
CONFLICTS = 8
_IN_BETWEEN = {409, 412}


@dataclass(frozen=True, slots=True)
class Steps:
    """What steps are stored with."""

    find: Find
    submit: Submit

    async def create(self, uid: str, values: Json, config: SourceConfig) -> None:
        """Refused with 0111 where the step is known already."""
        if await self._stored(uid) is not None:
            raise Refused(DUPLICATE, "A performed procedure step with this UID is known already")
        await self._written(lambda _: mpps.created(uid, values, config), uid, config)

    async def change(self, uid: str, values: Json, config: SourceConfig) -> None:
        """Refused with 0112 where the step is not known."""

        def made(stored: Json | None) -> StudyConversion:
            if stored is None:
                raise Refused(NO_SUCH, "No performed procedure step with this UID is known")
            return mpps.changed(uid, values, config, stored)

        await self._written(made, uid, config)

    async def _stored(self, uid: str) -> Json | None:
        [found] = await self.find([("Procedure", mpps.query(uid))])
        return found[0] if found else None

    async def _written(
        self, made: Callable[[Json | None], StudyConversion], uid: str, config: SourceConfig
    ) -> None:
        last: FHIRError | None = None
        for attempt in range(CONFLICTS):
            told = made(await self._stored(uid))
            try:
                bundle = (await reconciled(told, self.find, attempt)).bundle
                if bundle.get("entry"):
                    await self.submit(bundle, sender_of(config))
            except UnclearError as unclear:
                raise Refused(mpps.PROCESSING_FAILURE, unclear.issue.text) from None
            except FHIRError as fault:
                if fault.status not in _IN_BETWEEN:
                    raise
                last = fault
                await asyncio.sleep(0.01 * 2**attempt)
            else:
                return
        assert last is not None
        raise last
