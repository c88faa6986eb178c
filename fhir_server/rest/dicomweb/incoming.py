"""A request of DICOMweb as its services get it."""

from __future__ import annotations

from dataclasses import dataclass

from fhir_server.rest.exchange import HttpRequest, Receive, Scope


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request whose body has not been read."""

    http: HttpRequest
    scope: Scope
    receive: Receive
