"""`TF_CONFIG`: which of how many hosts this is."""

import json
from typing import Any

import pytest

from contracts.errors import InputError
from models.trainer.cluster import Cluster, cluster_from_environment

THREE = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}


def cluster(monkeypatch: pytest.MonkeyPatch, config: Any) -> Cluster:
    monkeypatch.setenv("TF_CONFIG", config if isinstance(config, str) else json.dumps(config))
    return cluster_from_environment()


@pytest.mark.parametrize(
    ("addresses", "kind", "index", "expected"),
    [
        (THREE, "chief", 0, Cluster(3, 0)),
        (THREE, "worker", 1, Cluster(3, 2)),
        (THREE, "worker", "1", Cluster(3, 2)),
        ({"master": ["a:1"], "worker": ["b:1"]}, "worker", 0, Cluster(2, 1)),
        ({"worker": ["a:1", "b:1"]}, "worker", 0, Cluster(2, 0)),
        ({"chief": ["a:1"]}, "chief", 0, Cluster(1, 0)),
        ({**THREE, "ps": []}, "chief", 0, Cluster(3, 0)),
    ],
)
def test_a_hosts_place(
    monkeypatch: pytest.MonkeyPatch, addresses: Any, kind: str, index: Any, expected: Cluster
) -> None:
    task = {"type": kind, "index": index}
    found = cluster(monkeypatch, {"cluster": addresses, "task": task, "environment": "cloud"})
    assert found == expected
    assert found.chief == (expected.host == 0)


def test_without_it_a_host_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cluster(monkeypatch, "") == Cluster()
    monkeypatch.delenv("TF_CONFIG")
    assert cluster_from_environment() == Cluster()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{", "JSONDecodeError"),
        ("[]", "TypeError"),
        ("3", "TypeError"),
        ({"cluster": THREE}, "KeyError: 'task'"),
        ({"cluster": THREE, "task": {"type": "worker"}}, "KeyError: 'index'"),
        ({"cluster": THREE, "task": {"type": "worker", "index": 2}}, "the cluster has no worker 2"),
        ({"cluster": THREE, "task": {"type": "evaluator", "index": 0}}, "the cluster has no evaluator 0"),
        ({"cluster": ["a:1"], "task": {"type": "chief", "index": 0}}, "TypeError"),
        ({"cluster": {"chief": ["a"]}, "task": {"type": "chief", "index": 0}}, "a has no port"),
        (
            {"cluster": {**THREE, "ps": ["d:1"]}, "task": {"type": "chief", "index": 0}},
            "the cluster has a ps; it may have a chief and workers",
        ),
    ],
)
def test_what_cant_be_used_is_one_line(monkeypatch: pytest.MonkeyPatch, config: Any, said: str) -> None:
    with pytest.raises(InputError, match=r"^TF_CONFIG can't be used .*expected .*or leave it out$") as error:
        cluster(monkeypatch, config)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
