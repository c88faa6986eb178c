"""Instances in a ZIP file, one after the other: names are shown and never become paths, sizes are not believed."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from importers.dicom.intake import enough
from importers.dicom.spool import Spool
from importers.files import printable

MOST_MEMBERS = 50_000
MOST_BYTES = 8 * 1024**3
"""Bytes that are read of all members together"""
MOST_OF_ONE = 4 * 1024**3
RATIO = 200
"""How many bytes may come of one; images of one colour are compressed a hundredfold"""
_FREE = 1024 * 1024
"""Bytes of a member that may come of however few"""
_PIECE = 256 * 1024
_ENCRYPTED = 1


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an archive: what was kept of its bytes, or why it was not read."""

    name: str
    spool: Spool | None = None
    fault: str = ""
    skipped: bool = False
    """By its name or kind it is no instance: no fault"""


class ArchiveError(ValueError):
    """It is no ZIP file, or has more in it than is taken; the text is for who sent it."""


def members(file: Path | BinaryIO, limit: int = MOST_BYTES) -> Iterator[Member]:
    """The members of a ZIP file in their order, each to be closed by who takes it; ArchiveError, also in between."""
    try:
        with zipfile.ZipFile(file) as archive:
            listed = archive.infolist()
            if len(listed) > MOST_MEMBERS:
                raise ArchiveError(f"It has {len(listed):,} members; at most {MOST_MEMBERS:,} are taken")
            left = limit
            for info in listed:
                member = member_of(archive, info, left)
                if member.spool is not None:
                    left -= member.spool.size
                if left < 0:
                    if member.spool is not None:
                        member.spool.close()
                    raise ArchiveError(f"There are more than {limit:,} bytes in it; send it in parts")
                yield member
    except ArchiveError:
        raise
    except Exception:  # of damage, zipfile raises whatever it stumbles over
        raise ArchiveError("It is no ZIP file that can be read, or damaged") from None


def member_of(archive: zipfile.ZipFile, info: zipfile.ZipInfo, left: int) -> Member:
    """One member, of which at most `left` bytes are read."""
    name = printable(info.filename)
    if _is_passed_over(info):
        return Member(name, skipped=True)
    if info.flag_bits & _ENCRYPTED:
        return Member(name, fault="is encrypted")
    if info.file_size > MOST_OF_ONE:
        return Member(name, fault=f"is larger than the {MOST_OF_ONE:,} bytes that are taken")
    allowed = min(max(info.compress_size * RATIO, _FREE), left + 1)
    spool = enough()
    try:
        with archive.open(info) as source:
            while piece := source.read(_PIECE):
                spool.write(piece)
                if spool.size > left:
                    return Member(name, spool)
                if spool.size > allowed:
                    spool.close()
                    told = f"is compressed more than {RATIO}-fold, as a bomb is, and was not read further"
                    return Member(name, fault=told)
    except Exception:
        spool.close()
        return Member(name, fault="cannot be unpacked: it is damaged, or packed in a way that is not known")
    if bytes(spool.getbuffer()[:4]) == b"PK\x03\x04":
        spool.close()
        return Member(name, fault="is an archive inside an archive, which is not opened; unpack it first")
    return Member(name, spool)


def _is_passed_over(info: zipfile.ZipInfo) -> bool:
    """Folders, links, lists of files, and what operating systems leave behind."""
    parts = [
        part for part in PurePosixPath(info.filename.replace("\\", "/")).parts if part not in {"/", ".."}
    ]
    link = stat.S_ISLNK(info.external_attr >> 16)
    hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
    return info.is_dir() or link or hidden or not parts or parts[-1].upper() == "DICOMDIR"
