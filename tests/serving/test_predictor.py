"""A bundle becomes a predictor only if it is whole and answers as at the export."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.bundle import ModelBundle
from contracts.errors import InputError, StageError
from serving.predictor import load_predictor
from serving.runtimes import RuntimeName

SRC = Path(__file__).parents[2] / "src"


def change_golden(folder, change):
    document = json.loads((folder / "bundle.json").read_text())
    change(document["golden"][0])
    (folder / "bundle.json").write_text(json.dumps(document))
    return document["golden"][0]["file"]


@pytest.mark.parametrize("runtime", [RuntimeName.LITERT, RuntimeName.TENSORFLOW])
def test_both_runtimes_know_the_colours(tiny_bundle, picture, runtime):
    predictor = load_predictor(str(tiny_bundle), runtime)
    for colour in ("blue", "green", "red"):
        (best,) = predictor.predict(picture(colour), top_k=1)
        assert best.name == colour
    everything = predictor.predict(picture("red"), top_k=99)
    assert sum(share for _, share in everything) == pytest.approx(1, abs=1e-4)
    assert len(everything) == 3


def test_altered_probabilities_fail_the_replay(own_bundle):
    name = change_golden(own_bundle, lambda golden: golden["probabilities"].reverse())
    with pytest.raises(StageError, match=rf"{name} .*differs by \d\.\d+"):
        load_predictor(str(own_bundle))


def test_another_number_of_classes_fails_the_replay(own_bundle):
    name = change_golden(own_bundle, lambda golden: golden["probabilities"].pop())
    with pytest.raises(StageError, match=rf"{name} .*2 expected, 3 given"):
        load_predictor(str(own_bundle))


@pytest.mark.parametrize("missing", ["model.tflite", "golden/00.jpg"])
def test_a_bundle_that_lacks_a_file_names_it(own_bundle, missing):
    (own_bundle / missing).unlink()
    with pytest.raises(InputError, match=missing):
        load_predictor(str(own_bundle))


def test_a_file_that_is_no_network_is_named(own_bundle):
    import hashlib

    (own_bundle / "model.tflite").write_bytes(b"TFL3 not really")
    document = json.loads((own_bundle / "bundle.json").read_text())
    digest = hashlib.sha256(b"TFL3 not really").hexdigest()
    document["files"]["model.tflite"] = {"bytes": 15, "sha256": digest}
    (own_bundle / "bundle.json").write_text(json.dumps(document))
    with pytest.raises(StageError, match=r"model\.tflite"):
        load_predictor(str(own_bundle))


def test_serving_with_litert_never_imports_tensorflow(tiny_bundle):
    code = (
        "import sys; import serving.__main__; from serving.predictor import load_predictor\n"
        f"load_predictor({str(tiny_bundle)!r})\n"
        "print({'tensorflow', 'keras', 'models', 'google.cloud.storage'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(SRC)})
    assert done.stdout.strip() == "set()"


def test_a_good_bundle_is_replayed_whole(tiny_bundle):
    predictor = load_predictor(str(tiny_bundle))
    assert predictor.bundle == ModelBundle.read(str(tiny_bundle))
    assert len(predictor.bundle.golden) >= 3
