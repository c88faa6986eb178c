"""A study on its way to become FHIR: the drafts made of it, and what is to be told about it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from importers.dicom import header
from importers.dicom.sources import SourceConfig
from importers.hl7v2.conversion import Adjust, Draft
from importers.hl7v2.issue import Issue
from resources.codec import Json

UIDS = "urn:dicom:uid"
"""System of identifiers that are UIDs: http://hl7.org/fhir/R4/imagingstudy.html#notes"""
LOCAL = "urn:fhir-server:dicom"
TAGS = f"{LOCAL}:tag"
"""System of the tags of meta: `unreconciled`, `de-identified`"""
_NAMESPACE = uuid.UUID("8c7d3f52-19f4-4f0e-a0f9-6d0d3c2b9b17")


@dataclass(slots=True, eq=False)
class StudyConversion:
    """What becomes of one study; `drafts` and `issues` are what `importers.hl7v2.reconcile` takes."""

    uid: str
    config: SourceConfig
    drafts: list[Draft] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    schemes: dict[str, str] = field(default_factory=dict)
    """Local coding schemes → UIDs, as the instances say"""
    _matched: dict[tuple[str, str], Draft] = field(default_factory=dict)

    def add(
        self,
        resource: Json,
        match: tuple[str, ...] = (),
        *,
        role: str = "fact",
        adjust: Adjust | None = None,
    ) -> Draft:
        """A draft of the resource; the earlier one where one matches the same."""
        kind = resource["resourceType"]
        for query in match:
            if (known := self._matched.get((kind, query))) is not None:
                return known
        url = f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{self.uid} {len(self.drafts)}')}"
        draft = Draft(resource, url, match, role=role, adjust=adjust)
        self.drafts.append(draft)
        for query in match:
            self._matched[kind, query] = draft
        return draft

    def reference(self, draft: Draft) -> Json:
        """A Reference to a draft."""
        return {"reference": draft.url}

    def issue(self, keyword: str, text: str) -> None:
        """Something about an attribute; no values in `text`."""
        issue = Issue(keyword, text)
        if issue not in self.issues:
            self.issues.append(issue)

    def told(self, issues: list[header.Issue]) -> None:
        """What functions that know no study have found."""
        for each in issues:
            self.issue(each.keyword, each.text)

    def derived(self, kind: str, *names: str) -> str:
        """A system of one's own, the same for the same names."""
        return ":".join((f"{LOCAL}:{kind}", *(quote(name.strip(), safe="") or "-" for name in names)))


def first(values: Mapping[str, Any], keyword: str) -> Mapping[str, Any]:
    """The first item of a sequence; empty without one."""
    items = values.get(keyword)
    found: Mapping[str, Any] = items[0] if items else {}
    return found
