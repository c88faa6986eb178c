"""Paths → the files to load, in order: folders walked by name, archives listed, everything else named and refused."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

MAX_MEMBERS = 100_000
"""Files in one archive"""

Form = Literal["json", "ndjson", "hl7v2", "dicom"]

_FORMS: dict[str, Form] = {
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".hl7": "hl7v2",
    ".er7": "hl7v2",
    ".dcm": "dicom",
    ".dicom": "dicom",
    ".ima": "dicom",
}
_KINDS = (
    ".json, .ndjson, .jsonl, .hl7, .er7, each also as .gz, .dcm (or whatever begins as DICOM does), and .zip"
)
_PREAMBLE, _MAGIC = 128, b"DICM"
_LIST = "dicomdir"
"""The list of files on a medium; the files are what is loaded"""

Identity = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Source:
    """One file, or one member of a zip archive; `size` is in bytes on disk (of a member: as it will be read)."""

    name: str
    path: Path
    form: Form
    size: int
    gzip: bool = False
    member: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """What cannot be loaded, and why, in words for whoever has to put it right."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file in a folder or archive that by its name is none of ours."""

    name: str


Found = Source | Refused | Skipped


def sources(paths: Iterable[Path]) -> Iterator[Found]:
    """Every file below the paths: paths in the order given, what is in a folder or an archive by name.

    Hidden files are passed over; links are followed, but not to a folder that they lie in.
    """
    for path in paths:
        try:
            mode = path.stat().st_mode
        except OSError as fault:
            yield Refused(printable(path), reason(fault))
            continue
        if stat.S_ISDIR(mode):
            yield from _folder(path, ())
        elif not stat.S_ISREG(mode):
            yield Refused(printable(path), "is neither a file nor a folder")
        elif path.name.lower() == _LIST:
            yield from _folder(path.parent, ())
        else:
            for found in _file(path):
                if isinstance(found, Skipped) and found.name == printable(path):
                    yield Refused(found.name, f"is not a kind of file that can be loaded: {_KINDS}")
                else:
                    yield found


def _folder(folder: Path, above: tuple[Identity, ...]) -> Iterator[Found]:
    try:
        status = folder.stat()
        names = sorted(os.listdir(folder))  # noqa: PTH208  names are all that is wanted
    except OSError as fault:
        yield Refused(printable(folder), reason(fault))
        return
    here = (status.st_dev, status.st_ino)
    if here in above:
        yield Refused(printable(folder), "is a link to a folder that it lies in; it is not followed")
        return
    for name in names:
        if name.startswith("."):
            continue
        path = folder / name
        try:
            mode = path.stat().st_mode
        except OSError as fault:
            yield Refused(printable(path), reason(fault))
            continue
        if stat.S_ISDIR(mode):
            yield from _folder(path, (*above, here))
        elif stat.S_ISREG(mode):
            yield from _file(path)
        else:
            yield Skipped(printable(path))


def _file(path: Path) -> Iterator[Found]:
    name = path.name.lower()
    if name.endswith(".zip"):
        yield from _archive(path)
        return
    zipped = name.endswith(".gz")
    suffix = PurePosixPath(name.removesuffix(".gz")).suffix
    form = "json" if zipped and not suffix else _FORMS.get(suffix)
    try:
        if form is None and not zipped and name != _LIST and _begins_as_dicom(path):
            form = "dicom"
        if form is None or (form == "dicom" and zipped):
            yield Skipped(printable(path))
            return
        yield Source(printable(path), path, form, path.stat().st_size, gzip=zipped)
    except OSError as fault:
        yield Refused(printable(path), reason(fault))


def _begins_as_dicom(path: Path) -> bool:
    """Names of instances say nothing: `IM000001`, or a UID. PS3.10 7.1"""
    with path.open("rb") as file:
        return file.read(_PREAMBLE + len(_MAGIC))[_PREAMBLE:] == _MAGIC


def _archive(path: Path) -> Iterator[Found]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield from _members(path, archive)
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError, IndexError) as fault:
        yield Refused(printable(path), reason(fault))


def _members(path: Path, archive: zipfile.ZipFile) -> Iterator[Found]:
    members = sorted(archive.infolist(), key=lambda member: member.filename)
    if len(members) > MAX_MEMBERS:
        text = f"has {len(members):,} members, more than {MAX_MEMBERS:,}; unpack it and load the folder"
        yield Refused(printable(path), text)
        return
    for member in members:
        parts = PurePosixPath(member.filename).parts
        if member.is_dir() or any(part.startswith((".", "__MACOSX")) for part in parts if part != ".."):
            continue
        name = printable(f"{path}/{member.filename}")
        form = _FORMS.get(PurePosixPath(member.filename.lower()).suffix)
        if member.filename.lower().endswith((".zip", ".gz")):
            yield Refused(name, "is an archive inside an archive, which is not opened; unpack it first")
            continue
        if form is None and parts[-1].lower() != _LIST and _member_begins_as_dicom(archive, member):
            form = "dicom"
        if form is None:
            yield Skipped(name)
        else:
            yield Source(name, path, form, member.file_size, member=member.filename)


def _member_begins_as_dicom(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    try:
        with archive.open(member) as file:
            return file.read(_PREAMBLE + len(_MAGIC))[_PREAMBLE:] == _MAGIC
    except Exception:
        return False  # why it cannot be read is of no interest: by its name it is none of ours


def printable(name: Path | str) -> str:
    """A file name that a terminal shows and does not obey."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in str(name))


def reason(fault: BaseException) -> str:
    """Why something could not be read, without the path, which stands before it."""
    if isinstance(fault, OSError) and fault.strerror:
        return fault.strerror
    return str(fault) or type(fault).__name__
