"""Which stored resources the drafts of a message are about: look-ups asked for in batches, answers judged.

Nothing is read here: `matched` is a generator that yields queries and is sent what they found, so that the same
rules serve a server, a dry run and a test. A patient is known by any strong identifier in common; one who was
merged into another stands for the other; identifiers that name two patients are nobody's guess.

docs/hl7v2.md#identity, http://hl7.org/fhir/R4/patient.html#linking
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from importers.hl7v2.conversion import Draft
from importers.hl7v2.issue import DUPLICATE_KEY, Issue
from importers.hl7v2.look_up import Names, Query, look_up, mentioned, queries_of
from resources.codec import Json

_IDS = UUID("8a0f6bd2-6f0c-4c52-9d5e-0f3f6c1c4f4e")
_MOST_LINKS = 20
_SUBJECTS = ("subject", "patient", "beneficiary")


class UnclearError(Exception):
    """What is stored does not say which resource a message is about; `issue` tells the sender (AE)."""

    def __init__(self, issue: Issue) -> None:
        super().__init__(issue.text)
        self.issue = issue


@dataclass(slots=True)
class Matches:
    """What was found: `stored` by the url of a draft (None: new), `names` by which others refer to it."""

    attempt: int = 0
    stored: dict[str, Json | None] = field(default_factory=dict)
    names: Names = field(default_factory=Names)
    new_ids: dict[str, str | None] = field(default_factory=dict)
    """Ids of what is new, None where the server gives one; only those in `unique` say what the draft matches by"""
    unique: set[str] = field(default_factory=set)
    patients: dict[str, Json] = field(default_factory=dict)
    """Patients seen, by reference"""
    issues: list[Issue] = field(default_factory=list)
    claimed: set[str] = field(default_factory=set)
    keys: dict[str, int] = field(default_factory=dict)

    @property
    def references(self) -> dict[str, str]:
        return self.names.references

    def survivor(self, reference: str) -> str:
        """The patient that a reference means after all merges that were seen; itself where there are none."""
        for _ in range(_MOST_LINKS):
            into = replaced_by(self.patients.get(reference, {}))
            if into is None or into == reference:
                break
            reference = into
        return reference


Asking = Generator[list[Query], list[list[Json]], None]


def replaced_by(patient: Json) -> str | None:
    """The patient into which one was merged."""
    for link in patient.get("link", ()):
        if link.get("type") == "replaced-by":
            return str(link["other"].get("reference", "")) or None
    return None


def reference_of(resource: Json) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def is_loser(draft: Draft) -> bool:
    """Whether it is a patient who is merged into another one."""
    return draft.replaced_by is not None and draft.resource["resourceType"] == "Patient"


def matched(drafts: Sequence[Draft], matches: Matches) -> Asking:
    """Finds what each draft is about, those first that others are found by."""
    open_ = [draft for draft in drafts if not is_loser(draft)]
    matches.names.urls = {draft.url for draft in drafts}
    urls = {draft.url for draft in open_}
    while open_:
        wave = [draft for draft in open_ if urls.isdisjoint(mentioned(draft))]
        wave = wave or open_  # each waits for another: they are new
        found = yield from look_up(wave, matches.names)
        for draft in sorted(wave, key=lambda each: each.resource["resourceType"] != "Patient"):
            candidates = found.get(draft.url, [])
            if draft.resource["resourceType"] == "Patient":
                stored = yield from _patient(draft, candidates, matches)
            else:
                stored = yield from _other(draft, candidates, matches)
            _note(draft, stored, matches)
            if matches.attempt and draft.url in matches.unique:
                yield from _under_its_own_id(draft, matches)
        urls -= {draft.url for draft in wave}
        open_ = [draft for draft in open_ if draft.url in urls]


def _patient(
    draft: Draft, candidates: list[Json], matches: Matches
) -> Generator[list[Query], list[list[Json]], Json | None]:
    yield from seen(candidates, matches)
    survivors = {matches.survivor(reference_of(each)) for each in candidates}
    if len(survivors) > 1:
        text = f"The identifiers name {len(survivors)} different patients; nothing was stored. Merge them, or correct the identifiers"
        raise UnclearError(Issue("PID-3", text, DUPLICATE_KEY, "error"))
    for reference in survivors:
        return matches.patients.get(reference)
    return None


def seen(patients: Iterable[Json], matches: Matches) -> Asking:
    """Notes patients, and reads those into which they were merged."""
    matches.patients.update({reference_of(each): each for each in patients})
    for _ in range(_MOST_LINKS):
        ends = {matches.survivor(reference) for reference in matches.patients}
        missing = sorted(end for end in ends if end not in matches.patients and end.startswith("Patient/"))
        if not missing:
            return
        ids = ",".join(reference.removeprefix("Patient/") for reference in missing)
        answers = yield [("Patient", f"_id={ids}")]
        if not answers[0]:
            return
        matches.patients.update({reference_of(each): each for each in answers[0]})


def _other(
    draft: Draft, candidates: list[Json], matches: Matches
) -> Generator[list[Query], list[list[Json]], Json | None]:
    fitting = [each for each in candidates if draft.same is None or draft.same(each)]
    if not draft.moves:
        fitting = yield from _of_same_patient(draft, fitting, matches)
    free = [each for each in fitting if reference_of(each) not in matches.claimed]
    if len(free) > 1 and draft.role == "fact" and draft.same is None:
        text = f"{len(free)} stored {draft.resource['resourceType']} resources have this identifier; the first was taken"
        matches.issues.append(Issue("", text, DUPLICATE_KEY, "warning"))
    return free[0] if free else None


def _of_same_patient(
    draft: Draft, candidates: list[Json], matches: Matches
) -> Generator[list[Query], list[list[Json]], list[Json]]:
    """Those about the patient of the draft: a number that two patients have is of two things."""
    subject = _subject(draft.resource)
    if subject is None or not candidates:
        return candidates
    patient = matches.survivor(matches.references.get(subject, subject))
    others = {each for each in map(_subject, candidates) if each and each.startswith("Patient/")}
    unknown = sorted(others - {patient} - matches.patients.keys())
    if unknown:
        ids = ",".join(reference.removeprefix("Patient/") for reference in unknown)
        answers = yield [("Patient", f"_id={ids}")]
        yield from seen(answers[0], matches)
    same = [
        each
        for each in candidates
        if _subject(each) in (None, patient) or matches.survivor(str(_subject(each))) == patient
    ]
    if not same:
        text = f"A {draft.resource['resourceType']} with this identifier belongs to another patient; this one is stored beside it"
        matches.issues.append(Issue("", text, DUPLICATE_KEY, "warning"))
    return same


def _subject(resource: Json) -> str | None:
    for name in _SUBJECTS:
        reference = resource.get(name)
        if isinstance(reference, dict) and "reference" in reference:
            return str(reference["reference"])
    return None


def _note(draft: Draft, stored: Json | None, matches: Matches) -> None:
    kind = draft.resource["resourceType"]
    matches.stored[draft.url] = stored
    if stored is not None:
        matches.references[draft.url] = reference_of(stored)
        matches.claimed.add(reference_of(stored))
        return
    if kind == "Patient" and draft.match:
        matches.new_ids[draft.url] = None
        return
    key = _key(draft, matches)
    if key is None:
        new_id = draft.url.removeprefix("urn:uuid:")
    else:
        matches.unique.add(draft.url)
        new_id = str(uuid5(_IDS, key))
    matches.new_ids[draft.url] = new_id
    matches.references[draft.url] = f"{kind}/{new_id}"


def _under_its_own_id(draft: Draft, matches: Matches) -> Asking:
    """What was created for this key before, although its identifiers say so no longer; asked for after a conflict."""
    kind = draft.resource["resourceType"]
    answers = yield [(kind, f"_id={matches.new_ids[draft.url]}")]
    if not answers[0]:
        return
    matches.unique.discard(draft.url)
    del matches.new_ids[draft.url]
    _note(draft, answers[0][0], matches)


def _key(draft: Draft, matches: Matches) -> str | None:
    """What the id of a new resource is made of, so that two messages that create it at once collide."""
    queries = queries_of(draft, matches.names)
    if draft.same is not None and not (queries and queries[0].startswith("identifier=")):
        return None  # the search alone does not tell what it is
    subject = _subject(draft.resource)
    if subject is not None:
        subject = matches.references.get(subject, subject)
    if not queries or len(queries) < len(draft.match) or "urn:uuid:" in (subject or ""):
        return None
    key = f"{draft.resource['resourceType']}?{queries[0]}&{subject}"
    matches.keys[key] = matches.keys.get(key, 0) + 1
    return f"{key}#{matches.keys[key]}"
