"""`fhir-server load` of DICOM: files, folders of such, a DICOMDIR, ZIP files; the same way as over the network.

What came in before, by whatever door, is known by its UID and content: the same command again goes on where it
stopped. No more than headers are read.
"""

from __future__ import annotations

import asyncio
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Self

from fhir_server.commands.load_piece import Failure, Outcome
from fhir_server.commands.load_worker import user
from fhir_server.commands.opened import opened
from fhir_server.commands.serve import fail
from fhir_server.dicom import fault, sources_of, with_dicom
from importers.dicom import imaging_study
from importers.dicom.archive import MOST_BYTES, member_of
from importers.dicom.arrivals import DURABLE
from importers.dicom.dataset import read
from importers.dicom.dicom import Peer, grouped
from importers.dicom.header import Header, NotDicom
from importers.dicom.header import Refused as NotTaken
from importers.files import Refused, reason
from importers.hl7v2.reconcile import rewritten
from resources import validation
from resources.outcome import FHIRError

if TYPE_CHECKING:
    from fhir_server.commands.load_report import Report
    from fhir_server.settings import Settings
    from importers.dicom.arrivals import Outcome as Arrived
    from importers.dicom.dicom import Dicom
    from importers.files import Source

AT_ONCE = 100
"""Instances that are read and kept together"""
Read = tuple["Source", Header | Refused]


def load_dicom(settings: Settings, sources: Sequence[Source], report: Report, *, dry_run: bool) -> str | None:
    """Loads all instances and folds their studies; why it ended early, if it did."""
    wrong = fault(settings)
    if wrong is not None:
        fail(wrong)
    work = _judge(settings, sources, report) if dry_run else _load(settings, sources, report)
    try:
        with report.running(sum(source.size for source in sources)):
            return asyncio.run(work)
    except KeyboardInterrupt:
        return "SIGINT"
    except FHIRError as away:
        report.say(str(away))
        return "MongoDB did not come back"


def _portions(sources: Sequence[Source]) -> Iterator[list[Read]]:
    """The headers, or why they cannot be read, some at a time; an archive is opened once."""
    with _Files() as files:
        rest = iter(sources)
        while some := list(islice(rest, AT_ONCE)):
            yield [(source, files.header(source)) for source in some]


class _Files:
    """Reads headers; keeps the archive of the last one open."""

    def __init__(self) -> None:
        self._archive: zipfile.ZipFile | None = None
        self._left = MOST_BYTES

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._archive is not None:
            self._archive.close()

    def header(self, source: Source) -> Header | Refused:
        try:
            if source.member is not None:
                return self._of_member(source)
            with source.path.open("rb") as file:
                return read(file)
        except (NotDicom, NotTaken) as fault_:
            return Refused(source.name, str(fault_))
        except (OSError, zipfile.BadZipFile, KeyError) as fault_:
            return Refused(source.name, reason(fault_))

    def _of_member(self, source: Source) -> Header | Refused:
        if self._archive is None or self._archive.filename != str(source.path):
            self.__exit__()
            self._archive, self._left = zipfile.ZipFile(source.path), MOST_BYTES
        assert source.member is not None
        member = member_of(self._archive, self._archive.getinfo(source.member), self._left)
        if member.spool is None:
            return Refused(source.name, member.fault or "is a link, which is not followed")
        with member.spool as spool:
            self._left -= spool.size
            if self._left < 0:
                return Refused(source.name, f"is behind {MOST_BYTES:,} bytes of this archive; unpack it")
            return read(spool.opened())


async def _load(settings: Settings, sources: Sequence[Source], report: Report) -> str | None:
    async with opened(settings) as ctx:
        dicom = with_dicom(ctx, sources_of(settings)).dicom
        assert dicom is not None
        peer = Peer("file", software=user())
        counts: dict[str, Counter[str]] = {}
        portions = _portions(sources)
        try:
            while portion := await asyncio.to_thread(next, portions, None):
                for each in await _taken(dicom, peer, portion, report):
                    counts.setdefault(each.study_uid, Counter())[each.status] += 1
                report.advance(sum(source.size for source, _ in portion))
        finally:
            await dicom.counted(peer, counts)
        await _fold(dicom, counts, report)
    return None


async def _taken(dicom: Dicom, peer: Peer, portion: Sequence[Read], report: Report) -> list[Arrived]:
    headers = []
    for source, found in portion:
        if isinstance(found, Refused):
            report.refuse(found)
        else:
            headers.append((source, found))
    outcomes = await dicom.arrivals.add([header for _, header in headers], dicom.source_of(peer))
    for (source, _), outcome in zip(headers, outcomes, strict=True):
        if outcome.status in {"kept_first", "quarantined", "refused"}:
            report.add(Outcome(failures=[Failure(source.name, source.name, outcome.reason)]))
    return outcomes


async def _fold(dicom: Dicom, counts: Mapping[str, Counter[str]], report: Report) -> None:
    for uid, some in counts.items():
        if some.keys().isdisjoint(DURABLE):
            continue
        done = await dicom.fold.up_to_date(uid)
        if done is None or done.reference is None:
            name = f"Study {uid}"
            told = "; ".join(done.issues) if done is not None else "is not there"
            report.add(Outcome(failures=[Failure(name, name, told)]))
        else:
            report.add(Outcome(loaded=len(done.written)))
    all_ = sum(counts.values(), Counter[str]())
    told = ", ".join(f"{count:,} {status.replace('_', ' ')}" for status, count in sorted(all_.items()))
    report.say(f"{all_.total():,} instances of {len(counts):,} studies: {told or 'none'}")


async def _judge(settings: Settings, sources: Sequence[Source], report: Report) -> str | None:
    """What each study would become, were nothing stored yet; without a database."""
    config = sources_of(settings).of("", None)
    studies: dict[str, list[Header]] = {}
    for portion in _portions(sources):
        for source, found in portion:
            if isinstance(found, Refused):
                report.refuse(found)
            else:
                studies.setdefault(found.study_uid, []).append(found)
            report.advance(source.size)
    for uid, headers in studies.items():
        drafts = imaging_study.drafts(uid, grouped(headers, config), config)
        names = {draft.url: f"{draft.resource['resourceType']}/{n}" for n, draft in enumerate(drafts)}
        for draft in drafts:
            found_wrong = validation.validate(rewritten(draft.resource, names))
            told = [each.diagnostics for each in found_wrong if each.severity in {"error", "fatal"}]
            name = f"Study {uid}"
            failures = [Failure(name, name, "; ".join(told[:5]))] if told else []
            report.add(Outcome(loaded=not failures, failures=failures))
    return None
