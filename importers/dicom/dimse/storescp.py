"""The DICOM listener: C-STORE, C-ECHO and MPPS for the peers that may call, with pynetdicom.

pynetdicom gives each association two threads that look for work a thousand times a second: it runs in a process of its
own (docs/adr/0024-dicom-listener-process.md).

https://dicom.nema.org/medical/dicom/current/output/chtml/part04/chapter_B.html
"""

from __future__ import annotations

import logging
import ssl
import textwrap
import threading
import time
from socketserver import BaseServer
from typing import Any, Protocol

import structlog
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom import AE, _config, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import

from importers.dicom import answers, mpps, tags
from importers.dicom.answers import Answer
from importers.dicom.dataset import only
from importers.dicom.dicom import Peer
from importers.dicom.dimse.batches import Association
from importers.dicom.dimse.limits import Limits, Who
from importers.dicom.dimse.metrics import DimseMetrics
from importers.dicom.dimse.transport import Server
from importers.dicom.header import Refused
from importers.dicom.intake import Part
from importers.dicom.spool import Spool
from resources.codec import Json

_COMMENT = 64
"""Characters of an LO"""
_TICK = 0.02

log = structlog.stdlib.get_logger(__name__)


class Receive(Protocol):
    """What associations hand instances to; called in their threads, one at a time for each association."""

    def store(self, part: Part, association: Association) -> Answer:
        """The answer, once what it says is durable."""
        ...

    def step(self, uid: str, values: Json, association: Association, *, begun: bool) -> None:
        """A performed procedure step is begun or changed, durably; Refused with its status where it cannot be."""
        ...

    def ended(self, association: Association) -> None:
        """The association is over: what came of it is told in the audit trail."""
        ...


class StoreScp:
    """The listener of one address, between `open` and `close`."""

    def __init__(
        self,
        receive: Receive,
        metrics: DimseMetrics,
        who: Who,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._receive = receive
        self._metrics = metrics
        self._who = who
        self._limits = limits or Limits()
        self._tls = tls
        self._open: dict[Any, Association] = {}
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False

    def open(self, host: str, port: int) -> int:
        """Takes associations from now on; the port. Raises OSError where the address cannot be had."""
        _configure()
        handlers: list[Any] = [
            (evt.EVT_ESTABLISHED, self._established),
            (evt.EVT_REJECTED, self._rejected),
            (evt.EVT_C_STORE, self._stored),
            (evt.EVT_N_CREATE, self._begun),
            (evt.EVT_N_SET, self._changed),
        ]
        server = self._entity().make_server(
            (host, port),
            ssl_context=self._tls,
            evt_handlers=handlers,
            server_class=Server,
            limits=self._limits,
            who=self._who,
            refused=self._refused,
            look=self._look,
        )
        assert isinstance(server, Server)
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="dicom", daemon=True)
        self._thread.start()
        return int(server.server_address[1])

    @property
    def works(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def close(self, seconds: float) -> None:
        """Accepts no more; instances in work are answered, as long as `seconds` allow, then associations are aborted."""
        if self._server is None:
            return
        self._stopping = True
        BaseServer.shutdown(self._server)
        until = time.monotonic() + seconds
        while any(each.busy for each in self._open.values()) and time.monotonic() < until:
            time.sleep(_TICK)
        for assoc in self._server.active_associations:
            assoc.abort()
        while self._open and time.monotonic() < until + 1:
            self._look()
            time.sleep(_TICK)
        self._server.server_close()

    def _entity(self) -> AE:
        entity = AE(self._who.ae_title)
        entity.require_called_aet = True
        entity.require_calling_aet = list(self._who.callers)
        entity.maximum_associations = self._limits.associations
        entity.maximum_pdu_size = self._limits.pdu_bytes
        entity.network_timeout = self._limits.idle_seconds
        entity.acse_timeout = self._limits.handshake_seconds
        entity.dimse_timeout = self._limits.idle_seconds
        entity.add_supported_context(Verification, _PLAIN)
        entity.add_supported_context(mpps.SOP_CLASS, _PLAIN)
        return entity

    def _refused(self, reason: str, host: str) -> None:
        self._metrics.refused(reason)
        log.warning("dicom_refused", reason=reason, address=host)

    def _established(self, event: Any) -> None:
        requestor = event.assoc.requestor
        software = requestor.implementation_version_name
        peer = Peer("C-STORE", requestor.address, software, requestor.ae_title.strip())
        self._open[event.assoc] = Association(peer)
        self._metrics.associations.inc()

    def _rejected(self, event: Any) -> None:
        primitive = event.assoc.acceptor.primitive
        reason = _REASONS.get((primitive.result_source, primitive.diagnostic), "other")
        self._refused(reason, event.assoc.requestor.address)

    def _look(self) -> None:
        """Tells of associations that are over, however they ended: their threads have."""
        for assoc in [each for each in self._open if not each.is_alive()]:
            ended = self._open.pop(assoc)
            self._metrics.associations.dec()
            log.info(
                "dicom_association", address=ended.peer.address, ae=ended.peer.ae, instances=ended.instances
            )
            self._receive.ended(ended)

    def _stored(self, event: Any) -> int | Dataset:
        """Never raises: pynetdicom would answer C211 and nothing would say why."""
        association = self._open.get(event.assoc)
        request = event.request
        if association is None or self._stopping:
            return answers.OUT_OF_RESOURCES
        association.busy = True
        started = time.monotonic()
        try:
            part = Part(
                request.DataSet,
                str(event.context.transfer_syntax),
                str(request.AffectedSOPClassUID),
                str(request.AffectedSOPInstanceUID),
            )
            answer = self._receive.store(part, association)
        except Exception:
            log.exception("dicom_failed", address=association.peer.address)
            answer = Answer(failure=answers.PROCESSING_FAILURE)
        finally:
            association.busy = False
        association.instances += 1
        self._metrics.answered(answer.status, time.monotonic() - started)
        return answer.status if not answer.text else _with_comment(answer)

    def _begun(self, event: Any) -> tuple[int | Dataset, Dataset | None]:
        request = event.request
        uid = request.AffectedSOPInstanceUID or generate_uid(prefix=None)
        told = Dataset()
        told.AffectedSOPInstanceUID = uid
        return self._stepped(event, str(uid), request.AttributeList, begun=True), told

    def _changed(self, event: Any) -> tuple[int | Dataset, Dataset | None]:
        request = event.request
        return self._stepped(
            event, str(request.RequestedSOPInstanceUID), request.ModificationList, begun=False
        ), None

    def _stepped(self, event: Any, uid: str, body: Any, *, begun: bool) -> int | Dataset:
        """The status of an N-CREATE or N-SET; never raises, as for instances."""
        association = self._open.get(event.assoc)
        if association is None or self._stopping or not isinstance(body, Spool):
            return answers.PROCESSING_FAILURE
        association.busy = True
        try:
            values, _ = only(body.opened(), str(event.context.transfer_syntax), tags.STEP)
            self._receive.step(uid, values, association, begun=begun)
        except Refused as fault:
            return _with_comment(Answer(failure=fault.status, text=fault.text))
        except Exception:
            log.exception("dicom_step_failed", address=association.peer.address)
            return answers.PROCESSING_FAILURE
        finally:
            association.busy = False
            body.close()
        return answers.SUCCESS


_PLAIN = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
_REASONS = {(1, 3): "caller", (1, 7): "called", (3, 2): "limit"}
"""Source and diagnostic of A-ASSOCIATE-RJ. PS3.8 table 9-21"""


def _with_comment(answer: Answer) -> Dataset:
    """A sentence for a person at the other end."""
    status = Dataset()
    status.Status = answer.status
    status.ErrorComment = textwrap.shorten(answer.text, _COMMENT, placeholder="...")
    return status


def _configure() -> None:
    """Pynetdicom's settings are of the whole process. Its log quotes what it reads: it is not wanted."""
    _config.UNRESTRICTED_STORAGE_SERVICE = True
    _config.LOG_HANDLER_LEVEL = "none"
    logger = logging.getLogger("pynetdicom")
    logger.propagate = False
    logger.handlers = [logging.NullHandler()]
    logger.setLevel(logging.CRITICAL + 1)
