"""The notebooks run from top to bottom on some of the digits, and are committed without what they showed."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_outputs_are_committed(path):
    notebook = json.loads(path.read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code
    for cell in code:
        assert (cell["outputs"], cell["execution_count"]) == ([], None), f"clear the outputs of {path.name}"
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)], capture_output=True, text=True, cwd=REPOSITORY
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """What the stages make of some of the digits: two of them alike, one file broken."""
    root = tmp_path_factory.mktemp("root")
    archive = root / "some.zip"
    with (
        zipfile.ZipFile(REPOSITORY / "data/sources/digits.zip") as digits,
        zipfile.ZipFile(archive, "w") as some,
    ):
        for label in "012":
            names = sorted(name for name in digits.namelist() if name.startswith(f"{label}/"))[:30]
            for name in names:
                some.writestr(name, digits.read(name))
            some.writestr(f"{label}/copy.png", digits.read(names[0]))
        some.writestr("0/broken.png", b"no image")
    interim, processed, model = (root / stage / "some" for stage in ("interim", "processed", "models"))
    training = ("--gpu", 0, "--epochs", 1, "--batch-size", 16, "--wandb", "off")
    for command in (
        ("datapipeline.records.process", "--input", archive, "--output", interim, "--workers", 1),
        ("datapipeline.records.build_records", "--input", interim, "--output", processed, "--workers", 1),
        ("models.cnn.train_multi_gpu", "--input", processed, "--output", model / "cnn", *training),
    ):
        done = run(*command)
        assert done.returncode == 0, done.stderr
    return root


def test_they_run_from_top_to_bottom(root, tmp_path):
    with zipfile.ZipFile(root / "some.zip") as some:
        (tmp_path / "photo.png").write_bytes(some.read("0/copy.png"))
    arguments = ("--root", root, "--dataset", "some", "--run-id", "cnn", "--photo", tmp_path / "photo.png")
    done = run("tools.notebooks", *arguments, "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    eda, testing = (
        (tmp_path / name).read_text() for name in ("eda-some.html", "model_testing-some-cnn.html")
    )
    assert "some: 93 images in 3 classes" in eda
    assert "1 rejected" in eda
    assert re.search(r"\d+ groups, 0 of them in several classes", eda)
    assert "cnn: cnn on some, 3 classes" in testing
    assert testing.count('src="data:image/png') >= 4
    for page in (eda, testing):
        assert not re.search(r"""(src|href)=["'](https?:)?//""", page)
        assert "output_stderr" not in page


def test_a_run_that_isnt_there_is_one_line(root, tmp_path):
    done = run(
        "tools.notebooks", "--root", root, "--dataset", "some", "--run-id", "none", "--output", tmp_path
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "models/some/none holds no bundle.json" in done.stderr
