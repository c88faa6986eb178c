from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.dicom.multipart import Multipart, MultipartError, media_type


class Parts:
    """What a body was taken apart into: (Content-Type, bytes, whether it is whole)."""

    def __init__(self) -> None:
        self.types: list[str] = []
        self.bodies: list[BytesIO] = []
        self.ended = 0

    def begin(self, content_type: str) -> BytesIO:
        self.types.append(content_type)
        self.bodies.append(BytesIO())
        return self.bodies[-1]

    def end(self) -> None:
        self.ended += 1

    @property
    def whole(self) -> list[bytes]:
        return [each.getvalue() for each in self.bodies[: self.ended]]


def body(*parts: bytes, boundary: bytes = b"B", close: bool = True) -> bytes:
    made = b"".join(
        b"--%b\r\nContent-Type: application/dicom\r\n\r\n%b\r\n" % (boundary, part) for part in parts
    )
    return made + (b"--%b--\r\n" % boundary if close else b"")


def parted(raw: bytes, size: int = 0, **settings: int) -> Parts:
    parts = Parts()
    multipart = Multipart("B", parts.begin, parts.end, **settings)
    for start in range(0, len(raw), size or max(len(raw), 1)):
        multipart.feed(raw[start : start + (size or len(raw))])
    multipart.close()
    return parts


def test_parts_are_taken_out_wherever_the_stream_is_cut() -> None:
    contents = [b"one", b"", b"\r\n-", b"\r\n--A--\r\n--", b"\x00\r\n\r\n\xff"]
    raw = body(*contents)
    for size in range(1, len(raw) + 1):
        parts = parted(raw, size)
        assert parts.whole == contents
        assert parts.types == ["application/dicom"] * len(contents)


@given(
    st.lists(st.binary(max_size=200).filter(lambda part: b"--B" not in part), min_size=1, max_size=5),
    st.integers(1, 64),
)
def test_any_content_comes_out_as_it_went_in(contents: list[bytes], size: int) -> None:
    assert parted(body(*contents), size).whole == contents


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_at_all_are_parts_or_an_error_that_quotes_none_of_them(raw: bytes, size: int) -> None:
    try:
        parted(b"--B\r\n" + raw, size)
    except MultipartError as fault:
        told = str(fault)
    else:
        return
    assert told.isascii()


def test_what_stands_before_the_first_and_behind_the_last_boundary_means_nothing() -> None:
    parts = parted(b"This is a message\r\n" + body(b"x") + b"and more of it", 7)
    assert parts.whole == [b"x"]


def test_parts_that_were_ended_stay_when_the_body_breaks_off() -> None:
    parts = Parts()
    multipart = Multipart("B", parts.begin, parts.end)
    multipart.feed(body(b"whole", b"cut off")[:-10])
    with pytest.raises(MultipartError, match="closing boundary"):
        multipart.close()
    assert parts.whole == [b"whole"]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "closing boundary"),
        (b"--OTHER\r\n\r\n\r\n--OTHER--\r\n", "closing boundary"),
        (body(b"x").replace(b"\r\n", b"\n"), "CR LF"),
        (b"--B\r\nno colon\r\n\r\nx\r\n--B--\r\n", "CR LF"),
        (b"--B\r\n" + b"X: y\r\n" * 1000 + b"\r\nx\r\n--B--\r\n", "CR LF"),
        (b"--B\r\nX: " + b"y" * 100_000 + b"\r\n\r\nx\r\n--B--\r\n", "CR LF"),
        (b"x" * 70_000, "does not begin the body"),
    ],
)
def test_what_is_no_multipart_is_told(raw: bytes, told: str) -> None:
    with pytest.raises(MultipartError, match=told):
        parted(raw)


def test_more_parts_than_allowed_are_refused() -> None:
    assert parted(body(*[b"x"] * 3), max_parts=3).ended == 3
    with pytest.raises(MultipartError, match="more than 3 parts"):
        parted(body(*[b"x"] * 4), max_parts=3)


@pytest.mark.parametrize("boundary", ["", "B" * 300])
def test_a_boundary_that_cannot_be_one_is_told(boundary: str) -> None:
    parts = Parts()
    with pytest.raises(MultipartError, match=r"(?i)boundary"):
        Multipart(boundary, parts.begin, parts.end)


@pytest.mark.parametrize(
    "header",
    [
        'multipart/related; type="application/dicom"; boundary="a b"',
        'Multipart/Related;type=application/dicom;BOUNDARY="a b"',
        'multipart/related; boundary="a b"; start="<x>"; type="application/dicom"',
    ],
)
def test_content_type_is_read_with_and_without_quotes(header: str) -> None:
    read = media_type(header)
    assert read.name == "multipart/related"
    assert (read.parameters["type"], read.parameters["boundary"]) == ("application/dicom", "a b")


@pytest.mark.parametrize("header", ["", ";", "multipart"])
def test_what_is_no_content_type_has_no_parameters(header: str) -> None:
    assert media_type(header).parameters == {}


@given(st.text(max_size=100))
def test_any_content_type_is_read(header: str) -> None:
    assert isinstance(media_type(header).name, str)
