"""The DICOM listener with pynetdicom's own SCU, and with peers that are no good."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom.data
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from pydicom import dcmread
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from importers.dicom.answers import ELEMENTS_DISCARDED, Answer
from importers.dicom.dimse.batches import Association
from importers.dicom.dimse.limits import Limits, Who
from importers.dicom.dimse.metrics import DimseMetrics
from importers.dicom.dimse.storescp import StoreScp
from importers.dicom.header import Header, Refused
from importers.dicom.intake import Part, opened
from importers.mllp.tls import context
from tests.importers.dicom.dimse.sending import (
    CT,
    ROOT,
    associated,
    image,
    nothing_left_open,
    requested,
    status,
)
from tests.importers.mllp.certificates import Authority

pytestmark = pytest.mark.filterwarnings(
    # Where the other end has closed first, pynetdicom's SCU leaves its socket to the garbage collector.
    "ignore::pytest.PytestUnraisableExceptionWarning"
)


collected = pytest.fixture(autouse=True)(nothing_left_open)


class Kept:
    """A receiver that keeps headers; what has no header it answers as the real one does."""

    def __init__(self) -> None:
        self.headers: list[Header] = []
        self.ends: list[Association] = []
        self.wait = 0.0
        self.fault: Exception | None = None

    def store(self, part: Part, association: Association) -> Answer:
        time.sleep(self.wait)
        if self.fault is not None:
            raise self.fault
        found = opened(part)
        if isinstance(found, Answer):
            return found
        self.headers.append(found)
        return Answer(found.sop_class, found.sop_uid, warning=ELEMENTS_DISCARDED)

    def step(self, uid: str, values: Any, association: Association, *, begun: bool) -> None:
        raise Refused(0x0110, "No steps are kept here")

    def ended(self, association: Association) -> None:
        self.ends.append(association)


class Listening:
    def __init__(self, kept: Kept, scp: StoreScp, port: int, registry: CollectorRegistry) -> None:
        self.kept, self.scp, self.port = kept, scp, port
        self._registry = registry

    def metrics(self) -> str:
        return generate_latest(self._registry).decode()

    def all_ended(self, count: int) -> None:
        until = time.monotonic() + 15
        while len(self.kept.ends) < count:
            assert time.monotonic() < until, self.kept.ends
            time.sleep(0.02)


@contextmanager
def listening(
    *, callers: tuple[str, ...] = (), networks: tuple[str, ...] = (), tls: Any = None, **limits: Any
) -> Iterator[Listening]:
    kept, registry = Kept(), CollectorRegistry()
    who = Who("FHIR_SERVER", callers, [ipaddress.ip_network(each) for each in networks])
    scp = StoreScp(kept, DimseMetrics(registry), who, Limits(**limits), tls)
    port = scp.open("127.0.0.1", 0)
    try:
        yield Listening(kept, scp, port, registry)
    finally:
        scp.close(5)


def test_echo_and_store_from_several_associations_at_once() -> None:
    def send(series: int) -> set[int | None]:
        with associated(at.port, ae=f"CT{series}") as association:
            assert status(association.send_c_echo()) == 0
            return {status(association.send_c_store(image(n, series=series))) for n in range(20)}

    with listening() as at:
        with ThreadPoolExecutor(4) as pool:
            assert set().union(*pool.map(send, range(4))) == {ELEMENTS_DISCARDED}
        assert len({each.sop_uid for each in at.kept.headers}) == 80
        at.all_ended(4)
        assert {each.peer.ae for each in at.kept.ends} == {"CT0", "CT1", "CT2", "CT3"}
        assert [each.instances for each in at.kept.ends] == [20] * 4
        assert {(each.peer.door, each.peer.address) for each in at.kept.ends} == {("C-STORE", "127.0.0.1")}
        assert 'dicom_store_answers_total{status="B006"} 80.0' in at.metrics()
        assert "dicom_associations 0.0" in at.metrics()


FILES = [
    "CT_small.dcm", "MR_small.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "MR_small_RLE.dcm",
    "JPEG2000.dcm", "image_dfl.dcm", "reportsi.dcm", "rtplan.dcm", "waveform_ecg.dcm", "examples_ybr_color.dcm",
]  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_what_pydicom_ships_in_any_transfer_syntax(name: str) -> None:
    path = pydicom.data.get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"{name} is not shipped with this pydicom")
    dataset = dcmread(path)
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    with (
        listening() as at,
        associated(at.port, classes=(dataset.SOPClassUID,), syntaxes=(syntax,)) as association,
    ):
        assert status(association.send_c_store(dataset)) == ELEMENTS_DISCARDED
        [header] = at.kept.headers
        assert (header.sop_uid, header.transfer_syntax) == (dataset.SOPInstanceUID, syntax)


def test_private_classes_and_syntaxes_are_taken() -> None:
    private = "1.2.826.0.1.3680043.8.498.99.1"
    with listening() as at, associated(at.port, classes=(private,)) as association:
        answer = association.send_c_store(image(1, SOPClassUID=private))
        assert status(answer) == ELEMENTS_DISCARDED


def test_storage_commitment_is_not_offered() -> None:
    with listening() as at:
        association = requested(at.port, classes=(StorageCommitmentPushModel,))
        assert association.is_established
        assert [str(each.abstract_syntax) for each in association.rejected_contexts] == [
            StorageCommitmentPushModel
        ]
        association.release()


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"StudyInstanceUID": None}, 0xA900),
        ({"SeriesInstanceUID": ""}, 0xA900),
        ({"StudyInstanceUID": "1." + "1" * 70}, 0xC000),
        ({"StudyInstanceUID": "1.2.x"}, 0xC000),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_lacks_its_uids_is_refused_with_its_status(told: dict[str, Any], expected: int) -> None:
    with listening() as at, associated(at.port) as association:
        dataset = image(1, **told)
        answer = association.send_c_store(dataset)
        assert status(answer) == expected
        assert "UID" in answer.ErrorComment
        assert status(association.send_c_store(image(2))) == ELEMENTS_DISCARDED
        assert len(at.kept.headers) == 1


def test_a_data_set_that_is_not_that_of_the_command_is_refused() -> None:
    with listening() as at, associated(at.port) as association:
        file = BytesIO()
        image(1).save_as(file, implicit_vr=False, little_endian=True)
        request = _store_request(f"{ROOT}.9", file.getvalue())
        association._reactor_checkpoint.clear()
        context_id = association.accepted_contexts[-1].context_id
        assert context_id is not None
        association.dimse.send_msg(request, context_id)
        _, answer = association.dimse.get_msg(block=True)
        association._reactor_checkpoint.set()
        assert getattr(answer, "Status", None) == 0xA900


def _store_request(sop_uid: str, data: bytes) -> Any:
    from pynetdicom.dimse_primitives import C_STORE

    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CT, sop_uid
    request.DataSet = BytesIO(data)
    return request


def test_a_receiver_that_fails_is_answered_and_the_association_goes_on() -> None:
    with listening() as at, associated(at.port) as association:
        at.kept.fault = RuntimeError("Muster^Erika")
        assert status(association.send_c_store(image(1))) == 0x0110
        at.kept.fault = None
        assert status(association.send_c_store(image(1))) == ELEMENTS_DISCARDED


def test_of_large_instances_only_the_header_is_kept() -> None:
    large = image(1, pixels=200 * 1024 * 1024)
    with listening() as at, associated(at.port, max_pdu=0) as association:
        assert status(association.send_c_store(image(2))) == ELEMENTS_DISCARDED
        spool: list[int] = []
        store = at.kept.store

        def watched(part: Part, association: Association) -> Answer:
            assert not isinstance(part.body, dict)
            spool.extend((part.body.size, part.body.kept))
            return store(part, association)

        at.kept.store = watched  # type: ignore[method-assign]
        assert status(association.send_c_store(large)) == ELEMENTS_DISCARDED
        assert spool[0] > 200 * 1024 * 1024
        assert spool[1] < 1024 * 1024


@pytest.mark.parametrize(
    ("told", "settings", "reason"),
    [
        ({"ae": "STRANGER"}, {"callers": ("CT1", "MR2")}, "caller"),
        ({"called": "OTHER"}, {}, "called"),
    ],
)
def test_who_may_not_call_is_rejected(told: Any, settings: Any, reason: str) -> None:
    with listening(**settings) as at:
        assert requested(at.port, **told).is_rejected
        assert f'dicom_associations_refused_total{{reason="{reason}"}} 1.0' in at.metrics()
        assert at.kept.ends == []


def test_addresses_that_may_not_connect_are_closed() -> None:
    with listening(networks=("10.0.0.0/8",)) as at:
        association = requested(at.port)
        assert not association.is_established
        assert 'dicom_associations_refused_total{reason="address"} 1.0' in at.metrics()
    with listening(networks=("127.0.0.0/8",)) as at:
        assert requested(at.port).is_established


def test_more_associations_than_allowed_are_rejected() -> None:
    with listening(associations=2) as at:
        open_ = [requested(at.port) for _ in range(2)]
        assert all(each.is_established for each in open_)
        assert requested(at.port).is_rejected
        assert 'reason="limit"' in at.metrics()
        for each in open_:
            each.release()
        at.all_ended(2)
        with associated(at.port) as association:
            assert status(association.send_c_echo()) == 0


def test_an_abort_in_the_middle_leaves_nothing() -> None:
    with listening() as at:
        association = requested(at.port, max_pdu=16_382)
        file = BytesIO()
        image(1, pixels=1_000_000).save_as(file, implicit_vr=False, little_endian=True)
        context_id = association.accepted_contexts[-1].context_id
        request = _store_request(f"{ROOT}.1.1.1", file.getvalue())
        message = _message(request)
        for number, pdata in enumerate(message.encode_msg(context_id, 16_382)):
            if number == 20:
                break
            association.dul.send_pdu(pdata)
        association.abort()
        at.all_ended(1)
        assert at.kept.headers == []
        with associated(at.port) as again:
            assert status(again.send_c_store(image(1))) == ELEMENTS_DISCARDED


def _message(request: Any) -> Any:
    from pynetdicom.dimse_messages import C_STORE_RQ

    message = C_STORE_RQ()
    message.primitive_to_message(request)
    return message


def _raw(port: int, sent: bytes, seconds: float = 10) -> bytes:
    """What comes back until the listener closes."""
    with socket.create_connection(("127.0.0.1", port), 5) as peer:
        peer.sendall(sent)
        peer.settimeout(seconds)
        received = b""
        try:
            while piece := peer.recv(4096):
                received += piece
        except ConnectionResetError:
            pass
        return received


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 50,
        b"\x0bMSH|^~\\&|\x1c\r",
        b"\x01\x00" + struct.pack(">L", 0xFFFFFFFF) + b"\0" * 100,
        b"\x01\x00" + struct.pack(">L", 68) + b"\xff" * 68,
        b"\x04\x00" + struct.pack(">L", 10) + b"\0" * 10,
        b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00",
        b"\0" * 10_000,
    ],
)
def test_what_is_no_dicom_is_closed_and_the_listener_lives(sent: bytes) -> None:
    with listening(handshake_seconds=2) as at:
        _raw(at.port, sent)
        with associated(at.port) as association:
            assert status(association.send_c_store(image(1))) == ELEMENTS_DISCARDED


def test_a_peer_that_says_nothing_or_stops_in_a_pdu_is_closed() -> None:
    with listening(handshake_seconds=0.5, message_seconds=0.5) as at:
        _raw(at.port, b"", 5)
        _raw(at.port, b"\x01\x00" + struct.pack(">L", 200) + b"\0" * 50, 5)
        with associated(at.port) as association:
            assert status(association.send_c_echo()) == 0


def test_an_oversized_pdu_is_aborted() -> None:
    with listening(pdu_bytes=16_384) as at:
        association = requested(at.port)
        assert association.dul.socket is not None
        assert association.dul.socket.socket is not None
        association.dul.socket.socket.sendall(b"\x04\x00" + struct.pack(">L", 2**31) + b"\0" * 100)
        until = time.monotonic() + 10
        while association.is_established and time.monotonic() < until:
            time.sleep(0.02)
        assert association.is_aborted
        at.all_ended(1)


def test_an_association_that_falls_silent_is_aborted() -> None:
    with listening(idle_seconds=0.5) as at:
        association = requested(at.port)
        at.all_ended(1)
        assert not association.is_established or not association.send_c_echo()


def test_tls_with_certificates_of_clients(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    server, client = authority.sign("server"), authority.sign("client")
    trusting = ssl.create_default_context(cafile=str(authority.path))
    with listening(tls=context(server, None, authority.path), handshake_seconds=2) as at:
        assert not requested(at.port, tls=trusting).is_established
        assert not requested(at.port).is_established
        with socket.create_connection(("127.0.0.1", at.port)):
            # Who does not finish his handshake keeps nobody waiting.
            trusting.load_cert_chain(client)
            with associated(at.port, tls=trusting) as association:
                assert status(association.send_c_store(image(1))) == ELEMENTS_DISCARDED


def test_closing_answers_what_is_in_work() -> None:
    with listening() as at:
        association = requested(at.port)
        at.kept.wait = 0.5
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(association.send_c_store, image(1))
            time.sleep(0.2)
            at.scp.close(5)
            assert status(sending.result()) == ELEMENTS_DISCARDED
        assert len(at.kept.ends) == 1
        assert not requested(at.port).is_established
