"""The command line: quick, clear about what is wrong, and leaving nothing behind then."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.console import exit_code
from models.cnn.model import ARCHITECTURE
from models.trainer.cli import app_for
from models.trainer.config import Execution, TrainConfig

MODULE = "models.cnn.train_multi_gpu"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", MODULE, *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={"PYTHONPATH": "src", "PATH": "", "HOME": "/nonexistent"},
    )


def call(*arguments: str) -> int:
    """The same in this process."""
    return exit_code(lambda: app_for(ARCHITECTURE)(arguments, MODULE, standalone_mode=False), MODULE)


def test_every_setting_is_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--help") == 0
    text = capsys.readouterr().out
    for name in (*TrainConfig.model_fields, *Execution.model_fields, *ARCHITECTURE.options.model_fields):
        assert f"--{name.replace('_', '-')}" in text
    assert "--wandb-key" not in text
    assert f"python -m {MODULE} --gpu 0 --input" in text


def test_help_and_refusals_need_no_tensorflow() -> None:
    code = (
        f"import sys, {MODULE}; "
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'wandb')))"
    )
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": "src"}).returncode == 0


@pytest.mark.skipif(sys.platform != "linux" or list(Path("/dev").glob("nvidia[0-9]*")) != [], reason="a GPU")
@pytest.mark.parametrize("gpu", ["all", "99"])
def test_gpus_that_arent_there_are_refused_at_once(gpu: str, tmp_path: Path, tiny_records: Path) -> None:
    result = run("--input", str(tiny_records), "--output", str(tmp_path / "out"), "--gpu", gpu)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        f"python -m {MODULE}: --gpu {gpu} wants more than this machine has: there is no GPU driver; "
        "use --gpu 0 (the CPU)\n"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--input {missing} --output {out}", "holds no index.json"),
        ("--input {empty} --output {out}", "holds no index.json"),
        ("--epochs 0", "--epochs 0"),
        ("--crop-scale 1.5", "--crop-scale 1.5"),
        ("--seed 4294967296", "--seed 4294967296"),
        ("--learning-rate inf", "--learning-rate inf"),
        ("--clip-norm nan", "--clip-norm nan"),
        ("--accumulate 0", "--accumulate 0"),
        ("--accumulate 1000 --batch-size 1000", "--accumulate 1000 is more than a batch has images, 60"),
        ("--gpu many", "--gpu many: it should be a number of gpus, or all"),
        ("--keep-checkpoints 0", "--keep-checkpoints 0"),
        ("--variant deep", "--variant"),
        ("--precision float8", "--precision"),
        ("--schedule triangle", "--schedule"),
        ("--fine-tune-from block4", "needs --weights"),
        ("--weights gs:/typo", "gs:/typo"),
        ("--weights {missing}", "is no file, nor a folder with a bundle.json"),
        ("--weights {index}", "can't be loaded"),
        ("--image-size 4", "--image-size 4 is too small for this network, which needs 8 pixels or more"),
        ("--output {records}", "isn't a training run's folder"),
        ("--output {index}/run", "expected a folder that may be written"),
        ("--wandb online", "WANDB_API_KEY"),
        ("--input {records}", "--output"),
        ("--no-such-option", "--no-such-option"),
    ],
)
def test_what_cant_be_used_is_one_line_and_leaves_nothing(
    options: str,
    expected: str,
    tmp_path: Path,
    tiny_records: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "empty").mkdir()
    places = {name: tmp_path / name for name in ("missing", "empty", "out")}
    places |= {"records": tiny_records, "index": tiny_records / "index.json"}
    given = options.format(**places).split()
    if "--input" not in given:
        given += ["--input", str(tiny_records)]
        given += [] if "--output" in given else ["--output", str(tmp_path / "out")]
    assert call("--gpu", "0", *given) == 2
    said = capsys.readouterr()
    complaint = [line for line in said.err.splitlines() if not line.startswith("{")]
    assert len(complaint) == 1, said.err
    assert complaint[0].startswith(f"{MODULE}: ")
    assert expected in complaint[0]
    assert said.out == ""
    assert not (tmp_path / "out").exists()


def test_an_index_of_one_split_is_refused(
    tmp_path: Path, tiny_records: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = json.loads((tiny_records / "index.json").read_text())
    index["shards"]["val"] = []
    (tmp_path / "index.json").write_text(json.dumps(index))
    assert call("--gpu", "0", "--input", str(tmp_path), "--output", str(tmp_path / "out")) == 2
    assert "expected shards of train, val and test" in capsys.readouterr().err
