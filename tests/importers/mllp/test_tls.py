from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path

import pytest
from hl7.client import MLLPClient

from importers.mllp.limits import Limits
from importers.mllp.tls import context
from tests.importers.mllp.certificates import Authority
from tests.importers.mllp.listening import LOOPS, Client, Running, listening, message, until


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "authority")


@pytest.fixture(params=list(LOOPS))
def loop_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def trusting(authority: Authority, certificate: Path | None = None) -> ssl.SSLContext:
    """As a sender would do it."""
    made = ssl.create_default_context(cafile=authority.path)
    if certificate is not None:
        made.load_cert_chain(certificate)
    return made


class TlsClient(Client):
    def __init__(self, port: int, how: ssl.SSLContext) -> None:
        super().__init__(port)
        self.sock = how.wrap_socket(self.sock, server_hostname="127.0.0.1")


def refused(port: int, how: ssl.SSLContext) -> bool:
    """In TLS 1.3 a client learns that its certificate is none when it reads."""
    try:
        with TlsClient(port, how) as client:
            client.send(message("9"))
            return client.block() == b""
    except (ssl.SSLError, ConnectionError):
        return True


def still_serves(server: Running, how: ssl.SSLContext) -> bool:
    with TlsClient(server.port, how) as client:
        client.send(message("1"))
        return client.answer() == ("AA", "1")


def test_messages_over_tls(loop_name: str, authority: Authority) -> None:
    with listening(loop_name, tls=context(authority.sign("server"))) as server:
        with TlsClient(server.port, trusting(authority)) as client:
            large = message("2", "OBX|1|ED|||" + "QUJD" * 500_000 + "\r")
            client.send(message("1"), large)
            assert [client.answer(), client.answer()] == [("AA", "1"), ("AA", "2")]
            assert isinstance(client.sock, ssl.SSLSocket)
            assert client.sock.version() == "TLSv1.3"
        assert server.receiver.bodies == [message("1"), large]
        assert server.receiver.got[0][1].certificate is None


def test_python_hl7_client_over_tls(authority: Authority) -> None:
    with (
        listening(tls=context(authority.sign("server"))) as server,
        MLLPClient("127.0.0.1", server.port) as client,
    ):
        client.socket = trusting(authority).wrap_socket(client.socket, server_hostname="127.0.0.1")
        assert b"MSA|AA|1" in client.send_message(message("1"))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_senders_show_their_certificate(
    loop_name: str, authority: Authority, version: ssl.TLSVersion
) -> None:
    with listening(loop_name, tls=context(authority.sign("server"), client_ca=authority.path)) as server:
        how = trusting(authority, authority.sign("lab 7"))
        how.minimum_version = how.maximum_version = version
        assert still_serves(server, how)
        assert server.receiver.got[0][1].certificate == "commonName=lab 7,organizationName=Hospital"


def test_without_the_right_certificate_nobody_gets_in(
    loop_name: str, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger")
    with listening(loop_name, tls=context(authority.sign("server"), client_ca=authority.path)) as server:
        assert refused(server.port, trusting(authority))
        assert refused(server.port, trusting(authority, stranger.sign("lab")))
        assert still_serves(server, trusting(authority, authority.sign("lab")))
        assert server.receiver.bodies == [message("1")]
        until(lambda: server.count("mllp_connections_refused_total", reason="tls") == 2)


def test_old_tls_is_refused(loop_name: str, authority: Authority) -> None:
    with listening(loop_name, tls=context(authority.sign("server"))) as server:
        how = trusting(authority)
        with pytest.warns(DeprecationWarning, match="TLS"):
            how.minimum_version = ssl.TLSVersion.TLSv1
        with pytest.warns(DeprecationWarning, match="TLS"):
            how.maximum_version = ssl.TLSVersion.TLSv1_1
        how.set_ciphers("ALL:@SECLEVEL=0")
        assert refused(server.port, how)
        assert still_serves(server, trusting(authority))


@pytest.mark.parametrize(
    "plain", [b"\x0b" + message("1") + b"\x1c\r", b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x00\xff\x00", b""]
)
def test_plain_text_does_not_harm(loop_name: str, authority: Authority, plain: bytes) -> None:
    with listening(loop_name, tls=context(authority.sign("server"))) as server:
        with Client(server.port) as client:
            client.sock.sendall(plain)
            client.sock.shutdown(socket.SHUT_WR)
            rest = b"x"
            while rest:
                # An alert at most, which is no MLLP.
                rest = _received(client.sock)
                assert b"\x0b" not in rest
        assert still_serves(server, trusting(authority))
        until(lambda: server.count("mllp_connections_refused_total", reason="tls") == 1)
        assert server.receiver.bodies == [message("1")]


def _received(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65536)
    except ConnectionError:
        return b""


def test_a_handshake_that_never_comes_ends(loop_name: str, authority: Authority) -> None:
    limits = Limits(handshake_seconds=0.3, connections=1)
    with listening(loop_name, tls=context(authority.sign("server")), limits=limits) as server:
        with Client(server.port) as silent:
            began = time.monotonic()
            assert silent.closed()
            assert time.monotonic() - began < 5
        until(lambda: server.count("mllp_connections") == 0)
        assert still_serves(server, trusting(authority))


def test_too_large_over_tls_is_rejected(loop_name: str, authority: Authority) -> None:
    limits = Limits(max_bytes=100_000)
    with (
        listening(loop_name, tls=context(authority.sign("server")), limits=limits) as server,
        TlsClient(server.port, trusting(authority)) as client,
    ):
        client.send(message("1", "x" * 3_000_000))
        assert client.answer() == ("AR", "1")


def test_files_that_are_of_no_use_are_an_error(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    for path in (
        tmp_path / "text",
        tmp_path / "none",
        authority.path,
        authority.sign("locked", password="x"),
    ):
        with pytest.raises(OSError):
            context(path)
    with pytest.raises(OSError):
        context(authority.sign("server"), client_ca=tmp_path / "text")
