"""Instances made up for tests, and associations to send them over."""

from __future__ import annotations

import gc
import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association

CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
ROOT = "1.2.826.0.1.3680043.8.498"


def image(number: int, study: int = 1, series: int = 1, pixels: int = 64, **told: Any) -> Any:
    """A CT image; what is told as None is left out."""
    dataset: Any = Dataset()
    dataset.SOPClassUID = CT
    dataset.SOPInstanceUID = f"{ROOT}.{study}.{series}.{number}"
    dataset.StudyInstanceUID = f"{ROOT}.{study}"
    dataset.SeriesInstanceUID = f"{ROOT}.{study}.{series}"
    dataset.Modality = "CT"
    dataset.PatientID = "4711"
    dataset.PatientName = "Muster^Erika"
    dataset.InstanceNumber = number
    dataset.add_new(0x7FE00010, "OW", b"\0" * pixels)
    for name, value in told.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def requested(
    port: int,
    *,
    ae: str = "MODALITY",
    called: str = "FHIR_SERVER",
    classes: tuple[str, ...] = (CT,),
    syntaxes: tuple[str, ...] = (str(ExplicitVRLittleEndian),),
    tls: ssl.SSLContext | None = None,
    max_pdu: int = 16_382,
) -> Association:
    """An association as it was answered: established, rejected or aborted."""
    entity = AE(ae)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 20
    entity.add_requested_context(VERIFICATION)
    for sop_class in classes:
        entity.add_requested_context(sop_class, list(syntaxes))
    named: dict[str, Any] = {"tls_args": (tls, "127.0.0.1")} if tls is not None else {}
    return entity.associate("127.0.0.1", port, ae_title=called, max_pdu=max_pdu, **named)


@contextmanager
def associated(port: int, **told: Any) -> Iterator[Association]:
    association = requested(port, **told)
    assert association.is_established
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def nothing_left_open() -> Iterator[None]:
    """For a fixture: pynetdicom's SCU leaves its socket to the collector where the other end closed first, and what is
    collected during a later test fails that one.
    """
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def status(answer: Any) -> int | None:
    """Of a response; None where none came."""
    found = answer.get("Status")
    return None if found is None else int(found)
