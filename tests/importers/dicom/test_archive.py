"""ZIP files: limits, names, damage."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from importers.dicom import archive
from importers.dicom.archive import ArchiveError, Member, members
from tests.importers.dicom.making import dataset, file


def packed(*named: tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as into:
        for name, content in named:
            into.writestr(name, content)
    return made.getvalue()


def read(raw: bytes, limit: int = archive.MOST_BYTES) -> list[Member]:
    return list(members(io.BytesIO(raw), limit))


def test_members_come_in_their_order_with_what_is_kept() -> None:
    one = file(dataset())
    found = read(packed(("b", one), ("../../a", b"text")))
    assert [each.name for each in found] == ["b", "../../a"]
    assert found[0].spool is not None
    assert found[0].spool.getvalue() == one


def test_what_is_no_instance_by_its_name_is_passed_over() -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as into:
        into.writestr("folder/", "")
        into.writestr("DICOMDIR", "x")
        into.writestr(".hidden", "x")
        into.writestr("__MACOSX/._x", "x")
        into.writestr(link, "/etc/passwd")
    assert all(each.skipped for each in read(made.getvalue()))


def test_a_bomb_is_not_set_off() -> None:
    [member] = read(packed(("bomb", b"\0" * 50_000_000)))
    assert "200-fold" in member.fault


def test_an_archive_inside_is_not_opened() -> None:
    [member] = read(packed(("a.dcm", packed(("b", b"x")))))
    assert "archive inside an archive" in member.fault


def test_too_much_in_all_ends_it() -> None:
    with pytest.raises(ArchiveError, match="more than 1,500 bytes"):
        read(packed(("a", b"x" * 1000), ("b", b"y" * 1000)), limit=1500)


def test_too_many_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_MEMBERS", 2)
    with pytest.raises(ArchiveError, match="3 members"):
        read(packed(("a", b""), ("b", b""), ("c", b"")))


def test_an_encrypted_member_is_told() -> None:
    raw = bytearray(packed(("a", b"x")))
    raw[6] |= 1
    raw[raw.rindex(b"PK\x01\x02") + 8] |= 1
    [member] = read(bytes(raw))
    assert member.fault == "is encrypted"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damage_is_told_and_nothing_else_happens(data: st.DataObject) -> None:
    raw = bytearray(packed(("a", file(dataset())), ("b", b"hello" * 100)))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    for attempt in (bytes(raw), bytes(raw[:cut])):
        try:
            for each in read(attempt):
                if each.spool is not None:
                    each.spool.close()
        except ArchiveError:
            continue
