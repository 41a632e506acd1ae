"""A bundle on records: the verb and the command."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from contracts import storage
from contracts.bundle import ModelBundle, Runtime
from contracts.dataset import ShardIndex
from contracts.errors import InputError
from models.trainer.evaluate import evaluate

SRC = Path(__file__).parents[3] / "src"


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "models.trainer.evaluate", *arguments],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("runtime", get_args(Runtime))
def test_it_finds_what_training_found(tiny_bundle: Path, tiny_records: Path, runtime: Runtime) -> None:
    metrics = evaluate(str(tiny_bundle), str(tiny_records), runtimes=[runtime]).judgements[runtime].metrics
    told = ModelBundle.read(str(tiny_bundle)).metrics
    assert metrics.examples == told["examples"] == 30
    assert metrics.accuracy == pytest.approx(told["accuracy"], abs=0.04)
    assert metrics.log_loss == pytest.approx(told["log_loss"], abs=0.02)
    assert metrics.temperature == told["temperature"]
    assert metrics.uncalibrated.ece == pytest.approx(told["ece_uncalibrated"], abs=0.02)


def test_the_command_prints_a_table_and_writes_a_report(
    tiny_bundle: Path, tiny_records: Path, tmp_path: Path
) -> None:
    done = command(
        "--model", str(tiny_bundle), "--input", str(tiny_records), "--output", str(tmp_path), "--split", "val"
    )
    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stdout
    page = " ".join(re.sub("<[^>]*>", "", (tmp_path / "report.html").read_text()).split())
    assert f"finished bundle {tiny_bundle}: its saved_model answered" in page
    assert f"the 24 images of the val split of {tiny_records}." in page
    assert "Float and quantized" not in page
    assert json.loads((tmp_path / "metrics.json").read_text())["examples"] == 24
    assert {"report.html", "predictions.csv", "label_errors.csv"} <= {
        file.name for file in tmp_path.iterdir()
    }


def test_both_runtimes_stand_side_by_side(tiny_bundle: Path, tiny_records: Path, tmp_path: Path) -> None:
    paths = ["--model", str(tiny_bundle), "--input", str(tiny_records), "--output", str(tmp_path)]
    done = command(*paths, "--runtime", "both")
    assert done.returncode == 0, done.stderr
    head, *rows, last = done.stdout.splitlines()
    assert head.split() == ["tensorflow", "litert"]
    assert all(re.fullmatch(r"[a-z0-9 ]+(\s+[\d.e-]+){2}", row) for row in rows), rows
    assert re.fullmatch(r"They name the same class for (100|9\d)\.\d\d% of the images\.", last)
    page = " ".join((tmp_path / "report.html").read_text().split())
    assert '<th class="n">saved_model</th><th class="n">model.tflite</th>' in page
    assert last in page
    assert "--runtime both" in page


def test_an_output_that_is_somebody_elses_is_refused(
    tiny_bundle: Path, tiny_records: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "diary").mkdir()
    (tmp_path / "diary/monday.txt").write_text("rain")
    for output, message in (
        (tiny_bundle / "report", "belongs to a bundle"),
        (tiny_bundle, "belongs to a bundle"),
        (tmp_path / "file", "file can't be filled: expected a folder"),
        (tmp_path / "diary", "diary holds monday.txt, which is no part of a report"),
    ):
        with pytest.raises(InputError, match=message):
            evaluate(str(tiny_bundle), str(tiny_records), str(output))


def test_an_evaluation_leaves_nothing_of_the_one_before(
    tiny_bundle: Path, tiny_records: Path, tmp_path: Path
) -> None:
    model, data, output = str(tiny_bundle), str(tiny_records), str(tmp_path / "out")
    evaluate(model, data, output, split="val", runtimes=("litert",))
    assert (tmp_path / "out/label_errors.csv").is_file()
    evaluate(model, data, output, split="train", runtimes=("litert",))
    assert not (tmp_path / "out/label_errors.csv").exists()
    assert json.loads((tmp_path / "out/metrics.json").read_text())["examples"] == 60


def test_other_classes_are_refused_by_name(tiny_bundle: Path, tiny_records: Path, tmp_path: Path) -> None:
    index = ShardIndex.read(str(tiny_records))
    index.model_copy(update={"class_names": ("blue", "green", "yellow")}).write(str(tmp_path))
    with pytest.raises(InputError, match=r"only in the model: red; only in the data: yellow"):
        evaluate(str(tiny_bundle), str(tmp_path))


def test_a_damaged_shard_is_one_line(tiny_bundle: Path, tiny_records: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_records, tmp_path, dirs_exist_ok=True)
    shard = tmp_path / "test-00000-of-00001.tfrecord"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    with pytest.raises(InputError, match="build the records again"):
        evaluate(str(tiny_bundle), str(tmp_path))


def test_bundle_and_records_may_lie_in_a_bucket(
    tiny_bundle: Path, tiny_records: Path, tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for folder, name in ((tiny_bundle, "model"), (tiny_records, "records")):
        names = [file.name for file in storage.list_files(str(folder))]
        storage.upload_many(folder, names, f"{bucket}/{name}")
    found = evaluate(f"{bucket}/model", f"{bucket}/records", f"{bucket}/report", runtimes=["litert"])
    told = json.loads(storage.read_bytes(f"{bucket}/report/metrics.json"))
    assert told["log_loss"] == found.judgements["litert"].metrics.log_loss


@pytest.mark.parametrize("missing", ["--model", "--input"])
def test_what_is_not_there_exits_2_with_one_line(
    tiny_bundle: Path, tiny_records: Path, tmp_path: Path, missing: str
) -> None:
    given = {"--model": str(tiny_bundle), "--input": str(tiny_records)} | {missing: str(tmp_path)}
    done = command(*(word for pair in given.items() for word in pair))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert str(tmp_path) in done.stderr
