"""What MongoDB's errors mean to a caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bson.errors import InvalidDocument
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    DocumentTooLarge,
    DuplicateKeyError,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)

from resources.outcome import FHIRError, too_costly, too_large, unavailable, unprocessable


class WriteConflict(Exception):
    """Another write came first: nothing was written, start again from reading."""


TOO_LARGE_DOCUMENT = {10334, 17280, 17419, 17420}
TOO_LARGE_TRANSACTION = {257, 290, 388}
"""TransactionTooLarge, TransactionExceededLifetimeLimitSeconds, TransactionTooLargeForCache"""
CONFLICT = {112, 11000, 251, 246, 24}
"""WriteConflict, DuplicateKey, NoSuchTransaction, SnapshotUnavailable, LockTimeout"""
TOO_DEEP = {15}
"""Overflow: nested too deeply"""
AWAY = {6, 7, 18, 89, 91, 189, 262, 317, 9001, 10107, 11600, 11602, 13435, 13436}
"""Host unreachable, being shut down, not primary (yet) … : MongoDB is on its way out or in"""


def translated(fault: BaseException) -> BaseException:
    """The `WriteConflict` or FHIRError that a PyMongo error stands for; what is unknown stays as it is."""
    if isinstance(fault, DocumentTooLarge):
        return too_large("The resource is larger than the 16 MB that one document may have")
    if isinstance(fault, InvalidDocument | OverflowError):
        return unprocessable(f"The resource cannot be stored: {str(fault)[:200]}", code="value")
    if not isinstance(fault, PyMongoError):
        return fault
    if isinstance(fault, OperationFailure):
        return _operation_failure(fault)
    if isinstance(fault, ConnectionFailure):
        return away()
    return fault


def _operation_failure(fault: OperationFailure) -> BaseException:
    codes = {fault.code}
    if isinstance(fault, BulkWriteError):
        codes |= {error.get("code") for error in fault.details.get("writeErrors", [])}
    if codes & TOO_LARGE_DOCUMENT:
        return too_large("The resource is larger than the 16 MB that one document may have")
    if codes & TOO_LARGE_TRANSACTION:
        return too_costly(
            "The transaction is larger than MongoDB can commit at once; nothing was written. Split it"
        )
    if codes & TOO_DEEP:
        return unprocessable("The resource is nested too deeply to be stored", code="too-costly")
    if isinstance(fault, DuplicateKeyError) or codes & CONFLICT:
        return WriteConflict(str(fault))
    if isinstance(fault, ExecutionTimeout):
        return FHIRError(503, too_costly("The search took longer than allowed and was stopped").issues)
    if isinstance(fault, WTimeoutError) or codes & AWAY:
        return away()
    if fault.has_error_label("TransientTransactionError"):
        return WriteConflict(str(fault))
    return fault


def away() -> FHIRError:
    return unavailable(
        "The database cannot be reached at the moment; nothing was answered or changed. Try again"
    )


@contextmanager
def faults() -> Iterator[None]:
    """Lets PyMongo errors out as what they mean."""
    try:
        yield
    except Exception as fault:
        meant = translated(fault)
        if meant is fault:
            raise
        raise meant from fault
