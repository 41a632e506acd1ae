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


def test_hosts_meet_in_any_order() -> None:
    names = addresses(3)

    def host(number: int) -> None:
        time.sleep(0.3 * (3 - number))
        meet(Cluster(3, number, names), patience=30)
        # What TensorFlow does then, on the same port; hosts that come later must find it there.
        with socket.create_server(("127.0.0.1", int(names[number].rpartition(":")[2]))):
            time.sleep(1.5)

    with ThreadPoolExecutor(3) as threads:
        for done in [threads.submit(host, number) for number in range(3)]:
            done.result(timeout=60)


def test_who_doesnt_come_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    here, missing = addresses(2)
    nameless = "no-such-host.invalid:2222"
    with pytest.raises(StageError, match=f"^{missing}, {nameless} didn't come within 0.005 minutes: start"):
        meet(Cluster(3, 0, (here, missing, nameless)), patience=0.3)
    assert json.loads(capsys.readouterr().err)["missing"] == [missing, nameless]


def test_a_port_that_is_taken_is_one_line() -> None:
    here, other = addresses(2)
    with (
        socket.create_server(("", int(here.rpartition(":")[2]))),
        pytest.raises(StageError, match=rf"TF_CONFIG \({here}\) is taken: end the run"),
    ):
        meet(Cluster(2, 0, (here, other)), patience=1)
