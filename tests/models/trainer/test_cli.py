"""The command line: quick, clear about what is wrong, and leaving nothing behind then."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = "models.vgg16.train_multi_gpu"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", MODULE, *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={"PYTHONPATH": "src", "PATH": "", "HOME": "/nonexistent"},
    )


def test_every_setting_is_an_option() -> None:
    from models.trainer.config import Execution, TrainConfig

    text = run("--help").stdout
    for name in (*TrainConfig.model_fields, *Execution.model_fields):
        assert f"--{name.replace('_', '-')}" in text
    assert "--wandb-key" not in text


def test_help_and_refusals_need_no_tensorflow() -> None:
    code = (
        "import sys; import models.vgg16.train_multi_gpu; "
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'wandb')))"
    )
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": "src"}).returncode == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--input {missing} --output {out}", "holds no index.json"),
        ("--input {empty} --output {out}", "holds no index.json"),
        ("--input {records} --output {out} --epochs 0", "--epochs 0"),
        ("--input {records} --output {out} --crop-scale 1.5", "--crop-scale 1.5"),
        ("--input {records} --output {out} --seed 4294967296", "--seed 4294967296"),
        ("--input {records} --output {out} --learning-rate inf", "--learning-rate inf"),
        ("--input {records} --output {out} --clip-norm nan", "--clip-norm nan"),
        ("--input {records} --output {out} --fine-tune-from block4", "needs --weights"),
        ("--input {records} --output {out} --weights gs:/typo", "gs:/typo"),
        ("--input {records} --output {out} --image-size 64", "more than the records hold, 32"),
        ("--input {records} --output {out} --image-size 16", "needs images of 32 pixels or more"),
        ("--input {records} --output {records}", "isn't a training run's folder"),
        ("--input {records} --output {out} --precision float8", "--precision"),
        ("--input {records} --output {out} --wandb online", "WANDB_API_KEY"),
        ("--input {records}", "--output"),
        ("--input {records} --output {out} --gpu 99", "--gpu 99 wants more than this machine has"),
        ("--input {records} --output {out} --gpu 0 --weights {missing}", "doesn't exist"),
        ("--input {records} --output {out} --gpu 0 --weights {index} --wandb off", "can't be loaded"),
        ("--input {records} --output {out} --no-such-option", "--no-such-option"),
    ],
)
def test_what_cant_be_used_is_one_line_and_leaves_nothing(
    options: str, expected: str, tmp_path: Path, tiny_records: Path
) -> None:
    (tmp_path / "empty").mkdir()
    places = {name: tmp_path / name for name in ("missing", "empty", "out")}
    index = tiny_records / "index.json"
    result = run(*options.format(records=tiny_records, index=index, **places).split())
    assert result.returncode == 2
    complaint = [line for line in result.stderr.splitlines() if not line.startswith("{")]
    assert len(complaint) == 1, result.stderr
    assert complaint[0].startswith(f"python -m {MODULE}: ")
    assert expected in complaint[0]
    assert result.stdout == ""
    assert not (tmp_path / "out").exists()


def test_an_index_of_one_split_is_refused(tmp_path: Path, tiny_records: Path) -> None:
    index = json.loads((tiny_records / "index.json").read_text())
    index["shards"]["val"] = []
    (tmp_path / "index.json").write_text(json.dumps(index))
    result = run("--input", str(tmp_path), "--output", str(tmp_path / "out"))
    assert (result.returncode, result.stdout) == (2, "")
    assert "expected shards of train, val and test" in result.stderr
