"""Hosts that wait for each other: they meet, in any order, or say who is missing."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from contracts.errors import StageError
from models.trainer.cluster import Cluster
from models.trainer.rendezvous import meet


def addresses(count: int) -> tuple[str, ...]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = tuple(f"127.0.0.1:{one.getsockname()[1]}" for one in sockets)
    for one in sockets:
        one.close()
    return found


def server(address: str) -> socket.socket:
    """What TensorFlow has on a host's port behind the rendezvous."""
    return socket.create_server(("", int(address.rpartition(":")[2])))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_hosts_meet_in_any_order(order: tuple[int, ...]) -> None:
    names = addresses(3)

    def host(number: int) -> None:
        time.sleep(0.4 * order.index(number))
        meet(Cluster(3, number, names), patience=30)
        server(names[number]).close()

    with ThreadPoolExecutor(3) as threads:
        for done in [threads.submit(host, number) for number in range(3)]:
            done.result(timeout=60)


def test_a_host_that_left_is_waited_for_again_and_strangers_arent_hosts() -> None:
    names = addresses(3)
    cluster = [Cluster(3, number, names) for number in range(3)]
    with ThreadPoolExecutor(3) as threads:
        chief = threads.submit(meet, cluster[0], 30)
        with pytest.raises(StageError, match="or another worker didn't come"):
            meet(cluster[1], patience=1.0)
        host, port = names[0].split(":")
        for said in (b"GET / HTTP/1.1\r\n\r\n", b"chrysalis host 7\n", b"chrysalis host x\n", b""):
            with socket.create_connection((host, int(port))) as stranger:
                stranger.sendall(said)
        second = threads.submit(meet, cluster[2], 30)
        time.sleep(0.8)
        assert not chief.done()
        assert not second.done()
        meet(cluster[1], patience=30)
        chief.result(timeout=30)
        second.result(timeout=30)


def test_who_doesnt_come_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    names = (*addresses(2), "no-such-host.invalid:2222")
    with pytest.raises(StageError, match=f"^{names[1]}, {names[2]} didn't come within 0.005 minutes: start"):
        meet(Cluster(3, 0, names), patience=0.3)
    assert json.loads(capsys.readouterr().err)["missing"] == list(names[1:])
    with server(names[0]), pytest.raises(StageError, match=f"^{names[0]}.* didn't come within"):
        meet(Cluster(3, 1, names), patience=0.5)  # something listens there, which is no chief that waits
    with pytest.raises(StageError, match=r"^no-such-host.invalid:2222 didn't come within"):
        meet(Cluster(2, 1, (names[2], names[1])), patience=0.3)


def test_a_port_that_is_taken_is_one_line() -> None:
    here, other = addresses(2)
    with server(here), pytest.raises(StageError, match=rf"TF_CONFIG \({here}\) is taken: end the run"):
        meet(Cluster(2, 0, (here, other)), patience=1)
