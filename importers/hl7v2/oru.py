"""Results: ORU^R01, R30, R31, R32, R40, W01 and OUL^R21 to R24 → DiagnosticReport, Observation, Specimen and what they need.

http://hl7.org/fhir/uv/v2mappings, message map ORU_R01; HL7 v2.8.2 chapters 7 and 13; docs/hl7v2.md#results
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType

from importers.hl7v2 import documents, obr, service_request
from importers.hl7v2.conversion import Conversion, Draft
from importers.hl7v2.issue import SEQUENCE_ERROR
from importers.hl7v2.obx import Panel, observations
from importers.hl7v2.order_group import OrderGroup, Result, SpecimenGroup, by_patient, orders
from importers.hl7v2.specimen import specimen, specimen_of_order
from importers.hl7v2.subject import subject
from resources.codec import Json


def results(conversion: Conversion) -> None:
    """What a message of results says, of each of its patients."""
    for part in by_patient(conversion):
        _Results(part).add()


class _Results:
    """The results of one patient."""

    def __init__(self, conversion: Conversion) -> None:
        self.conversion = conversion
        self.about = subject(conversion, required=False)
        self.orders = orders(conversion.message)
        self.specimens: dict[int, Draft] = {}
        self.isolates: dict[tuple[str, str], Draft] = {}
        """Observations by code and sub-id: what OBR-26 of later orders may mean"""

    def add(self) -> None:
        numbers = [service_request.numbers(self.conversion, group) for group in self.orders.groups]
        placers = Counter(known.placer["value"] for known in numbers if known.placer is not None)
        for group, known in zip(self.orders.groups, numbers, strict=True):
            alone = known.placer is None or placers[known.placer["value"]] == 1
            if group.obr is not None:
                self._order(group, known, alone=alone)
            elif group.results or group.specimens:
                self._without_report(group, known)
        loose = self.orders.results
        if loose:
            common = Panel(f"{self.conversion.facility}//{self.conversion.content}", self.about.elements())
            documents.observed(self.conversion, loose, common)
        for group_of_specimen in self.orders.specimens:
            self._specimen(group_of_specimen, self.conversion.content)

    def _without_report(self, group: OrderGroup, known: service_request.Numbers) -> None:
        """Results after an ORC alone: what they are results of was not said."""
        place = (group.results[0].obx if group.results else group.specimens[0].spm).place
        told = "No OBR says what this is a result of; it was stored without a report"
        self.conversion.issue(place, told, SEQUENCE_ERROR)
        number = known.filler_first
        own = service_request.short(self.conversion, number) if number else self.conversion.content
        common = Panel(f"{self.conversion.facility}//{own}", self.about.elements())
        if len(samples := self._specimens(group, common)) == 1:
            common.shared["specimen"] = samples[0]
        documents.observed(self.conversion, group.results, common)

    def _order(self, group: OrderGroup, known: service_request.Numbers, *, alone: bool) -> None:
        conversion = self.conversion
        common = obr.panel(conversion, group, known, self.about)
        request = service_request.ordered(conversion, group, self.about, known, alone=alone)
        report = obr.report(conversion, group, known, common)
        resource = report.resource
        if request is not None:
            resource["basedOn"] = [conversion.reference(request)]
        if samples := self._specimens(group, common):
            resource["specimen"] = samples
            if len(samples) == 1:
                common.shared["specimen"] = samples[0]
        findings, papers = documents.apart(group.results)
        drafts = observations(conversion, findings, common)
        if papers:
            documents.add(conversion, papers, common, report)
        if drafts:
            resource["result"] = [conversion.reference(draft) for draft in drafts]
        self._link(group, findings, drafts)

    def _specimens(self, group: OrderGroup, common: Panel) -> list[Json]:
        found = [self._specimen(each, common.key) for each in group.specimens]
        if not found and group.obr is not None:
            described = specimen_of_order(self.conversion, group.obr, common.key, self.about.patient)
            found = [described] if described is not None else []
        references = [self.conversion.reference(draft) for draft in found]
        return [each for number, each in enumerate(references) if each not in references[:number]]

    def _specimen(self, group: SpecimenGroup, key: str) -> Draft:
        known = self.specimens.get(id(group))
        if known is not None:
            return known
        conversion = self.conversion
        draft = specimen(conversion, group.spm, group.notes, key, self.about.patient)
        self.specimens[id(group)] = draft
        if group.results:
            shared = {**self.about.elements(), "specimen": conversion.reference(draft)}
            identifier = draft.resource["identifier"][-1]["value"]
            documents.observed(
                conversion, group.results, Panel(f"{key}/{identifier}", shared, None, "laboratory")
            )
        return draft

    def _link(self, group: OrderGroup, findings: list[Result], drafts: list[Draft]) -> None:
        """Susceptibilities belong to the isolate that OBR-26 names."""
        conversion = self.conversion
        for draft, obx in zip(drafts, _first_lines(findings, drafts), strict=False):
            self.isolates.setdefault((obx.obx.text(3), obx.obx.text(4)), draft)
        named = obr.parent_result(group.obr) if group.obr is not None else None
        if named is None or not drafts:
            return
        isolate = self.isolates.get(named)
        if isolate is None:
            for draft in drafts:
                draft.resource["derivedFrom"] = [
                    {"type": "Observation", "display": obr.parent_shown(group.obr)}
                ]
        if isolate is None or isolate in drafts:
            return
        members = isolate.resource.setdefault("hasMember", [])
        for draft in drafts:
            draft.resource["derivedFrom"] = [conversion.reference(isolate)]
            members.append(conversion.reference(draft))


def _first_lines(findings: list[Result], drafts: list[Draft]) -> list[Result]:
    """Where every OBX is an observation of its own, they stand in the same order."""
    return findings if len(findings) == len(drafts) else []


EVENTS: Mapping[str, Callable[[Conversion], None]] = MappingProxyType(
    {
        "ORU": results,
        **{f"ORU^{event}": results for event in ("R01", "R03", "R30", "R31", "R32", "R40", "W01")},
        **{f"OUL^{event}": results for event in ("R21", "R22", "R23", "R24")},
    }
)
