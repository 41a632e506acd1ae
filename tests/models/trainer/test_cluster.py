"""`TF_CONFIG` and `CLUSTER_SPEC`: which of how many hosts this is."""

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
    assert cluster(monkeypatch, {"cluster": {}}) == Cluster()
    monkeypatch.delenv("TF_CONFIG")
    assert cluster_from_environment() == Cluster()


POOLS = {"workerpool0": ["a:1"], "workerpool1": ["b:1", "c:1"]}
"""As Vertex AI writes it: `environment`, `job` and the task's `trial` and `cloud` mean nothing here."""


@pytest.mark.parametrize(
    ("pools", "kind", "index", "expected"),
    [
        (POOLS, "workerpool0", 0, Cluster(3, 0)),
        (POOLS, "workerpool1", 1, Cluster(3, 2)),
        ({"workerpool0": ["a:1"]}, "workerpool0", 0, Cluster(1, 0)),
        ({**POOLS, "workerpool2": [], "workerpool3": ["e:1"]}, "workerpool1", 0, Cluster(3, 1)),
        ({**POOLS, "workerpool3": ["e:1"]}, "workerpool3", 0, Cluster(3, 0, trains=False)),
    ],
)
def test_vertexs_worker_pools(
    monkeypatch: pytest.MonkeyPatch, pools: Any, kind: str, index: int, expected: Cluster
) -> None:
    task = {"type": kind, "index": index, "trial": "4", "cloud": "x"}
    spec = {"cluster": pools, "task": task, "environment": "cloud", "job": {"args": ["--gpu", "1"]}}
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.setenv("CLUSTER_SPEC", json.dumps(spec))
    assert cluster_from_environment() == expected

    # TF_CONFIG says the same in TensorFlow's words, and comes first.
    names = {"workerpool0": "chief", "workerpool1": "worker", "workerpool2": "ps", "workerpool3": "evaluator"}
    roles = {names[pool]: hosts for pool, hosts in pools.items()}
    monkeypatch.setenv("CLUSTER_SPEC", "not this")
    assert cluster(monkeypatch, {**spec, "cluster": roles, "task": task | {"type": names[kind]}}) == expected


def test_parameter_servers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = {"cluster": {**POOLS, "workerpool2": ["d:1"]}, "task": {"type": "workerpool2", "index": 0}}
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.setenv("CLUSTER_SPEC", json.dumps(spec))
    with pytest.raises(InputError, match=r"^CLUSTER_SPEC can't be used .* leave worker pool 2 out"):
        cluster_from_environment()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{", "JSONDecodeError"),
        ("[]", "TypeError"),
        ("3", "TypeError"),
        ("[" * 100_000, "RecursionError"),
        ('{"cluster": {"chief": ["a:1"]}, "task": {"type": "chief", "index": 1e999}}', "OverflowError"),
        ({"cluster": THREE}, "KeyError: 'task'"),
        ({"cluster": THREE, "task": {"type": "worker"}}, "KeyError: 'index'"),
        ({"cluster": THREE, "task": {"type": "worker", "index": 2}}, "the cluster has no worker 2"),
        ({"cluster": ["a:1"], "task": {"type": "chief", "index": 0}}, "AttributeError"),
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
