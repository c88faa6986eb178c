"""What MongoDB's errors mean to a caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from bson.errors import InvalidDocument
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    DuplicateKeyError,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)

from resources.outcome import FHIRError, too_costly, too_large, unavailable, unprocessable

log = structlog.get_logger()


class WriteConflict(Exception):
    """Another write came first: nothing was written, start again from reading."""


class CacheFull(WriteConflict):
    """The same, because MongoDB's cache could not hold all that was to change at once."""


class Away(FHIRError):
    """503: MongoDB cannot be reached, or was lost on the way. To try again at once would only take longer."""


class TooSlow(FHIRError):
    """503: MongoDB stopped a query that took longer than it may."""


TOO_LARGE_DOCUMENT = {10334, 17280, 17419, 17420}
TOO_LARGE_TRANSACTION = {257, 290, 388}
"""TransactionTooLarge, TransactionExceededLifetimeLimitSeconds, TransactionTooLargeForCache"""
TOO_MUCH_TO_SORT = {292}
"""QueryExceededMemoryLimitNoDiskUseAllowed: 100 MB, of documents"""
BAD_VALUE, WRITE_CONFLICT, DUPLICATE_KEY = 2, 112, 11000
CONFLICT = {WRITE_CONFLICT, DUPLICATE_KEY, 251, 246, 24}
"""WriteConflict, DuplicateKey, NoSuchTransaction, SnapshotUnavailable, LockTimeout"""
TOO_DEEP = {15}
"""Overflow: nested too deeply"""
AWAY = {6, 7, 18, 89, 91, 94, 134, 189, 211, 262, 317, 9001, 10107, 11600, 11601, 11602, 13435, 13436}
"""Host unreachable, being shut down, not primary (yet), no keys to sign with yet, killed … : MongoDB is on its way out or in"""


def translated(fault: BaseException) -> BaseException:
    """The `WriteConflict` or FHIRError that a PyMongo error stands for; what is unknown stays as it is."""
    if isinstance(fault, DocumentTooLarge):
        return too_large("The resource is larger than the 16 MB that one document may have")
    if isinstance(fault, InvalidDocument | OverflowError):
        return unprocessable(f"The resource cannot be stored: {str(fault)[:200]}", code="value")
    if not isinstance(fault, PyMongoError):
        return fault
    # First: after a lost commit nothing else can be said, whatever the error is.
    if fault.has_error_label("UnknownTransactionCommitResult"):
        return in_doubt()
    if isinstance(fault, OperationFailure):
        return _operation_failure(fault)
    # Configuration: a mongod that is just starting says that it has no sessions (yet).
    if isinstance(fault, ConnectionFailure | ConfigurationError):
        return away()
    return fault


def _operation_failure(fault: OperationFailure) -> BaseException:
    codes, text = {fault.code}, str(fault)
    if isinstance(fault, BulkWriteError):
        codes |= {error.get("code") for error in fault.details.get("writeErrors", [])}
    if codes & TOO_LARGE_DOCUMENT or (BAD_VALUE in codes and "too large" in text):
        return too_large("The resource is larger than the 16 MB that one document may have")
    if codes & TOO_LARGE_TRANSACTION:
        return too_much()
    if codes & TOO_DEEP:
        return unprocessable("The resource is nested too deeply to be stored", code="too-costly")
    if WRITE_CONFLICT in codes and "Cache full" in text:
        return CacheFull(text)
    if isinstance(fault, DuplicateKeyError) or codes & CONFLICT:
        return WriteConflict(text)
    if isinstance(fault, ExecutionTimeout):
        return TooSlow(503, too_costly("The search took longer than allowed and was stopped").issues)
    if codes & TOO_MUCH_TO_SORT:
        return too_costly(
            "More matches, or larger ones, than can be sorted. Narrow the search, or sort by _id"
        )
    if isinstance(fault, WTimeoutError) or codes & AWAY:
        return away()
    if fault.has_error_label("TransientTransactionError"):
        return WriteConflict(text)
    return fault


def away() -> FHIRError:
    return _away("The database cannot be reached at the moment; nothing was answered or changed. Try again")


def in_doubt() -> FHIRError:
    return _away(
        "The database was lost while it made a write durable, so that the write may or may not have been done. "
        "Look what is there before you repeat it"
    )


def too_much() -> FHIRError:
    text = "The transaction is larger, or took longer, than MongoDB allows; nothing was written. Split it"
    return too_costly(text)


def refused(fault: BaseException) -> FHIRError:
    """For an AuditEvent that cannot be written though MongoDB is there: without it the access must not be."""
    log.error("audit_refused", error=type(fault).__name__, code=getattr(fault, "code", None))
    return unavailable("The audit trail cannot be written; without it nothing is answered or changed")


def only_duplicates(fault: BaseException) -> bool:
    """Whether all that is wrong with an insert is that the documents are there already."""
    if not isinstance(fault, BulkWriteError) or fault.details["writeConcernErrors"]:
        return False
    return {error["code"] for error in fault.details["writeErrors"]} == {DUPLICATE_KEY}


def _away(text: str) -> Away:
    fault = unavailable(text)
    return Away(fault.status, fault.issues, fault.headers)


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
