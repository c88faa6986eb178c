"""A fresh or restarted `mongod` becomes the primary of its one-member replica set, with our one user.

https://www.mongodb.com/docs/manual/core/localhost-exception/
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from fhir_server.store.mongod_binary import MongodError

NAME = "fhir"
USER = "fhir"

_UNAUTHORIZED, _AUTHENTICATION_FAILED = 13, 18

Client = MongoClient[dict[str, Any]]


def uri(port: int, password: str) -> str:
    # Direct: the member's address is known, and nothing has to be discovered after a restart.
    return f"mongodb://{USER}:{password}@127.0.0.1:{port}/?directConnection=true&authSource=admin"


def make_primary(port: int, password: str, *, still_alive: Callable[[], None], seconds: float = 600) -> None:
    """Return once it takes writes; initiates, moves to another port and creates the user as needed.

    Each step may have been cut off by a crash the last time and is repeated safely. `still_alive` is called
    between steps and raises to give up; MongodError after `seconds` (a long recovery is allowed for).
    """
    deadline = time.monotonic() + seconds
    anonymous: Client = MongoClient("127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=2000)
    with anonymous:
        while not _step(anonymous, port, password):
            still_alive()
            if time.monotonic() > deadline:
                raise MongodError(f"mongod on port {port} did not become ready within {seconds:.0f} s.")
            time.sleep(0.01)


def _step(anonymous: Client, port: int, password: str) -> bool:
    """One try towards a primary; True when it is one and the user can log in."""
    try:
        hello = anonymous.admin.command("hello")
        if hello.get("isreplicaset"):
            _configure(anonymous, port, password)
            return False
        if not hello.get("isWritablePrimary"):
            return False
        if not _can_log_in(port, password):
            _create_user(anonymous, password)
            return False
    except OperationFailure as error:
        if error.code == _UNAUTHORIZED:
            raise MongodError(
                "The embedded MongoDB does not accept the password in the file 'credentials' of its folder. "
                "Restore that file from a backup, or use another --data-dir."
            ) from error
        # It was still starting, or did at the same moment what we asked for.
        return False
    except PyMongoError:
        return False
    return True


def _configure(anonymous: Client, port: int, password: str) -> None:
    """Initiate a new replica set, or tell an old one (now on another port) its new address."""
    address = f"127.0.0.1:{port}"
    if not _can_log_in(port, password):
        members = [{"_id": 0, "host": address}]
        anonymous.admin.command("replSetInitiate", {"_id": NAME, "members": members})
        return
    with _owner(port, password) as owner:
        config = owner.admin.command("replSetGetConfig")["config"]
        if config["members"][0]["host"] != address:
            config["members"][0]["host"] = address
            config["version"] += 1
            owner.admin.command("replSetReconfig", config, force=True)


def _owner(port: int, password: str) -> Client:
    # A new client each time: after a failed login one waits up to ten seconds before it tries again.
    return MongoClient(uri(port, password), serverSelectionTimeoutMS=2000)


def _can_log_in(port: int, password: str) -> bool:
    try:
        with _owner(port, password) as owner:
            owner.admin.command("ping")
    except OperationFailure as error:
        if error.code == _AUTHENTICATION_FAILED:
            return False
        raise
    return True


def _create_user(anonymous: Client, password: str) -> None:
    anonymous.admin.command("createUser", USER, pwd=password, roles=["root"])
