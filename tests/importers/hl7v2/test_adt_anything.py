"""Whatever stands in the fields of an ADT message, what becomes of it is valid, and nothing breaks."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from importers.hl7v2 import er7
from importers.hl7v2.config import FeedConfig
from importers.hl7v2.conversion import ConversionError
from importers.hl7v2.convert import MESSAGES, convert
from resources import validation
from tests.importers.hl7v2.facts import bundle

EVENTS = sorted(name.partition("^")[2] for name in MESSAGES if name.startswith("ADT^"))
_LENGTHS = {
    "PD1": 22, "NK1": 41, "PV2": 50, "AL1": 6, "IAM": 30, "IAR": 5, "DG1": 26, "PRB": 28, "PR1": 25, "GT1": 57,
    "IN1": 55, "IN2": 72, "ROL": 14, "PRT": 24, "ARV": 6, "OBX": 25, "NTE": 4, "MRG": 7, "ACC": 12, "ZBE": 9,
}  # fmt: skip
_TEXTS = st.sampled_from(
    [
        "", "", "", '""', "1", "0", "Y", "N", "D", "A", "20240301", "20240301080000+0100", "2024", "19991332", "0000",
        "99991231", "18000101", "SEL", "SPO", "M", "F", "I", "O", "SV", "a b  c", " ", "\\T\\", "\\X0D0A\\", "x" * 300,
        "00001", "NN", "NNNLD", "MR", "SS", "VN", "1.2.840", "urn:oid:1.2", "http://a.example/b|c", "|", "é", "\u200b",
        "-1", "1e5", "3.5", "IN|IT", "\x07", "2024-03-01", "20240301120000.12345-1399", "\\.br\\", "LN", "I10", "PP",
    ]
)  # fmt: skip
_COMPONENTS = st.lists(_TEXTS, min_size=1, max_size=14).map("^".join)
_FIELDS = st.lists(st.one_of(_TEXTS, _COMPONENTS), min_size=1, max_size=3).map("~".join)


def _segment(name: str, length: int) -> st.SearchStrategy[str]:
    return st.lists(_FIELDS, min_size=1, max_size=length).map(lambda fields: "|".join([name, *fields]))


_OTHERS = st.lists(
    st.sampled_from(sorted(_LENGTHS)).flatmap(lambda name: _segment(name, _LENGTHS[name])), max_size=8
)


@settings(max_examples=150, deadline=None)
@given(event=st.sampled_from(EVENTS), pid=_segment("PID", 39), pv1=_segment("PV1", 54), others=_OTHERS)
@example("A01", "PID|1||1^^^A^MR||B^C^^^^^^^^^^20240302^20240301", "PV1|1|I", [])
@example("A01", "PID|1||1^^^A^MR^^20240302^20240301||B", "PV1|1|I", ["IN1|1|2|3|4||||||||20240301|20230101"])
@example("A01", "PID|1||1||B", "PV1|1|I", ["NK1|1|A^B|SPO||||C|20240302|20240301"])
def test_is_valid_or_refused(event: str, pid: str, pv1: str, others: list[str]) -> None:
    header = f"MSH|^~\\&|A|B|C|D|20240301080000||ADT^{event}|1|P|2.5.1"
    evn = f"EVN|{event}|20240301080000"
    text = "\r".join([header, evn, pid, pv1, *others]) + "\r"
    try:
        conversion = convert(er7.parse(text), FeedConfig(), "row")
    except ConversionError:
        return
    for entry in bundle(conversion).get("entry", []):
        issues = validation.validate(entry["resource"])
        assert [issue for issue in issues if issue.severity in {"error", "fatal"}] == []


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_is_mapped_or_refused_without_segments(event: str) -> None:
    with pytest.raises(ConversionError, match="PID"):
        convert(
            er7.parse(f"MSH|^~\\&|A|B|C|D|20240301||ADT^{event}|1|P|2.5.1\rEVN||20240301\r"), FeedConfig()
        )
