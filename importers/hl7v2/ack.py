"""What a sender is answered: which of AA AE AR CA CE CR, and how it is written in his own version and delimiters.

HL7 v2.8.2 chapter 2.9.2 (original mode), 2.9.3 (enhanced mode), 2.14.8 (MSA), 2.14.5 (ERR); tables 0008, 0155,
0357, 0516.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from importers.hl7v2.header import Header, read_header
from importers.hl7v2.issue import INTERNAL_ERROR, OTHER_ERROR, REJECTING, Issue

ApplicationCode = Literal["AA", "AE", "AR"]
Mode = Literal["sender", "original", "enhanced"]
"""`sender`: as MSH-15 and MSH-16 ask; `original`: one AA, AE or AR whatever they ask; `enhanced`: as they ask,
and both answers where they say nothing."""

TEXTS = {
    "0": "Message accepted",
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "104": "Value too long",
    "198": "Non-conformant cardinality",
    "199": "Other HL7 error",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application internal error",
}
"""Table 0357"""

MOST_ISSUES = 20
"""Problems one answer lists; a message of ten thousand wrong lines is not answered by as many"""
_SHORT, _LONG = 80, 250
"""Characters of MSA-3 and of ERR-8"""
_ORDER = {"fatal": 0, "error": 1, "warning": 2}


def new_control_id() -> str:
    """An MSH-10 of ours: 20 characters, as many as version 2.3 allows."""
    return f"{time.time_ns():016X}{secrets.token_hex(2).upper()}"


def now_utc() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Answering:
    """What answers are made with: a policy, a clock and numbers."""

    mode: Mode = "sender"
    default_version: str = "2.5.1"
    """of answers to messages without MSH-12"""
    now: Callable[[], datetime] = field(default=now_utc)
    control_id: Callable[[], str] = field(default=new_control_id)


def code_of(issues: Sequence[Issue]) -> ApplicationCode:
    """AR where the message cannot be processed whatever it contains, AE where its content is wrong, else AA."""
    blocking = [issue for issue in issues if issue.severity in {"error", "fatal"}]
    if any(issue.code in REJECTING for issue in blocking):
        return "AR"
    return "AE" if blocking else "AA"


def answers(
    header: Header,
    code: ApplicationCode,
    issues: Sequence[Issue] = (),
    *,
    stored: bool = True,
    answering: Answering | None = None,
    given: Sequence[bytes] = (),
) -> list[bytes]:
    """The messages to send back, in this order; `stored` tells whether the message itself is kept safe.

    None for what is an answer itself, and where MSH-15 and MSH-16 want none. `given` is the CA that has left already:
    it stays the first, and whatever came of the message then is told by AA, AE or AR.
    """
    if header.answers:
        return []
    chosen = answering or Answering()
    wishes = _wishes(header, chosen)
    if wishes is None:
        return [_message(header, code, issues, chosen, enhanced=False)]
    accept, application = wishes
    commit = {"AA": "CA", "AE": "CA" if stored else "CE", "AR": "CR"}[code]
    wanted = []
    if not given and _is_wanted(accept, good=commit == "CA"):
        wanted.append(commit)
    # What was not even accepted is not processed either: that is told once.
    if _is_wanted(application, good=code == "AA") and not (wanted and commit != "CA"):
        wanted.append(code)
    told = [_message(header, each, () if each == "CA" else issues, chosen, enhanced=True) for each in wanted]
    return [*given, *told]


def accepted(raw: bytes, *, answering: Answering | None = None) -> list[bytes]:
    """The CA to a message that is kept safe and not processed yet; nothing where the sender wants none."""
    header = read_header(raw)
    if header is None or header.answers:
        return []
    chosen = answering or Answering()
    wishes = _wishes(header, chosen)
    if wishes is None or not _is_wanted(wishes[0], good=True):
        return []
    return [_message(header, "CA", (), chosen, enhanced=True)]


def reject(
    raw: bytes, issue: Issue, *, answering: Answering | None = None, given: Sequence[bytes] = ()
) -> list[bytes]:
    """AR (or CR) to whatever these bytes are the beginning of; nothing where they have no header."""
    header = read_header(raw)
    if header is None:
        return []
    return answers(header, "AR", [issue], stored=False, answering=answering, given=given)


def batch_answer(header: Header, replies: Sequence[bytes], *, answering: Answering | None = None) -> bytes:
    """The answers to the messages of a batch (BHS) or file (FHS) as one batch or file.

    HL7 v2.8.2 chapter 2.10.3
    """
    chosen = answering or Answering()
    lines = {"BHS": ["BHS"], "FHS": ["FHS", "BHS"]}[header.segment]
    start = "".join(_batch_header(header, name, chosen) + "\r" for name in lines)
    end = f"BTS{header.separator}{len(replies)}\r"
    if header.segment == "FHS":
        end += f"FTS{header.separator}1\r"
    body = b"".join(reply.removeprefix(header.mark) for reply in replies)
    return header.encode(start) + body + header.encode(end).removeprefix(header.mark)


def _wishes(header: Header, answering: Answering) -> tuple[str, str] | None:
    """When a commit and when an application acknowledgment is wanted (table 0155); None in original mode."""
    accept, application = header.msh(15).strip().upper(), header.msh(16).strip().upper()
    if answering.mode == "original" or (answering.mode == "sender" and not accept and not application):
        return None
    return (accept, application) if accept or application else ("AL", "AL")


def _is_wanted(condition: str, *, good: bool) -> bool:
    """Table 0155; a condition that is none of it is taken for "always": an answer too many does less harm."""
    if condition in {"", "NE"}:
        return False
    return {"ER": not good, "SU": good}.get(condition, True)


def _message(
    header: Header, code: str, issues: Sequence[Issue], answering: Answering, *, enhanced: bool
) -> bytes:
    version = _version(header, answering)
    told = _told(code, issues, version)
    lines = [
        _msh(header, version, answering, enhanced=enhanced),
        _msa(header, code, told, version),
        *_err(header, told, version),
    ]
    return header.encode("".join(line + "\r" for line in lines))


def _msh(header: Header, version: tuple[int, ...], answering: Answering, *, enhanced: bool) -> str:
    """MSH of the answer: the sides change places, and what is said of encoding and version stays."""
    kind = ["ACK"]
    event = header.component(9, 2) if header.segment == "MSH" else ""
    if event and version >= (2, 2):
        kind += [event, "ACK"] if version >= (2, 5) else [event]
    fields = [
        "MSH", header.declared, *_sides(header), _stamp(answering.now()), "", header.component_separator.join(kind),
        answering.control_id(), header.msh(11) or "P", header.msh(12) or answering.default_version, "", "",
        "NE" if enhanced else "", "NE" if enhanced else "", "", header.msh(18),
    ]  # fmt: skip
    return _line(header, fields)


def _msa(header: Header, code: str, told: Sequence[Issue], version: tuple[int, ...]) -> str:
    text = ""
    if told and version < (2, 7) and code not in {"AA", "CA"}:
        text = _escape(header, told[0].text[:_SHORT])
    return _line(header, ["MSA", code, header.control_id, text])


def _err(header: Header, told: Sequence[Issue], version: tuple[int, ...]) -> list[str]:
    if not told:
        return []
    component, subcomponent = header.component_separator, _delimiter(header, 3, "&")
    if version < (2, 5):
        repetitions = []
        for issue in told:
            what = subcomponent.join([issue.code, TEXTS.get(issue.code, ""), "HL70357"])
            segment, sequence, number = (*issue.location[:3], "", "", "")[:3]
            repetitions.append(component.join([segment, sequence, number, what]))
        return [_line(header, ["ERR", _delimiter(header, 1, "~").join(repetitions)])]
    return [
        _line(
            header,
            ["ERR", "", component.join(issue.location),
             component.join([issue.code, TEXTS.get(issue.code, ""), "HL70357"]), issue.severity[0].upper(), "", "",
             _escape(header, issue.text) if len(issue.text) > _LONG else "", _escape(header, issue.text[:_LONG])],
        )
        for issue in told
    ]  # fmt: skip


def _told(code: str, issues: Sequence[Issue], version: tuple[int, ...]) -> list[Issue]:
    """The issues worth telling, the worst first. Before 2.5 there is no way to say that one is no more than a
    warning, so that it is said only beside an error.
    """
    told = sorted(
        (issue for issue in issues if issue.severity in _ORDER), key=lambda issue: _ORDER[issue.severity]
    )
    if code in {"AA", "CA"}:
        told = [] if version < (2, 5) else told
    elif not told or told[0].severity == "warning":
        code = INTERNAL_ERROR if code in {"AR", "CR"} else OTHER_ERROR
        told.insert(0, Issue("", "The message was not processed", code, "error"))
    if len(told) > MOST_ISSUES:
        more = f"{len(told) - MOST_ISSUES} more problems are not listed here"
        told = [*told[:MOST_ISSUES], Issue("", more, OTHER_ERROR, "warning")]
    return told


def _batch_header(header: Header, name: str, answering: Answering) -> str:
    fields = [
        name, header.declared, *_sides(header), _stamp(answering.now()), "", "", "", answering.control_id(),
        header.control_id,
    ]  # fmt: skip
    return _line(header, fields)


def _sides(header: Header) -> tuple[str, str, str, str]:
    return header.raw(5), header.raw(6), header.raw(3), header.raw(4)


def _stamp(now: datetime) -> str:
    return now.strftime("%Y%m%d%H%M%S%z")


def _line(header: Header, fields: Sequence[str]) -> str:
    return header.separator.join(fields).rstrip(header.separator)


def _delimiter(header: Header, position: int, usual: str) -> str:
    r"""The character of MSH-2 at this position; some write `^~\\&`, the escape character escaped."""
    declared = header.declared
    if len(declared) > 3 and declared[2] == declared[3]:
        declared = declared[:3] + declared[4:]
    return declared[position] if position < len(declared) else usual


def _escape(header: Header, text: str) -> str:
    """Text of ours between the sender's delimiters, in ASCII and on one line."""
    plain = re.sub(r"[^\x20-\x7e]+", "?", " ".join(text.split()))
    escape = _delimiter(header, 2, "")
    letters = {
        escape: "E",
        header.separator: "F",
        header.component_separator: "S",
        _delimiter(header, 1, ""): "R",
        _delimiter(header, 3, ""): "T",
        _delimiter(header, 4, ""): "P",
    }
    return "".join(
        each if each not in letters else f"{escape}{letters[each]}{escape}" if escape else " "
        for each in plain
    )


def _version(header: Header, answering: Answering) -> tuple[int, ...]:
    """MSH-12 as numbers; `2.3.z` is 2.3, and what is no version counts as the default."""
    written = header.msh(12).strip() or answering.default_version
    numbers = re.match(r"(\d+)\.(\d+)", written) or re.match(r"(\d+)\.(\d+)", answering.default_version)
    return tuple(int(each) for each in numbers.groups()) if numbers else (2, 5)
