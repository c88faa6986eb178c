"""What is known about each message of other people, ADT aside, holds for what becomes of it. docs/hl7v2.md, "Decisions"."""

from __future__ import annotations

import pytest

from importers.hl7v2.conversion import ConversionError
from importers.hl7v2.er7 import NotHL7
from tests.importers.hl7v2 import corpus
from tests.importers.hl7v2.facts import assert_known_facts_hold, assert_valid, bundle, conversions

REFUSED = {
    "v065_qbp_q22_25.hl7",
    "v066_rsp_k22_25.hl7",
    "v067_ack_v04_251_err.hl7",
    "v068_zzz_zzz_22_unknown.hl7",
    "v075_fuzz_ack.hl7",
    "v076_fuzz_hang.hl7",
}
"""Queries, answers, unknown types and garbage: answered AR, or not at all"""
DECIDED_OTHERWISE = {
    "v045_orm_o01_23_visit_ins.hl7": {"peer.count.Organization", "peer.count.RelatedPerson"},
    "v050_omp_o09_251_pharmacy.hl7": {"peer.count.RelatedPerson"},
    "v062_dft_p03_26.hl7": {"peer.count.ServiceRequest"},
}
"""An insured person who is the patient, an organization without number, an order without number or service: no resources"""


def _names() -> list[str]:
    if not corpus.FOLDER.is_dir():
        return []
    return sorted(
        path.name
        for path in corpus.FOLDER.glob("*.hl7")
        if "adt" not in path.name and "visit" not in path.name
    )


@pytest.fixture(params=_names() or [""])
def name(request: pytest.FixtureRequest) -> str:
    if not request.param:
        pytest.skip(f"There are no messages in {corpus.FOLDER}; FHIR_CORPUS names their folder")
    return str(request.param)


def test_becomes_valid_resources_of_which_what_is_known_holds(name: str) -> None:
    if name in REFUSED:
        with pytest.raises((ConversionError, NotHL7)):
            list(conversions(name))
        return
    found = list(conversions(name))
    for conversion in found:
        assert_valid(bundle(conversion))
    if len(found) == 1:
        assert_known_facts_hold(name, bundle(found[0]), DECIDED_OTHERWISE.get(name, ()))
