"""The listener with real sockets, honest and other senders."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from ipaddress import ip_network

import hl7
import psutil
import pytest
from hl7.client import MLLPClient
from hl7.mllp import open_hl7_connection

from importers.mllp.limits import Limits
from tests.importers.mllp.listening import LOOPS, Client, Running, code, listening, message, until

Listening = Callable[..., AbstractContextManager[Running]]


@pytest.fixture(params=list(LOOPS))
def loop_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(loop_name: str) -> Iterator[Running]:
    with listening(loop_name) as running:
        yield running


def test_python_hl7_client(server: Running) -> None:
    with MLLPClient("127.0.0.1", server.port) as client:
        for number in ("001", "002"):
            answer = hl7.parse(client.send_message(message(number))[1:-2].decode())
            assert (str(answer.segment("MSA")[1]), str(answer.segment("MSA")[2])) == ("AA", number)
    assert server.receiver.bodies == [message("001"), message("002")]


async def test_python_hl7_asyncio_client(server: Running) -> None:
    reader, writer = await open_hl7_connection("127.0.0.1", server.port, encoding="utf-8")
    for number in ("1", "2", "3"):
        writer.writemessage(hl7.parse(message(number).decode()))
        await writer.drain()
        assert str((await reader.readmessage()).segment("MSA")[2]) == number
    writer.close()
    await writer.wait_closed()


def test_several_messages_in_one_packet_are_answered_in_their_order(server: Running) -> None:
    numbers = [str(number) for number in range(100)]
    with Client(server.port) as client:
        client.send(*map(message, numbers))
        assert [client.answer() for _ in numbers] == [("AA", number) for number in numbers]
    assert server.receiver.bodies == [message(number) for number in numbers]


def test_byte_by_byte(server: Running) -> None:
    with Client(server.port) as client:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"\r\n\x0b" + message("1") + b"\x1c\r\x0b" + message("2") + b"\x1c\r":
            client.sock.sendall(bytes([byte]))
        assert [client.answer(), client.answer()] == [("AA", "1"), ("AA", "2")]


def test_one_message_at_a_time_and_nobody_else_waits(server: Running) -> None:
    with Client(server.port) as slow, Client(server.port) as quick:
        slow.send(message("wait"), message("next"))
        assert server.receiver.begun.acquire(timeout=10)
        quick.send(message("1"))
        assert quick.answer() == ("AA", "1")
        assert message("next") not in server.receiver.bodies
        server.receiver.go_on.set()
        assert [slow.answer(), slow.answer()] == [("AA", "wait"), ("AA", "next")]


def test_200_connections_at_once(server: Running) -> None:
    def send(worker: int) -> list[tuple[str, str]]:
        with Client(server.port) as client:
            found = []
            for number in range(5):
                client.send(message(f"{worker}.{number}"))
                found.append(client.answer())
            gate.wait(30)
            return found

    gate = threading.Barrier(200)
    with ThreadPoolExecutor(200) as pool:
        for worker, found in enumerate(pool.map(send, range(200))):
            assert found == [("AA", f"{worker}.{number}") for number in range(5)]
    assert len(server.receiver.bodies) == 1000
    until(lambda: server.count("mllp_connections") == 0)


def test_a_failure_within_is_answered_with_ar_and_tells_nothing(server: Running) -> None:
    with Client(server.port) as client:
        client.send(message("fail"), message("2"))
        answer = client.block()
        assert code(answer) == ("AR", "fail")
        assert b"207^Application internal error" in answer
        assert b"John" not in answer
        assert client.answer() == ("AA", "2")


def test_who_wants_no_answer_gets_none_and_stays(server: Running) -> None:
    with Client(server.port) as client:
        client.send(message("none"), message("2"))
        assert client.answer() == ("AA", "2")


def test_enhanced_mode_is_two_blocks(server: Running) -> None:
    with Client(server.port) as client:
        client.send(message("7", accept="AL", application="AL"))
        assert [client.answer(), client.answer()] == [("CA", "7"), ("AA", "7")]


def test_ca_leaves_before_the_message_is_processed(server: Running) -> None:
    with Client(server.port) as client:
        client.send(message("early wait", accept="AL", application="AL"), message("2"))
        assert client.answer() == ("CA", "early wait")
        assert len(server.receiver.bodies) == 1
        server.receiver.go_on.set()
        assert [client.answer(), client.answer()] == [("AA", "early wait"), ("AA", "2")]


def test_a_failure_after_ca_is_answered_once(server: Running) -> None:
    with Client(server.port) as client:
        client.send(message("early fail", accept="AL", application="AL"), message("2"))
        assert [client.answer() for _ in range(3)] == [
            ("CA", "early fail"),
            ("AR", "early fail"),
            ("AA", "2"),
        ]


def test_two_messages_without_an_end_between_them(server: Running) -> None:
    with Client(server.port) as client:
        client.sock.sendall(b"\x0b" + message("1") + b"\x0b" + message("2") + b"\x1c\r")
        assert [client.answer(), client.answer()] == [("AR", "1"), ("AA", "2")]
    assert server.receiver.bodies == [message("2")]
    assert server.receiver.got[0][::2] == (message("1"), "unfinished")
    assert server.count("mllp_broken_total", reason="unfinished") == 1


def test_the_end_of_the_stream_within_a_message(server: Running) -> None:
    with Client(server.port) as client:
        client.send(message("1"))
        client.sock.sendall(b"\x0b" + message("2"))
        assert client.answer() == ("AA", "1")
    until(lambda: len(server.receiver.got) == 2)
    assert server.receiver.got[1][::2] == (message("2"), "truncated")


def test_a_sender_that_only_closes_its_own_side_is_answered(server: Running) -> None:
    with Client(server.port) as client:
        client.sock.sendall(b"\x0b" + message("1") + b"\x1c")
        client.sock.shutdown(socket.SHUT_WR)
        assert client.answer() == ("AA", "1")
        assert client.closed()


def test_fs_without_cr_is_answered_after_a_moment(server: Running) -> None:
    with Client(server.port) as client:
        client.sock.sendall(b"\x0b" + message("1") + b"\x1c")
        assert client.answer() == ("AA", "1")
        client.sock.sendall(b"\r\x0b" + message("2") + b"\x1c\n")
        assert client.answer() == ("AA", "2")


def test_empty_blocks_and_commit_acknowledgments_are_passed_over(server: Running) -> None:
    with Client(server.port) as client:
        client.send(b"", b"\r", b"\x06", b"\x15", message("1"))
        assert client.answer() == ("AA", "1")
    assert server.receiver.bodies == [message("1")]


def test_a_block_without_a_header_is_kept_and_ends_the_connection(server: Running) -> None:
    with Client(server.port) as client:
        client.send(b"hello", message("1"))
        assert client.closed()
    assert server.receiver.bodies == [b"hello"]
    assert server.count("mllp_broken_total", reason="no-header") == 1


@pytest.mark.parametrize(
    "probe",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03", b"\x00" * 100, b"SSH-2.0-x\r\n", b"",
     bytes(range(256)) * 20, message("no frame")],
)  # fmt: skip
def test_port_scanners_do_not_harm(server: Running, probe: bytes) -> None:
    with Client(server.port) as scanner:
        scanner.sock.sendall(probe)
    with Client(server.port) as client:
        client.send(message("1"))
        assert client.answer() == ("AA", "1")


def test_junk_alone_is_closed_at_its_limit(loop_name: str) -> None:
    with listening(loop_name, limits=Limits(junk_bytes=1000)) as server, Client(server.port) as client:
        client.sock.sendall(b"x" * 1001)
        assert client.closed()
        assert server.count("mllp_junk_bytes_total") == 1000


def test_20_megabytes_are_received(server: Running) -> None:
    large = message("1", "OBX|1|ED|||" + "QUJD" * 5_000_000 + "\r")
    with Client(server.port) as client:
        client.send(large)
        assert client.answer() == ("AA", "1")
    assert server.receiver.bodies == [large]


def test_500_megabytes_are_rejected_without_being_kept(loop_name: str) -> None:
    process = psutil.Process()
    with listening(loop_name, limits=Limits(max_bytes=1_000_000)) as server, Client(server.port) as client:
        before, peak = process.memory_info().rss, 0
        client.sock.sendall(b"\x0b" + message("1"))
        chunk = b"x" * 1_000_000
        for _ in range(500):
            client.sock.sendall(chunk)
            peak = max(peak, process.memory_info().rss)
        client.sock.sendall(b"\x1c\r")
        assert client.answer() == ("AR", "1")
        assert client.closed()
        assert peak - before < 30_000_000
        [(raw, _, broken)] = server.receiver.got
        assert broken == "too-large"
        assert raw.startswith(message("1"))
    with listening(loop_name) as server, Client(server.port) as client:
        client.send(message("1"))
        assert client.answer() == ("AA", "1")


def test_large_messages_wait_for_a_place_and_small_ones_do_not(loop_name: str) -> None:
    limits = Limits(large_bytes=100_000, large_at_once=2, message_seconds=0.5)
    large = message("0", "NTE|1||" + "x" * 20_000_000 + "\r")
    with listening(loop_name, limits=limits) as server, ExitStack() as opened:
        clients = [opened.enter_context(Client(server.port)) for _ in range(4)]
        threads = []
        for number, client in enumerate(clients):
            wait = b"wait" if number < 2 else b"go"
            block = large.replace(b"|0|", b"|%s%d|" % (wait, number), 1)
            threads.append(threading.Thread(target=client.send, args=(block,)))
            threads[-1].start()
            if number < 2:
                assert server.receiver.begun.acquire(timeout=10)
        time.sleep(1)
        # Two places are taken. The others wait longer than a message may take: that is not their slowness.
        assert all(thread.is_alive() for thread in threads[2:])
        with Client(server.port) as small:
            small.send(message("small"))
            assert small.answer() == ("AA", "small")
        assert len(server.receiver.bodies) == 3
        server.receiver.go_on.set()
        assert {client.answer() for client in clients} == {
            ("AA", n) for n in ("wait0", "wait1", "go2", "go3")
        }
        for thread in threads:
            thread.join(10)


def test_who_waits_for_a_place_does_not_hinder_a_stop(loop_name: str) -> None:
    limits = Limits(large_bytes=100_000, large_at_once=1)
    large = b"NTE|1||" + b"x" * 1_000_000
    with (
        listening(loop_name, limits=limits) as server,
        Client(server.port) as one,
        Client(server.port) as two,
    ):
        for client in (one, two):
            client.sock.sendall(b"\x0b" + message("1") + large)
            time.sleep(0.2)
        began = time.monotonic()
        server.stop(10)
        assert time.monotonic() - began < 5
        assert one.closed()
        assert two.closed()


def test_idle_connections_are_closed_and_those_that_talk_are_not(loop_name: str) -> None:
    with listening(loop_name, limits=Limits(idle_seconds=0.4)) as server:
        with Client(server.port) as idle, Client(server.port) as talking:
            for number in range(8):
                talking.send(message(str(number)))
                assert talking.answer() == ("AA", str(number))
                time.sleep(0.1)
            assert idle.closed()
        assert server.count("mllp_broken_total", reason="idle") == 1


def test_a_message_in_work_is_not_idle(loop_name: str) -> None:
    limits = Limits(idle_seconds=0.2, message_seconds=0.2)
    with listening(loop_name, limits=limits) as server, Client(server.port) as client:
        # The next one has begun while the first is in work: that is not its sender's slowness.
        client.sock.sendall(b"\x0b" + message("wait") + b"\x1c\r\x0bMSH")
        time.sleep(0.5)
        server.receiver.go_on.set()
        assert client.answer() == ("AA", "wait")
        client.sock.sendall(message("2")[3:] + b"\x1c\r")
        assert client.answer() == ("AA", "2")


def test_slow_loris(loop_name: str) -> None:
    """A byte now and then keeps no connection open."""
    with listening(loop_name, limits=Limits(message_seconds=0.5)) as server, Client(server.port) as client:
        began = time.monotonic()
        client.sock.sendall(b"\x0b" + message("1"))
        client.sock.settimeout(0.05)
        while True:
            assert time.monotonic() - began < 5
            try:
                client.sock.sendall(b"x")
                answer = client.block()
                break
            except TimeoutError:
                continue
        assert code(answer) == ("AR", "1")
        assert client.closed()
        assert server.receiver.got[0][2] == "truncated"
        assert server.count("mllp_broken_total", reason="slow") == 1


def test_a_slow_line_has_the_time_that_its_size_takes(loop_name: str) -> None:
    limits = Limits(message_seconds=0.3, bytes_per_second=10_000)
    with listening(loop_name, limits=limits) as server, Client(server.port) as client:
        client.sock.sendall(b"\x0b" + message("1") + b"NTE|1||")
        for _ in range(10):
            client.sock.sendall(b"x" * 1000)
            time.sleep(0.08)
        client.sock.sendall(b"\r\x1c\r")
        assert client.answer() == ("AA", "1")


def test_a_sender_that_never_reads_only_blocks_itself(loop_name: str) -> None:
    with listening(loop_name, limits=Limits(write_seconds=0.3)) as server:
        with Client(server.port) as deaf:
            deaf.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.sock.settimeout(0.5)
            with suppress(OSError):
                while True:
                    deaf.send(*[message("1")] * 1000)
        with Client(server.port) as client:
            client.send(message("2"))
            assert client.answer() == ("AA", "2")


def test_senders_that_go_away_do_not_harm(server: Running) -> None:
    for cut in (
        b"\x0b",
        b"\x0bMSH|^~",
        b"\x0b" + message("wait") + b"\x1c\r",
        b"\x0b" + message("1") + b"\x1c",
    ):
        with Client(server.port) as client:
            client.sock.sendall(cut)
            # Closed with a reset, not with an end.
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.receiver.go_on.set()
    with Client(server.port) as client:
        client.send(message("2"))
        assert client.answer() == ("AA", "2")
    until(lambda: server.count("mllp_connections") == 0)


def test_more_connections_than_allowed_are_refused_until_one_leaves(loop_name: str) -> None:
    with listening(loop_name, limits=Limits(connections=2)) as server:
        with Client(server.port) as one, Client(server.port) as two:
            for client in (one, two):
                client.send(message("1"))
                assert client.answer() == ("AA", "1")
            with Client(server.port) as three:
                assert three.closed()
            one.send(message("2"))
            assert one.answer() == ("AA", "2")
        until(lambda: server.count("mllp_connections") == 0)
        with Client(server.port) as again:
            again.send(message("3"))
            assert again.answer() == ("AA", "3")
        assert server.count("mllp_connections_refused_total", reason="limit") == 1


def test_other_addresses_than_allowed_are_refused() -> None:
    with listening(allowed=[ip_network("10.0.0.0/8")]) as server, Client(server.port) as client:
        assert client.closed()
        until(lambda: server.count("mllp_connections_refused_total", reason="address") == 1)
    with (
        listening(allowed=[ip_network("10.0.0.0/8"), ip_network("127.0.0.1/32")]) as server,
        Client(server.port) as client,
    ):
        client.send(message("1"))
        assert client.answer() == ("AA", "1")


def test_stopping_answers_what_is_in_work_and_begins_nothing(loop_name: str) -> None:
    with listening(loop_name) as server, Client(server.port) as busy, Client(server.port) as idle:
        idle.send(message("0"))
        assert idle.answer() == ("AA", "0")
        assert server.receiver.begun.acquire(timeout=10)
        busy.send(message("wait"), message("next"))
        assert server.receiver.begun.acquire(timeout=10)
        stopping = threading.Thread(target=server.stop, args=(10,))
        stopping.start()
        assert idle.closed()
        with pytest.raises(ConnectionError):
            socket.create_connection(("127.0.0.1", server.port))
        server.receiver.go_on.set()
        assert busy.answer() == ("AA", "wait")
        assert busy.closed()
        stopping.join(5)
        assert not stopping.is_alive()
    assert message("next") not in server.receiver.bodies


def test_stopping_does_not_wait_for_ever(server: Running) -> None:
    with Client(server.port) as busy, Client(server.port) as half:
        half.sock.sendall(b"\x0bMSH|")
        busy.send(message("wait"))
        assert server.receiver.begun.acquire(timeout=10)
        began = time.monotonic()
        server.stop(0.3)
        assert 0.2 < time.monotonic() - began < 3
        assert busy.closed()
        assert half.closed()


def test_release_2_confirms_each_block(loop_name: str) -> None:
    with listening(loop_name, release_2=True) as server, Client(server.port) as client:
        client.send(message("1"))
        assert client.block() == b"\x06"
        assert client.answer() == ("AA", "1")
        client.send(b"\x06", message("fail"))
        assert client.block() == b"\x15"
        assert client.answer() == ("AR", "fail")
        client.send(message("early", accept="AL", application="AL"))
        assert client.block() == b"\x06"
        assert [client.answer(), client.answer()] == [("CA", "early"), ("AA", "early")]


def test_what_is_counted(server: Running) -> None:
    with Client(server.port) as client:
        client.send(message("1"), message("fail"), message("7", accept="AL", application="AL"))
        assert [client.answer() for _ in range(4)][-1] == ("AA", "7")
        assert server.count("mllp_connections") == 1
    until(lambda: server.count("mllp_message_duration_seconds_count") == 3)
    assert server.count("mllp_messages_total") == 3
    assert [server.count("mllp_answers_total", code=each) for each in ("AA", "AR", "CA")] == [2, 1, 1]


def test_the_receiver_knows_who_sent_it(server: Running) -> None:
    for _ in range(2):
        with Client(server.port) as client:
            client.send(message("1"), message("2"))
            client.answer()
            client.answer()
    first, second, third, _ = [connection for _, connection, _ in server.receiver.got]
    assert (first.address, first.certificate) == ("127.0.0.1", None)
    assert first == second
    assert first.id != third.id


async def test_a_listener_of_ones_own_loop_ends_when_cancelled() -> None:
    with listening() as server:
        await asyncio.to_thread(server.stop, 1)
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", server.port)
