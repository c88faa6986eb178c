"""Reading a data set with pydicom: only the attributes of `tags`, never pixels, never more than a few megabytes.

Elements stay raw until they are looked at, so that nothing of pydicom's conversion, and of its warnings, which quote
values, takes part. What pydicom raises ends here, as Refused.

https://pydicom.github.io/pydicom/stable/reference/filereader.html
"""

from __future__ import annotations

import io
import logging
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import BaseTag

from importers.dicom import content, part10, tags, uids
from importers.dicom.charset import Charset, charset
from importers.dicom.header import (
    CANNOT_UNDERSTAND,
    CLASS_NOT_SUPPORTED,
    Header,
    Issue,
    NotDicom,
    Refused,
    header,
)
from importers.dicom.values import MOST_ITEMS, clean, parsed

logging.getLogger("pydicom").disabled = True  # it quotes values
_pydicom = threading.RLock()
"""Warnings of pydicom are silenced one reader at a time: the filters of `warnings` are of the whole process."""

_NUMBERS = {"US": 2, "UL": 4}
_UNDEFINED = 0xFFFFFFFF
_PADDING = 0xFFFCFFFC
_HIGHEST = 0x7FE1_0000
_TAGS: list[BaseTag | int] = [BaseTag(attribute.tag) for attribute in tags.ATTRIBUTES]


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading may cost."""

    header_bytes: int = 8 * 1024 * 1024
    """read of a file, and inflated of a deflated one"""


DEFAULT = Limits()


def read(stream: BinaryIO, limits: Limits = DEFAULT, transfer_syntax: str | None = None) -> Header:
    """The Header of a file, or with `transfer_syntax` of a bare data set, as C-STORE has it; `stream` can seek.

    Raises NotDicom, or Refused with a DICOM status.
    """
    read = contents(stream, limits, transfer_syntax, _TAGS, tags.LAST)
    found = values_of(read.dataset, tags.ATTRIBUTES, read.issues)
    complete = read.reached or not uids.has_pixels(str(found.get("SOPClassUID", "")))
    if not complete:
        read.issues.append(Issue("PixelData", "the class is one of images, but nothing follows the header"))
    made = header(found, read.issues, read.transfer_syntax, complete=complete)
    return _with_content(made, stream, limits, transfer_syntax) if content.kind(made.sop_class) else made


def _with_content(made: Header, stream: BinaryIO, limits: Limits, transfer_syntax: str | None) -> Header:
    """A report, a waveform or a document is read again, for what is in it; where that fails it has its header."""
    wanted: list[BaseTag | int] = [BaseTag(tag) for tag in content.wanted(made.sop_class)]
    issues = list(made.issues)
    found: Mapping[str, Any] | None = None
    try:
        read = contents(stream, limits, transfer_syntax, wanted, max(wanted)) if wanted else None
        used = _charset(read.dataset, []) if read is not None else None

        def values(dataset: Dataset, inner: Sequence[tags.Attribute], told: list[Issue]) -> dict[str, Any]:
            return values_of(dataset, inner, told, used)

        with _pydicom, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = content.content(made, read.dataset if read is not None else None, values, issues)
    except (Exception, RecursionError) as fault:
        issues.append(Issue("ContentSequence", f"cannot be read ({type(fault).__name__})"))
    return replace(made, content=found, issues=tuple(issues))


def only(
    stream: BinaryIO, transfer_syntax: str, wanted: Sequence[tags.Attribute], limits: Limits = DEFAULT
) -> tuple[dict[str, Any], list[Issue]]:
    """The values of `wanted` attributes of a bare data set that is no instance; raises NotDicom or Refused."""
    tags_ = [BaseTag(attribute.tag) for attribute in wanted]
    read = contents(stream, limits, transfer_syntax, [*tags_], max(tags_))
    return values_of(read.dataset, wanted, read.issues), read.issues


@dataclass(slots=True)
class Contents:
    """A data set with raw elements."""

    dataset: Dataset
    transfer_syntax: str
    reached: bool
    """whether something came after the last tag that was wanted"""
    issues: list[Issue]


def contents(
    stream: BinaryIO,
    limits: Limits,
    transfer_syntax: str | None,
    wanted: list[BaseTag | int],
    last: int,
) -> Contents:
    """Reads `wanted` elements up to the tag `last`; raises NotDicom or Refused and nothing else."""
    try:
        return _contents(stream, limits, transfer_syntax, wanted, last)
    except (NotDicom, Refused):
        raise
    except RecursionError:
        raise Refused(CANNOT_UNDERSTAND, "Sequences are nested too deeply") from None
    except MemoryError:
        raise Refused(CANNOT_UNDERSTAND, "An element is too large") from None
    except Exception as fault:
        told = f"The data set is damaged or truncated and cannot be read ({type(fault).__name__})"
        raise Refused(CANNOT_UNDERSTAND, told) from None


def _contents(
    stream: BinaryIO, limits: Limits, transfer_syntax: str | None, wanted: list[BaseTag | int], last: int
) -> Contents:
    if transfer_syntax is None:
        begins = part10.beginning(stream)
        if begins.sop_class == uids.DIRECTORY:
            raise Refused(CLASS_NOT_SUPPORTED, "It is a DICOMDIR, a list of files, and no instance")
    else:
        begins = part10.Beginning(0, transfer_syntax)
    size = stream.seek(0, io.SEEK_END)
    stream.seek(begins.offset)
    offset = begins.offset
    if begins.transfer_syntax == uids.DEFLATED:
        stream, offset = part10.inflated(stream, limits.header_bytes), 0
        size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
    first = stream.read(8)
    stream.seek(offset)
    stop = _Stop(stream, last)
    source: Any = stream if size <= limits.header_bytes else _Bounded(stream, limits.header_bytes)
    with _pydicom, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = read_dataset(
            source,
            part10.is_implicit(first, begins.transfer_syntax),
            part10.is_little_endian(first),
            stop_when=stop,
            specific_tags=wanted,
        )
    if not stop.hit and stop.end not in (size, 0) and not _cut_by_limit(begins, limits, size):
        raise Refused(CANNOT_UNDERSTAND, "It ends within its header: it is truncated, or a length is wrong")
    return Contents(dataset, begins.transfer_syntax, stop.hit, [])


def _cut_by_limit(begins: part10.Beginning, limits: Limits, size: int) -> bool:
    return begins.transfer_syntax == uids.DEFLATED and size >= limits.header_bytes


class _Stop:
    """Ends reading after the last tag that is wanted, and knows where the last element before it ended."""

    __slots__ = ("_last", "_stream", "end", "hit")

    def __init__(self, stream: BinaryIO, last: int) -> None:
        self._stream = stream
        self._last = last
        self.hit = False
        self.end = 0

    def __call__(self, tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag > self._last:
            if tag >= _HIGHEST and tag != _PADDING:
                raise Refused(CANNOT_UNDERSTAND, "There is something in the header that is no element")
            self.hit = True
            return True
        # the end of an undefined length is found by what comes after it, or raises
        self.end = 0 if length == _UNDEFINED else self._stream.tell() + length
        return False


class _Bounded:
    """A stream of which no more than some bytes can be read, however many are skipped."""

    __slots__ = ("_left", "_stream", "seek", "tell")

    def __init__(self, stream: BinaryIO, left: int) -> None:
        self._stream = stream
        self._left = left
        self.tell: Callable[[], int] = stream.tell
        self.seek: Callable[..., int] = stream.seek

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > self._left:
            raise Refused(CANNOT_UNDERSTAND, "The header is larger than a header can be")
        self._left -= size
        return self._stream.read(size)


def values_of(
    dataset: Dataset,
    wanted: Iterable[tags.Attribute],
    issues: list[Issue],
    outer: Charset | None = None,
) -> dict[str, Any]:
    """What is there of the wanted attributes; what cannot be read becomes an issue."""
    elements: Mapping[Any, Any] = dataset._dict  # noqa: SLF001  the raw elements, unconverted
    used = _charset(dataset, issues) or outer or Charset()
    found: dict[str, Any] = {}
    for attribute in wanted:
        element = elements.get(attribute.tag)
        if element is None:
            continue
        try:
            value = _value(dataset, element, attribute, used, issues)
        except Refused:
            raise
        except (Exception, RecursionError) as fault:
            issues.append(Issue(attribute.keyword, f"cannot be read ({type(fault).__name__})"))
            continue
        if value is not None:
            found[attribute.keyword] = value
    return found


def _charset(dataset: Dataset, issues: list[Issue]) -> Charset | None:
    own = dataset._dict.get(BaseTag(tags.CHARSET))  # noqa: SLF001  unconverted
    if not isinstance(own, RawDataElement):
        return None
    used = charset(own.value or b"")
    if not used.known:
        issues.append(Issue("SpecificCharacterSet", "no character set of DICOM; text was read by its bytes"))
    return used


def _value(
    dataset: Dataset,
    element: DataElement | RawDataElement,
    attribute: tags.Attribute,
    used: Charset,
    issues: list[Issue],
) -> Any:
    if attribute.vr == "SQ":
        return _items(dataset, element, attribute, used, issues)
    if not isinstance(element, RawDataElement):
        issues.append(Issue(attribute.keyword, "is a sequence, but should be none"))
        return None
    raw = element.value or b""
    if len(raw) < element.length != _UNDEFINED:
        raise Refused(
            CANNOT_UNDERSTAND, f"It ends within {attribute.keyword}: it is truncated, or a length is wrong"
        )
    if not raw:
        return None
    if attribute.vr in _NUMBERS:
        size = _NUMBERS[attribute.vr]
        return int.from_bytes(raw[:size], "little" if element.is_little_endian else "big")
    text, right = used.decoded(raw, attribute.vr)
    if not right and attribute.vr in {"PN", "LO", "SH", "ST", "LT", "UT", "UC"}:
        issues.append(
            Issue(attribute.keyword, "bytes are not of the character set; what they may mean was taken")
        )
    return parsed(text, attribute, issues)


def _items(
    dataset: Dataset,
    element: DataElement | RawDataElement,
    attribute: tags.Attribute,
    used: Charset,
    issues: list[Issue],
) -> list[dict[str, Any]] | None:
    if isinstance(element, RawDataElement):
        if not element.value:
            return None
        if len(element.value) < element.length != _UNDEFINED:
            told = f"It ends within {attribute.keyword}: it is truncated, or a length is wrong"
            raise Refused(CANNOT_UNDERSTAND, told)
        with _pydicom, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            element = dataset[element.tag]
    items = element.value
    if not isinstance(items, Items):
        issues.append(Issue(attribute.keyword, "is no sequence, but should be one"))
        return None
    if len(items) > MOST_ITEMS:
        issues.append(Issue(attribute.keyword, f"has more than {MOST_ITEMS} items; the first were taken"))
    return clean([values_of(item, attribute.inner, issues, used) for item in items[:MOST_ITEMS]])
