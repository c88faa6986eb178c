"""Ends the transactions that a killed load left open.

MongoDB does not end a transaction with the connection that began it. Until its time limit (60 s by default)
its writes stand in the way of those that do the same work again. Each worker of a load tells MongoDB its
name, so that the next load can tell the abandoned ones.

https://www.mongodb.com/docs/manual/reference/operator/aggregation/currentOp/
"""

from __future__ import annotations

import os
import re
import socket
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import psutil
from pymongo import MongoClient
from pymongo.errors import PyMongoError

APPLICATION = "fhir-server load"
STALE_SECONDS = 30
"""A transaction this long without a command is abandoned, whoever began it; if not, it starts again unharmed"""


def named(uri: str) -> str:
    """The connection string with the name of this process, where it has no name of its own."""
    if "appname=" in uri.lower():
        return uri
    scheme, _, rest = uri.partition("://")
    joint = "&" if "?" in rest else "?" if "/" in rest else "/?"
    return f"{scheme}://{rest}{joint}appName={quote(f'{APPLICATION} {socket.gethostname()} {os.getpid()}')}"


def end_abandoned(uri: str) -> None:
    """Ends what dead workers of this machine left, and what has been still for long; does what it may."""
    with suppress(PyMongoError), MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=5000) as client:
        pipeline: list[dict[str, Any]] = [
            {"$currentOp": {"idleSessions": True}},
            {"$match": {"type": "idleSession", "transaction": {"$exists": True}}},
            {"$match": {"appName": {"$regex": f"^{re.escape(APPLICATION)} "}}},
        ]
        with client.admin.aggregate(pipeline) as idle:
            abandoned = [{"id": each["lsid"]["id"]} for each in idle if _is_abandoned(each)]
        if abandoned:
            client.admin.command("killSessions", abandoned)


def _is_abandoned(session: dict[str, Any]) -> bool:
    host, _, pid = session["appName"].removeprefix(f"{APPLICATION} ").rpartition(" ")
    if host == socket.gethostname() and pid.isdecimal() and _is_dead(int(pid)):
        return True
    return bool(session["transaction"].get("timeInactiveMicros", 0) > STALE_SECONDS * 1_000_000)


def _is_dead(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
