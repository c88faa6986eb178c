"""Every setting of the server in one documented class; `python -m fhir_server.settings` prints them as Markdown."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "FHIR_SERVER_"

Bytes = Annotated[int, Field(ge=1024, le=2**31)]
Count = Annotated[int, Field(ge=1, le=10_000)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class Settings(BaseSettings):
    """What an operator may choose, read from `FHIR_SERVER_<NAME>` (upper case) or given by the command line.

    Sizes are bytes and times are seconds unless the name says otherwise. Immutable once built; a value out of
    bounds raises `pydantic.ValidationError`.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on. Only loopback is possible as long as no access control is configured.",
    )
    port: int = Field(default=8080, ge=0, le=65535, description="TCP port to listen on; 0 takes a free one.")
    workers: int = Field(default=1, ge=1, le=64, description="Server processes that share the port.")
    base_url: str = Field(
        default="",
        description="FHIR base URL as clients see it, used in links and `Location`. "
        "Empty: `http://<host>:<port>/fhir`.",
    )
    data_dir: Path = Field(
        default=Path("~/.local/share/fhir-server"),
        description="Folder of the embedded MongoDB: data, credentials, its log. `make serve` uses `./data`.",
    )

    mongodb_uri: SecretStr = Field(
        default=SecretStr(""),
        description="Connection string of a replica set or sharded cluster (MongoDB 4.4 to 8). "
        "Empty: the embedded MongoDB.",
    )
    mongodb_database: str = Field(
        default="fhir", pattern=r"^[A-Za-z0-9_-]{1,38}$", description="Name of the database in MongoDB."
    )
    mongodb_timeout_seconds: Seconds = Field(
        default=2.0,
        description="How long a request waits for an unreachable MongoDB before it is answered with 503.",
    )
    mongodb_pool_size: int = Field(
        default=64, ge=1, le=1000, description="Most connections to MongoDB that one worker opens."
    )
    embedded_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Loopback port of the embedded MongoDB; 0 takes a free one and keeps it.",
    )
    embedded_cache_mb: int = Field(
        default=1024, ge=256, le=1_000_000, description="WiredTiger cache of the embedded MongoDB, in MiB."
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO",
        description="Least severe message that is logged. `DEBUG` adds the texts of exceptions, "
        "which may quote patient data.",
    )
    log_format: Literal["json", "console"] = Field(
        default="json", description="One JSON object per line, or coloured text for a terminal."
    )

    update_create: bool = Field(
        default=True, description="PUT to an id that does not exist creates the resource; off: 405."
    )
    referential_integrity: bool = Field(
        default=False,
        description="On: a write with a dangling literal reference is 422, "
        "and the delete of a referenced resource 409.",
    )
    conditional_delete_multiple: bool = Field(
        default=False, description="On: a conditional delete may match several resources; off: 412."
    )
    conditional_delete_cap: Count = Field(
        default=100, description="Most resources that one conditional delete removes; more matches are a 412."
    )
    default_count: Count = Field(
        default=20, description="Entries of a page where the client gives no `_count`."
    )
    max_count: Count = Field(
        default=1000, description="Most entries of a page; a larger `_count` is lowered to it."
    )
    default_timezone: ZoneInfo = Field(
        default=ZoneInfo("UTC"), description="Time zone (IANA name) of dates in searches that carry none."
    )

    reindex_per_second: int = Field(
        default=2000, ge=1, le=1_000_000, description="Most resources that a reindex looks at in one second."
    )

    feeds_file: str = Field(
        default="",
        description="TOML file about the senders of HL7 v2 messages: zones, identifiers, codes, mappings of one's own "
        "(docs/hl7v2.md). Empty: all are taken alike.",
    )
    feed_retention_days: int = Field(
        default=0,
        ge=0,
        le=36_500,
        description="How long HL7 v2 messages are kept as they came in; 0 keeps them for ever.",
    )
    feed_patience_seconds: Seconds = Field(
        default=20.0,
        description="How long the sender of an HL7 v2 message waits while MongoDB is away or an earlier message "
        "for the same patient is in work; then it is asked to send again (AR).",
    )

    dicom_file: str = Field(
        default="",
        description="TOML file about the sources of DICOM instances: zones, identifiers, corrections, where the pixels "
        "are (docs/dicom.md). Empty: all are taken alike.",
    )
    dicom_first_seconds: Seconds = Field(
        default=2.0, description="How long after its first instance a study becomes an ImagingStudy."
    )
    dicom_quiet_seconds: Seconds = Field(
        default=10.0, description="How long no instance has come when an ImagingStudy is brought up to date."
    )
    dicom_most_seconds: Seconds = Field(
        default=60.0, description="How long at most it is not brought up to date while instances come."
    )
    dicom_count: int = Field(
        default=5000, ge=1, le=1_000_000, description="Changes after which it is brought up to date at once."
    )
    dicom_shown_instances: int = Field(
        default=2000,
        ge=0,
        le=20_000,
        description="Most instances that are listed in an ImagingStudy which is read; of more, `$instances` lists them.",
    )

    dicom_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="TCP port for DICOM associations (C-STORE, C-ECHO, MPPS); 0: none are taken.",
    )
    dicom_host: str = Field(
        default="127.0.0.1",
        description="Address to listen on for DICOM. Only loopback is possible without client certificates "
        "or `FHIR_SERVER_DICOM_ALLOW`.",
    )
    dicom_ae_title: str = Field(
        default="FHIR_SERVER",
        pattern=r"^[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?$",
        description="AE title of this server; associations that call another one are rejected.",
    )
    dicom_callers: str = Field(
        default="",
        description="AE titles that may call (`CT1,MR2`); others are rejected. Empty: any. "
        "A title proves nothing: use it beside addresses or certificates.",
    )
    dicom_allow: str = Field(
        default="",
        description="Addresses and networks of DICOM senders (`10.1.2.3,10.2.0.0/16`); others are refused. "
        "Empty: any.",
    )
    dicom_tls_cert: str = Field(
        default="",
        description="PEM file of the certificate chain for DICOM over TLS 1.2 or 1.3. Empty: no TLS.",
    )
    dicom_tls_key: str = Field(
        default="", description="PEM file of its key, unencrypted. Empty: it is in the same file."
    )
    dicom_tls_client_ca: str = Field(
        default="",
        description="PEM file of the authorities of senders' certificates. Empty: none are asked for.",
    )
    dicom_associations: int = Field(
        default=25, ge=1, le=1000, description="Most DICOM associations at once; more are rejected."
    )
    dicom_max_pdu_bytes: int = Field(
        default=262_144,
        ge=4096,
        le=16 * 1024 * 1024,
        description="Largest PDU that senders may send; who sends a larger one is disconnected.",
    )
    dicom_idle_seconds: Seconds = Field(
        default=60.0,
        description="How long a DICOM association, or the body of a STOW-RS request, may be silent.",
    )
    dicom_max_body_bytes: int = Field(
        default=4 * 1024**3,
        ge=1024,
        le=2**40,
        description="Largest body of a STOW-RS request; more is 413. It is never kept, only its headers are.",
    )

    max_body_bytes: Bytes = Field(
        default=64 * 1024 * 1024, description="Largest request body as sent; more is 413."
    )
    max_inflated_bytes: Bytes = Field(
        default=64 * 1024 * 1024, description="Largest request body after gzip is undone; more is 413."
    )
    request_timeout_seconds: Seconds = Field(
        default=120.0,
        description="Longest time one interaction may take; then it is undone and answered with 503.",
    )
    search_timeout_seconds: Seconds = Field(
        default=20.0,
        description="Longest time one step of a search may take in MongoDB; then it is stopped there "
        "and the search answered with 503.",
    )
    shutdown_timeout_seconds: int = Field(
        default=10,
        ge=1,
        le=600,
        description="How long requests under way may finish when the server is stopped.",
    )

    mllp_port: int = Field(
        default=0, ge=0, le=65535, description="TCP port for HL7 v2 messages over MLLP; 0: none are taken."
    )
    mllp_host: str = Field(
        default="127.0.0.1",
        description="Address to listen on for MLLP. Only loopback is possible without client certificates "
        "or `FHIR_SERVER_MLLP_ALLOW`.",
    )
    mllp_allow: str = Field(
        default="",
        description="Addresses and networks of MLLP senders (`10.1.2.3,10.2.0.0/16`); others are refused. "
        "Empty: any.",
    )
    mllp_tls_cert: str = Field(
        default="",
        description="PEM file of the certificate chain for MLLP over TLS 1.2 or 1.3. Empty: no TLS.",
    )
    mllp_tls_key: str = Field(
        default="", description="PEM file of its key, unencrypted. Empty: it is in the same file."
    )
    mllp_tls_client_ca: str = Field(
        default="",
        description="PEM file of the authorities of senders' certificates. Empty: none are asked for.",
    )
    mllp_max_bytes: Bytes = Field(
        default=64 * 1024 * 1024,
        description="Largest HL7 v2 message over MLLP; more is rejected (AR) and the connection closed.",
    )
    mllp_connections: Count = Field(
        default=500, description="Most MLLP connections of one worker at once; more are refused."
    )
    mllp_idle_seconds: float = Field(
        default=3600,
        gt=0,
        le=604_800,
        description="How long an MLLP connection may be silent between messages.",
    )
    mllp_message_seconds: Seconds = Field(
        default=60,
        description="How long an MLLP message may take to arrive, beside a second for each 16 KiB of it.",
    )
    mllp_release_2: bool = Field(
        default=False, description="On: each block is confirmed by ACK or NAK, as MLLP release 2 has it."
    )

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        return folder.expanduser().absolute()

    @field_validator("mongodb_uri")
    @classmethod
    def _is_mongodb(cls, uri: SecretStr) -> SecretStr:
        if uri.get_secret_value() and not uri.get_secret_value().startswith(("mongodb://", "mongodb+srv://")):
            raise ValueError("expected mongodb://… or mongodb+srv://…")
        return uri

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("expected http://… or https://…, for example https://fhir.example.org/fhir")
        return url.rstrip("/")

    @field_validator("mllp_allow", "dicom_allow")
    @classmethod
    def _are_networks(cls, allowed: str) -> str:
        for each in filter(None, map(str.strip, allowed.split(","))):
            try:
                ipaddress.ip_network(each)
            except ValueError as fault:
                raise ValueError(f"{fault}; expected for example 10.1.2.3,10.2.0.0/16") from None
        return allowed

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Settings:
        for door in ("mllp_tls", "dicom_tls"):
            cert, key, client_ca = (getattr(self, f"{door}_{name}") for name in ("cert", "key", "client_ca"))
            if not cert and (key or client_ca):
                raise ValueError(f"{door}_key and {door}_client_ca need {door}_cert")
        return self

    @model_validator(mode="after")
    def _counts_in_order(self) -> Settings:
        if self.default_count > self.max_count:
            raise ValueError(f"default_count is {self.default_count}, more than max_count {self.max_count}")
        return self

    def model_post_init(self, _context: object, /) -> None:
        if not self.base_url:
            # Not through fields_set: a copy for another port has to derive its own.
            host = f"[{self.host}]" if ":" in self.host else self.host
            self.__dict__["base_url"] = f"http://{host}:{self.port}/fhir"

    @property
    def mllp_networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """`mllp_allow` taken apart."""
        return _networks(self.mllp_allow)

    @property
    def dicom_networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """`dicom_allow` taken apart."""
        return _networks(self.dicom_allow)

    def with_changes(self, **changes: Any) -> Settings:
        """The same choices with some changed; what is derived (`base_url`) is derived anew."""
        return Settings(**{**{name: getattr(self, name) for name in self.model_fields_set}, **changes})

    def environment(self) -> dict[str, str]:
        """What was chosen, as the environment variables from which another process builds the same settings."""
        return {PREFIX + name.upper(): _text(getattr(self, name)) for name in sorted(self.model_fields_set)}


def _text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _networks(allowed: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(each.strip()) for each in allowed.split(",") if each.strip()]


def refuse_open_bind(settings: Settings) -> str | None:
    """Why the server must not listen on this host, or None: without access control only loopback is safe."""
    if is_loopback(settings.host):
        return None
    return (
        f"Refusing to listen on {settings.host}: no access control is configured, so everyone who reaches that "
        f"address could read and change patient data. Use --host 127.0.0.1 (or ::1), or put an authenticating "
        f"proxy on this machine in front of it."
    )


def is_loopback(host: str) -> bool:
    """True for `localhost`, 127.0.0.0/8 and ::1; other names are not resolved, as what they mean may change."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def markdown() -> str:
    """The configuration table of the README."""
    rows = ["| Variable | Default | Allowed | Meaning |", "| --- | --- | --- | --- |"]
    rows += [_row(name, info) for name, info in Settings.model_fields.items()]
    return "\n".join(rows) + "\n"


def _row(name: str, info: FieldInfo) -> str:
    default = _text(info.default)
    cells = [
        f"`{PREFIX}{name.upper()}`",
        f"`{default}`" if default else "",
        _allowed(info),
        info.description or "",
    ]
    return "| " + " | ".join(cells) + " |"


def _allowed(info: FieldInfo) -> str:
    if info.annotation is bool:
        return "`true`, `false`"
    choices = getattr(info.annotation, "__args__", ())
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    signs = {"ge": "≥ {}", "gt": "> {}", "le": "≤ {}"}
    bounds = [(sign, getattr(rule, name, None)) for name, sign in signs.items() for rule in info.metadata]
    return " and ".join(sign.format(f"{bound:,}") for sign, bound in bounds if bound is not None)


if __name__ == "__main__":
    print(markdown(), end="")  # noqa: T201
