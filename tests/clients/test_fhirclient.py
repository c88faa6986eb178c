"""SMART's fhirclient against the running server; it is synchronous, so each test works in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from fhirclient.client import FHIRClient
from fhirclient.models.bundle import Bundle
from fhirclient.models.fhirdate import FHIRDate
from fhirclient.models.humanname import HumanName
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient
from fhirclient.server import FHIRNotFoundException


def connected(base_url: str) -> Any:
    return FHIRClient(settings={"app_id": "tests", "api_base": base_url}).server


async def in_thread(work: Callable[[Any], None], base_url: str) -> None:
    await asyncio.to_thread(lambda: work(connected(base_url)))


async def test_create_read_update_delete(base_url: str) -> None:
    def work(server: Any) -> None:
        patient = Patient()
        patient.name = [HumanName({"family": "Chalmers", "given": ["Peter"]})]
        patient.birthDate = FHIRDate("1974-12-25")
        made = Patient(patient.create(server))
        assert made.birthDate.isostring == "1974-12-25"
        read = Patient.read(made.id, server)
        assert read.name[0].family == "Chalmers"
        read.active = True
        read.update(server)
        again = Patient.read(made.id, server)
        assert again.active is True
        assert again.meta.versionId == "2"
        again.delete()
        with pytest.raises(Exception, match="410"):
            Patient.read(made.id, server)

    await in_thread(work, base_url)


async def test_search_page_by_page(base_url: str) -> None:
    def work(server: Any) -> None:
        for n in range(7):
            observation = Observation({"status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
                                       "valueQuantity": {"value": n + 0.5, "unit": "g/dL"}})  # fmt: skip
            observation.create(server)
        search = Observation.where({"code": "http://loinc.org|718-7", "_count": "3"})
        found = list(search.perform_resources_iter(server))
        assert sorted(each.valueQuantity.value for each in found) == [n + 0.5 for n in range(7)]
        pages = list(search.perform_iter(server))
        assert all(isinstance(page, Bundle) for page in pages)
        assert [len(page.entry) for page in pages] == [3, 3, 1]

    await in_thread(work, base_url)


async def test_what_is_not_there(base_url: str) -> None:
    def work(server: Any) -> None:
        with pytest.raises(FHIRNotFoundException):
            Patient.read("never", server)

    await in_thread(work, base_url)


async def test_the_capability_statement_is_understood(base_url: str) -> None:
    def work(server: Any) -> None:
        server.get_capability()
        assert server.capabilityStatement.fhirVersion == "4.0.1"

    await in_thread(work, base_url)
