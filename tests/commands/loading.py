"""`fhir-server load` as a process of its own, and a look at what it left in the database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

Json = dict[str, Any]


@dataclass
class Loader:
    """Loads into one database; `of` are its resources of a type, as stored."""

    uri: str
    database: str

    @property
    def environment(self) -> dict[str, str]:
        ours = {"FHIR_SERVER_MONGODB_URI": self.uri, "FHIR_SERVER_MONGODB_DATABASE": self.database}
        return {**os.environ, **ours}

    def start(self, *arguments: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command(*arguments), env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip

    def load(self, *arguments: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments),
            env=self.environment,
            text=True,
            capture_output=True,
            timeout=100,
            check=False,
        )

    def documents(self, name: str) -> list[Json]:
        with MongoClient[Json](self.uri) as client:
            return list(client[self.database][name].find())

    def of(self, resource_type: str) -> list[Json]:
        return [document["r"] for document in self.documents(resource_type)]

    def counts(self) -> dict[str, int]:
        """How many resources there are of each type but AuditEvent."""
        with MongoClient[Json](self.uri) as client:
            database: Database[Json] = client[self.database]
            names = [name for name in database.list_collection_names() if name[0].isupper()]
            counted = {name: database[name].count_documents({}) for name in names if name != "AuditEvent"}
        return {name: count for name, count in counted.items() if count}


def command(*arguments: Any) -> list[str]:
    return [sys.executable, "-m", "fhir_server.cli", "load", *map(str, arguments)]


def write(path: Path, *resources: Any) -> Path:
    """A file with these resources, one in a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, resources)))
    return path


def patient(**elements: Any) -> Json:
    return {"resourceType": "Patient", **elements}


def observation(subject: str) -> Json:
    code = {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}
    return {"resourceType": "Observation", "status": "final", "code": code, "subject": {"reference": subject}}


def bundle(kind: str, *resources: Json, **request: str) -> Json:
    """A Bundle that posts the resources under their urn:uuid."""
    entries = [
        {
            "fullUrl": f"urn:uuid:00000000-0000-4000-8000-{at:012}",
            "resource": resource,
            "request": {"method": "POST", "url": resource["resourceType"], **request},
        }
        for at, resource in enumerate(resources)
    ]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def first_urn(at: int = 0) -> str:
    return f"urn:uuid:00000000-0000-4000-8000-{at:012}"
