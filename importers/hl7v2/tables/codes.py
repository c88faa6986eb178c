"""What codes of HL7 tables are in FHIR, and the URIs of coding systems by their v2 names.

http://hl7.org/fhir/uv/v2mappings; HL7 table 0396 (coding systems).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources

Coding = dict[str, str]


@cache
def _tables() -> Mapping[str, Mapping[str, Coding]]:
    found: Mapping[str, Mapping[str, Coding]] = json.loads(
        resources.files(__package__).joinpath("codes.json").read_text(encoding="utf-8")
    )
    return found


def lookup(table: str, code: str) -> Coding | None:
    """The Coding that the implementation guide gives for a code of an HL7 table (`0001`, `0004/status`), or None.

    A table with several maps has the element behind a slash: 0003/status, 0004/status, 0127/category,
    0128/severity, 0190/type. Case is forgiven, and of some tables the text of a code is understood. The Coding is
    shared: copy it before changing it.
    """
    codes = _tables().get(table)
    if codes is None:
        return None
    return codes.get(code) or codes.get(code.upper()) or codes.get(code.lower())


SYSTEMS: Mapping[str, str] = {
    "LN": "http://loinc.org",
    "LOINC": "http://loinc.org",
    "SCT": "http://snomed.info/sct",
    "SNOMED": "http://snomed.info/sct",
    "SNOMED-CT": "http://snomed.info/sct",
    "SNOMED CT": "http://snomed.info/sct",
    "SCT2": "http://snomed.info/sct",
    "I9": "http://hl7.org/fhir/sid/icd-9-cm",
    "I9C": "http://hl7.org/fhir/sid/icd-9-cm",
    "I9CDX": "http://hl7.org/fhir/sid/icd-9-cm",
    "I9CP": "http://hl7.org/fhir/sid/icd-9-cm",
    "ICD9": "http://hl7.org/fhir/sid/icd-9-cm",
    "ICD-9": "http://hl7.org/fhir/sid/icd-9-cm",
    "ICD9CM": "http://hl7.org/fhir/sid/icd-9-cm",
    "ICD-9-CM": "http://hl7.org/fhir/sid/icd-9-cm",
    "I10": "http://hl7.org/fhir/sid/icd-10",
    "ICD10": "http://hl7.org/fhir/sid/icd-10",
    "ICD-10": "http://hl7.org/fhir/sid/icd-10",
    "I10C": "http://hl7.org/fhir/sid/icd-10-cm",
    "ICD10CM": "http://hl7.org/fhir/sid/icd-10-cm",
    "ICD-10-CM": "http://hl7.org/fhir/sid/icd-10-cm",
    "I10P": "http://www.cms.gov/Medicare/Coding/ICD10",
    "ICD10PCS": "http://www.cms.gov/Medicare/Coding/ICD10",
    "C4": "http://www.ama-assn.org/go/cpt",
    "CPT": "http://www.ama-assn.org/go/cpt",
    "CPT4": "http://www.ama-assn.org/go/cpt",
    "CPT-4": "http://www.ama-assn.org/go/cpt",
    "HCPCS": "http://terminology.hl7.org/CodeSystem/HCPCS",
    "HPC": "http://terminology.hl7.org/CodeSystem/HCPCS",
    "CVX": "http://hl7.org/fhir/sid/cvx",
    "MVX": "http://terminology.hl7.org/CodeSystem/MVX",
    "NDC": "http://hl7.org/fhir/sid/ndc",
    "RXNORM": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "RXN": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "UCUM": "http://unitsofmeasure.org",
    "UNII": "http://fdasis.nlm.nih.gov",
    "FDDC": "http://terminology.hl7.org/CodeSystem/nddf",
    "WC": "http://www.whocc.no/atc",
    "NCIT": "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl",
    "CDCREC": "urn:oid:2.16.840.1.113883.6.238",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "ISO3166_1": "urn:iso:std:iso:3166",
    "ISO639": "urn:iso:std:iso:639:-2",
    "ISO639-2": "urn:iso:std:iso:639:-2",
    "BCP47": "urn:ietf:bcp:47",
    "NUCC": "http://nucc.org/provider-taxonomy",
}
"""Names as table 0396 has them and as senders write them → URI, http://hl7.org/fhir/R4/terminologies-systems.html.

Not there: SNM, which is SNOMED before SCT, and ATC, which is the American Type Culture Collection there and the WHO's
classification (WC) elsewhere. A feed says what it means by them.
"""


def system_uri(name: str) -> str | None:
    """The URI of a coding system by its name in CWE.3, or None if it is a local one."""
    known = SYSTEMS.get(name) or SYSTEMS.get(name.upper())
    if known is not None:
        return known
    upper = name.upper()
    if upper.startswith("HL7") and upper[3:].isdigit() and len(upper) == 7:
        return f"http://terminology.hl7.org/CodeSystem/v2-{upper[3:]}"
    return None
