"""Several hosts, as processes on loopback: they train as one does, and lose nothing when one of them goes."""

import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from contracts import records, storage
from contracts.dataset import Shard, ShardIndex
from models.trainer import input_pipeline
from models.trainer.augmentation import Augmentation
from models.trainer.input_pipeline import Batches, Epoch, Pixels, SplitShards

SETTINGS = {
    "epochs": 14,  # enough to be interrupted in
    "optimizer": "sgd",  # Adam makes rounding larger where gradients are next to nothing
    "learning_rate": 0.01,
    "batch_size": 14,  # the last of 5 has 4 images
    "dropout": 0.0,
    "accumulate": 2,
    "ema": 0.9,
    "class_weights": "balanced",
}
SCRIPT = Path(__file__).with_name("train_small.py")
SECONDS = 240
"""That a process may take before it counts as hanging."""


class Hosts:
    """Processes that train together, the chief first; each has a home of its own."""

    def __init__(
        self, folder: Path, data: Path, outputs: Sequence[Path], settings: Sequence[dict[str, Any]]
    ) -> None:
        ports = _free_ports(len(outputs))
        addresses = [f"127.0.0.1:{port}" for port in ports]
        cluster = {"chief": addresses[:1], "worker": addresses[1:]}
        self.homes = [folder / f"home-{host}" for host in range(len(outputs))]
        self._processes = []
        for host, home in enumerate(self.homes):
            home.mkdir(parents=True, exist_ok=True)
            task = {"type": "worker", "index": host - 1} if host else {"type": "chief", "index": 0}
            with (folder / f"said-{host}").open("w") as said:
                process = subprocess.Popen(
                    [sys.executable, str(SCRIPT), str(data), str(outputs[host]), json.dumps(settings[host])],
                    stderr=said,
                    env=_environment(home) | {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})},
                )
            self._processes.append(process)
        self._folder = folder

    def __enter__(self) -> "Hosts":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def said(self, host: int) -> str:
        return (self._folder / f"said-{host}").read_text()

    def last_line(self, host: int) -> str:
        said = self.said(host)
        assert "Traceback" not in said
        return said.splitlines()[-1]

    def signal(self, host: int, number: int, *, epochs: int = 1) -> None:
        """Send it once the chief has told of so many epochs that these processes trained."""
        deadline = time.monotonic() + SECONDS
        while self.said(0).count('"event": "epoch"') < epochs:
            assert time.monotonic() < deadline, self.said(0)
            assert all(process.poll() is None for process in self._processes), self.said(0)
            time.sleep(0.02)
        self._processes[host].send_signal(number)

    def end(self) -> list[int]:
        """The exit codes."""
        return [process.wait(SECONDS) for process in self._processes]


Start = Callable[..., Hosts]


@pytest.fixture
def start(tiny_records: Path, tmp_path: Path) -> Iterator[Start]:
    """Start so many hosts: (count, output, …) to them; `of_worker` is what the last one is told otherwise."""
    started: list[Hosts] = []

    def run(
        count: int,
        output: Path,
        *,
        data: Path = tiny_records,
        worker_output: Path | None = None,
        of_worker: dict[str, Any] | None = None,
        **settings: Any,
    ) -> Hosts:
        folder = tmp_path / f"hosts-{len(started)}"
        outputs = [output] * (count - 1) + [worker_output or output]
        told = [SETTINGS | settings] * (count - 1) + [SETTINGS | settings | (of_worker or {})]
        started.append(Hosts(folder, data, outputs, told))
        return started[-1]

    yield run
    for hosts in started:
        hosts.__exit__()


@pytest.fixture(scope="module")
def alone(tiny_records: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a single host, which was never disturbed."""
    folder = tmp_path_factory.mktemp("alone")
    subprocess.run(
        [sys.executable, str(SCRIPT), str(tiny_records), str(folder / "run"), json.dumps(SETTINGS)],
        env=_environment(folder),
        check=True,
        timeout=SECONDS,
    )
    return folder / "run"


def _environment(home: Path) -> dict[str, str]:
    # matplotlib takes seconds to list the fonts in a home that is new to it.
    fonts = os.environ.get("MPLCONFIGDIR", str(Path("~/.cache/matplotlib").expanduser()))
    return {
        "PYTHONPATH": f"src:{SCRIPT.parent.parent}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": "",
        "HOME": str(home),
        "TMPDIR": str(home),
        "MPLCONFIGDIR": fonts,
    }


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [found.getsockname()[1] for found in sockets]
    for found in sockets:
        found.close()
    return ports


def check_alike(output: Path, expected: Path) -> None:
    """Two runs ended with the same state and told the same."""
    mine, theirs = (_last_state(folder) for folder in (output, expected))
    assert mine.keys() == theirs.keys()
    for name, values in theirs.items():
        if name != "progress":
            np.testing.assert_allclose(mine[name], values, rtol=0, atol=1e-5, err_msg=name)
    ours, others = (history(folder) for folder in (output, expected))
    assert len(ours) == len(others) == SETTINGS["epochs"]
    for name in ("loss", "accuracy", "val_loss", "val_accuracy", "gradient_norm", "learning_rate"):
        np.testing.assert_allclose(
            [row[name] for row in ours], [row[name] for row in others], rtol=0, atol=1e-5, err_msg=name
        )


def _last_state(output: Path) -> dict[str, Any]:
    with np.load(max(output.glob("checkpoints/state-*.npz"))) as arrays:
        return {name: arrays[name] for name in arrays.files}


def history(output: Path) -> list[dict[str, float]]:
    with (output / "history.csv").open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def test_two_hosts_train_as_one_and_the_chief_alone_writes(start: Start, alone: Path, tmp_path: Path) -> None:
    hosts = start(2, tmp_path / "run")
    assert hosts.end() == [0, 0], hosts.said(0) + hosts.said(1)
    check_alike(tmp_path / "run", alone)
    assert (tmp_path / "run" / "bundle.json").exists()
    left = [path for path in hosts.homes[1].rglob("*") if path.is_file() and path.parent.name != ".keras"]
    assert left == []
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    again = start(2, tmp_path / "run")
    assert again.end() == [0, 0]
    assert '"already trained"' in again.last_line(1)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")} == before


def test_hosts_that_are_stopped_and_lost_end_as_if_nothing_had_been(
    start: Start, alone: Path, tmp_path: Path
) -> None:
    stopped = start(2, tmp_path / "run")
    stopped.signal(1, signal.SIGTERM)
    assert stopped.end() == [128 + signal.SIGTERM] * 2, stopped.said(0) + stopped.said(1)
    ends = [
        [json.loads(line) for line in stopped.said(host).splitlines() if "the state is saved" in line][-1]
        for host in (0, 1)
    ]
    assert ends[0] == ends[1]
    assert stopped.last_line(0).endswith("terminated; the same command again carries on")

    lost = start(2, tmp_path / "run")
    lost.signal(1, signal.SIGKILL)
    assert lost.end() == [1, -signal.SIGKILL], lost.said(0)
    assert "another host is gone" in lost.last_line(0)
    assert '"going on from the last state"' in lost.said(0)

    ended = start(3, tmp_path / "run")
    assert ended.end() == [0, 0, 0], ended.said(0) + ended.said(1)
    check_alike(tmp_path / "run", alone)


def test_hosts_with_files_of_their_own_learn_and_the_worker_ends_with_its_chief(
    start: Start, sharded: Path, tmp_path: Path
) -> None:
    hosts = start(2, tmp_path / "run", data=sharded, host_input="files", epochs=500)
    hosts.signal(0, signal.SIGKILL, epochs=4)
    assert hosts.end() == [-signal.SIGKILL, 1], hosts.said(1)
    assert "another host is gone" in hosts.last_line(1)
    state = json.loads(_last_state(tmp_path / "run")["progress"].tobytes())
    assert state["steps"] % 5 == 0  # the host that has 35 images takes 7 a step
    assert state["history"][3]["loss"] < state["history"][0]["loss"] * 0.9


@pytest.mark.parametrize(
    ("of_worker", "elsewhere", "said"),
    [
        ({"batch_size": 20}, False, ["the hosts don't agree on the settings or the data"] * 2),
        ({}, True, ["another host is gone", "holds no run.json, which the chief has written"]),
    ],
)
def test_hosts_that_were_told_different_things_end(
    start: Start, tmp_path: Path, of_worker: dict[str, Any], elsewhere: bool, said: list[str]
) -> None:
    worker_output = tmp_path / "other" if elsewhere else None
    hosts = start(2, tmp_path / "run", worker_output=worker_output, of_worker=of_worker)
    assert hosts.end() == [1, 1], hosts.said(0) + hosts.said(1)
    for host, line in enumerate(said):
        assert line in hosts.last_line(host)
    assert not (tmp_path / "other").exists()
    assert elsewhere or not (tmp_path / "run").exists()


def test_hosts_that_see_different_states_end(start: Start, alone: Path, tmp_path: Path) -> None:
    for name in ("run", "other"):
        shutil.copytree(alone, tmp_path / name, ignore=shutil.ignore_patterns("bundle.json"))
    max((tmp_path / "other").glob("checkpoints/state-*.npz")).unlink()
    hosts = start(2, tmp_path / "run", worker_output=tmp_path / "other")
    assert hosts.end() == [1, 1], hosts.said(0) + hosts.said(1)
    for host, step in enumerate((70, 65)):
        assert f"the hosts don't agree on how far the run is (here: step {step})" in hosts.last_line(host)


@pytest.fixture
def sharded(tiny_records: Path, tmp_path: Path) -> Path:
    """The tiny records with their training images in three shards of 20, 25 and 15."""
    folder = Path(shutil.copytree(tiny_records, tmp_path / "sharded"))
    index = ShardIndex.read(str(folder))
    whole = folder / index.shards["train"][0].name
    kept = [record.numpy() for record in tf.data.TFRecordDataset(str(whole))]
    whole.unlink()
    shards, done = [], 0
    for number, count in enumerate((20, 25, 15)):
        path = folder / records.shard_name("train", number, 3)
        part = kept[done : done + count]
        with tf.io.TFRecordWriter(str(path)) as writer:
            for record in part:
                writer.write(record)
        labels = [_label(record) for record in part]
        shards.append(
            Shard(
                name=path.name,
                examples=count,
                bytes=path.stat().st_size,
                crc32c=storage.checksum(path),
                class_histogram=tuple(labels.count(label) for label in range(len(index.class_names))),
            )
        )
        done += count
    index.model_copy(update={"shards": {**index.shards, "train": tuple(shards)}}).write(str(folder))
    return folder


def _label(record: bytes) -> int:
    feature = tf.train.Example.FromString(record).features.feature
    return int(feature[records.LABEL].int64_list.value[0])


def test_hosts_with_files_of_their_own_see_every_image(sharded: Path) -> None:
    index = ShardIndex.read(str(sharded))
    shards = index.shards["train"]
    split = SplitShards(
        tuple(str(sharded / shard.name) for shard in shards), tuple(shard.examples for shard in shards)
    )
    epoch = Epoch(0, 0, Augmentation(crop_scale=1.0), own_files=True)
    seen, shares = [], np.zeros(5)
    for host in range(2):
        batches = Batches(14, replicas=2, hosts=2, host=host)
        assert input_pipeline.training_steps(split, batches, own_files=True) == 5
        for step, batch in enumerate(input_pipeline.training(split, Pixels(32, 32, 3), batches, epoch)):
            images, _, counted = (values.numpy() for values in batch)
            seen += [image.tobytes() for image in images[counted > 0]]
            shares[step] += counted.sum()
    assert len(seen) == len(set(seen)) == 60
    np.testing.assert_allclose(shares, 1, rtol=1e-6)
