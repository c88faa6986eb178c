from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.mllp.framing import HEAD_BYTES, Decoder, Event, Frame, Junk, Part, frame

A = b"MSH|^~\\&|LAB|H|EHR|H|20260101||ORU^R01|1|P|2.5\rPID|1||7\r"
B = b"MSH|^~\\&|LAB|H|EHR|H|20260101||ADT^A08|2|P|2.5\rPID|1||8\r"
CASES: dict[str, tuple[bytes, list[Event]]] = {
    "one": (frame(A), [Frame(A)]),
    "two in one packet": (frame(A) + frame(B), [Frame(A), Frame(B)]),
    "blank lines between": (frame(A) + b"\r\n \x00\r\n" + frame(B), [Frame(A), Frame(B)]),
    "doubled FS": (b"\x0b" + A + b"\x1c\x1c\r" + frame(B), [Frame(A, tidy=False), Frame(B)]),
    "doubled end": (b"\x0b" + A + b"\x1c\r\x1c\r" + frame(B), [Frame(A), Frame(B)]),
    "doubled VT": (b"\x0b" + frame(A), [Frame(A)]),
    "FS without CR, next block": (b"\x0b" + A + b"\x1c" + frame(B), [Frame(A, tidy=False), Frame(B)]),
    "FS LF, next block": (b"\x0b" + A + b"\x1c\n" + frame(B), [Frame(A, tidy=False), Frame(B)]),
    "FS without CR, end": (b"\x0b" + A + b"\x1c", [Frame(A, tidy=False)]),
    "FS in content": (frame(A + b"NTE|1||a\x1cb\r"), [Frame(A + b"NTE|1||a\x1cb\r")]),
    "VT in content": (frame(A + b"NTE|1||a\x0bb\r"), [Frame(A + b"NTE|1||a\x0bb\r")]),
    "no end, next block": (b"\x0b" + A + frame(B), [Part(A, "unfinished"), Frame(B)]),
    "no end, blank line, next block": (b"\x0b" + A + b"\x0b\r\n" + B + b"\x1c\r",
                                       [Part(A, "unfinished"), Frame(b"\r\n" + B)]),
    "no end, next block with BOM": (b"\x0b" + A + frame(b"\xef\xbb\xbf" + B),
                                    [Part(A, "unfinished"), Frame(b"\xef\xbb\xbf" + B)]),
    "no end, next block is a batch": (b"\x0b" + A + frame(b"FHS|^~\\&\r"),
                                      [Part(A, "unfinished"), Frame(b"FHS|^~\\&\r")]),
    "end of stream within": (frame(A) + b"\x0b" + B, [Frame(A), Part(B, "truncated")]),
    "end of stream after VT": (frame(A) + b"\x0b", [Frame(A)]),
    "empty": (frame(b"") + frame(A), [Frame(b""), Frame(A)]),
    "BOM stays": (frame(b"\xef\xbb\xbf" + A), [Frame(b"\xef\xbb\xbf" + A)]),
    "junk before": (b"hello\r\n" + frame(A), [Junk(7, b"hello\r\n"), Frame(A)]),
    "junk between": (frame(A) + b"xx" + frame(B), [Frame(A), Junk(2, b"xx"), Frame(B)]),
    "junk alone": (b"hello", [Junk(5, b"hello")]),
    "nothing": (b"", []),
}  # fmt: skip


def decoded(*pieces: bytes, max_bytes: int = 1_000_000, max_junk: int = 1000) -> list[Event]:
    decoder = Decoder(max_bytes, max_junk)
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.eof()


@pytest.mark.parametrize("name", CASES)
def test_whole_in_two_and_byte_by_byte_give_the_same(name: str) -> None:
    stream, expected = CASES[name]
    assert decoded(stream) == expected
    for cut in range(len(stream) + 1):
        assert decoded(stream[:cut], stream[cut:]) == expected, cut
    assert decoded(*(stream[at : at + 1] for at in range(len(stream)))) == expected


PIECES = st.lists(
    st.one_of(
        st.sampled_from([b"\x0b", b"\x1c", b"\r", b"\x1c\r", b"MSH|", b"FHS", b"\xef\xbb\xbf", A, frame(B)]),
        st.binary(max_size=30),
    ),
    max_size=25,
)


@given(st.lists(PIECES, max_size=4), st.integers(1, 200), st.integers(1, 40))
def test_no_cut_changes_what_is_read(parts: list[list[bytes]], max_bytes: int, max_junk: int) -> None:
    pieces = [piece for part in parts for piece in part]
    stream = b"".join(pieces)
    whole = decoded(stream, max_bytes=max_bytes, max_junk=max_junk)
    assert decoded(*pieces, max_bytes=max_bytes, max_junk=max_junk) == whole
    assert decoded(*(bytes([each]) for each in stream), max_bytes=max_bytes, max_junk=max_junk) == whole


@given(st.lists(st.tuples(st.binary(max_size=40), st.text("abc \r\n", max_size=5)), max_size=6), st.data())
def test_every_message_comes_out_as_it_went_in(sent: list[tuple[bytes, str]], data: st.DataObject) -> None:
    messages = [b"MSH|" + body.translate(None, b"\x0b\x1c") for body, _ in sent]
    stream = b"".join(
        frame(message) + junk.encode() for message, (_, junk) in zip(messages, sent, strict=True)
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    events = [event for event in decoded(*pieces) if not isinstance(event, Junk)]
    assert events == [Frame(message) for message in messages]


def test_silence_after_fs_ends_a_block_and_silence_elsewhere_does_not() -> None:
    decoder = Decoder(1000)
    decoder.feed(b"\x0b" + A)
    assert (decoder.inside, decoder.ending, decoder.settle()) == (True, False, [])
    assert decoder.feed(b"\x1c") == []
    assert decoder.ending
    assert decoder.settle() == [Frame(A, tidy=False)]
    assert not decoder.inside
    assert decoder.feed(b"\r" + frame(B)) == [Frame(B)]


def test_size_is_what_the_block_has_so_far() -> None:
    decoder = Decoder(1000)
    decoder.feed(b"\x0b" + A)
    assert decoder.size == len(A)
    decoder.feed(b"\x1c\r")
    assert (decoder.size, decoder.inside) == (0, False)


def test_a_message_of_the_most_is_read_and_one_of_a_byte_more_is_not() -> None:
    assert decoded(frame(A), max_bytes=len(A)) == [Frame(A)]
    [part] = decoded(frame(A), max_bytes=len(A) - 1)
    assert part == Part(A[:-1], "too-large")


def test_500_megabytes_are_refused_at_the_cap_and_not_kept() -> None:
    decoder = Decoder(1_000_000)
    chunk = b"x" * 65536
    events = decoder.feed(b"\x0b" + A)
    fed = 0
    while not decoder.closed:
        events += decoder.feed(chunk)
        fed += len(chunk)
    assert fed < 1_200_000
    [part] = events
    assert isinstance(part, Part)
    assert part.reason == "too-large"
    assert part.body.startswith(A)
    assert len(part.body) == HEAD_BYTES
    for _ in range(100):
        assert decoder.feed(chunk) == []
    assert decoder.size == 0
    assert decoder.eof() == []


def test_one_large_read_is_not_kept_beyond_the_cap() -> None:
    [part] = decoded(b"\x0b" + b"x" * 5_000_000 + b"\x1c\r" + frame(A), max_bytes=100_000)
    assert isinstance(part, Part)
    assert part.reason == "too-large"


def test_junk_beyond_its_limit_closes() -> None:
    decoder = Decoder(1000, max_junk=100)
    assert decoder.feed(b"j" * 100) == []
    assert decoder.feed(b"j") == [Junk(100, b"j" * 64)]
    assert decoder.closed
    assert decoder.feed(frame(A)) == []


def test_blank_lines_are_no_junk_however_many() -> None:
    assert decoded(b"\r\n" * 10_000 + frame(A), max_junk=10) == [Frame(A)]


@pytest.mark.parametrize(
    ("junk", "kind"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00", "a TLS handshake"),
        (b"GET / HTTP/1.1\r\n", "an HTTP request"),
        (b"OPTIONS * HTTP/1.1\r\n", "an HTTP request"),
        (A, "HL7 without MLLP framing"),
        (b"\x00\x01\x02", "unknown"),
    ],
)
def test_what_comes_instead_of_blocks_is_told_by_its_kind(junk: bytes, kind: str) -> None:
    [told] = decoded(junk)
    assert isinstance(told, Junk)
    assert told.kind == kind


@pytest.mark.parametrize("filling", [b"OBX|1|ED|", b"\x1c", b"\x0b", b"\x0b\x1c", b"\x1c\x0bx"])
def test_time_grows_with_the_length_alone(filling: bytes) -> None:
    """2 MB in small reads; were it quadratic, this would take an hour."""
    stream = b"\x0b" + A + filling * (2_000_000 // len(filling)) + b"\x1c\r"
    decoder = Decoder(20_000_000)
    before = time.process_time()
    for at in range(0, len(stream), 1460):
        decoder.feed(stream[at : at + 1460])
    assert time.process_time() - before < 10
    assert not decoder.inside
