from __future__ import annotations

import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.dicom import part10
from importers.dicom.header import NotDicom, Refused
from tests.importers.dicom.making import EXPLICIT, dataset, file


def test_where_the_data_set_begins() -> None:
    body = file(dataset())
    begins = part10.beginning(io.BytesIO(body))
    assert begins.transfer_syntax == EXPLICIT
    assert body[begins.offset : begins.offset + 4] == b"\x08\x00\x16\x00"


def test_without_preamble() -> None:
    body = file(dataset())
    assert part10.beginning(io.BytesIO(body[132:])).transfer_syntax == EXPLICIT
    bare = part10.beginning(io.BytesIO(body[part10.beginning(io.BytesIO(body)).offset :]))
    assert (bare.offset, bare.transfer_syntax) == (0, "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"DICM",
        b"%PDF-1.7 and more",
        b"\x89PNG\r\n\x1a\n" + bytes(200),
        b"PK\x03\x04" + bytes(200),
        bytes(128),
        bytes(500),
        b"Dear colleague, this is no DICOM.",
        b"\x08\x00\x16\x00\xff\xff\xff\x7f" + bytes(40),
        b"\x08\x00",
    ],
)
def test_what_is_no_dicom(body: bytes) -> None:
    with pytest.raises(NotDicom):
        part10.beginning(io.BytesIO(body))


@given(st.binary(max_size=300))
def test_garbage_is_refused_or_has_a_beginning(body: bytes) -> None:
    try:
        begins = part10.beginning(io.BytesIO(body))
    except (NotDicom, Refused):
        return
    assert 0 <= begins.offset <= len(body)


def test_byte_order_is_seen() -> None:
    assert part10.is_little_endian(b"\x08\x00\x05\x00CS")
    assert not part10.is_little_endian(b"\x00\x08\x00\x05CS")


def test_inflating_ends_at_the_limit() -> None:
    compress = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = compress.compress(bytes(50_000_000)) + compress.flush()
    assert len(part10.inflated(io.BytesIO(bomb), 1_000_000).read()) == 1_000_000


def test_damaged_and_truncated_deflate() -> None:
    compress = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    good = compress.compress(bytes(range(256)) * 40) + compress.flush()
    assert part10.inflated(io.BytesIO(good), 1_000_000).read() == bytes(range(256)) * 40
    with pytest.raises(Refused, match="truncated"):
        part10.inflated(io.BytesIO(good[:-5]), 1_000_000)
    with pytest.raises(Refused, match="damaged"):
        part10.inflated(io.BytesIO(b"\xff" * 100), 1_000_000)
