"""The gate on bundles whose answers are made up: what it says, what it writes, and who wins of several."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from contracts import storage
from contracts.bundle import BundleFile, Calibration, Golden, ImageSpec, LiteRT, ModelBundle
from contracts.champion import Champion
from contracts.dataset import ShardIndex
from contracts.errors import InputError
from contracts.verdict import Floors, Verdict
from models.trainer.evaluation.metrics import evaluate
from models.trainer.evaluation.predictions import Predictions, write_predictions
from models.trainer.gate import gate

SRC = Path(__file__).parents[3] / "src"
CLASSES = ("blue", "green", "red")
IMAGES = 200
DIGEST = "0" * 64


def make_bundle(
    folder: Path,
    mistakes: int | Collection[int],
    *,
    sureness: float = 0.9,
    agreement: float = 1.0,
    digest: str = DIGEST,
    classes: Sequence[str] = CLASSES,
) -> str:
    """A bundle that has some images of the test split wrong: so many, or these; its folder."""
    wrong = range(mistakes) if isinstance(mistakes, int) else mistakes
    labels = np.arange(IMAGES) % 3
    predicted = np.array([(label + (image in wrong)) % 3 for image, label in enumerate(labels)])
    probabilities = np.full((IMAGES, 3), (1 - sureness) / 2, np.float32)
    probabilities[np.arange(IMAGES), predicted] = sureness
    names = [f"{CLASSES[label]}/{image:03d}.png" for image, label in enumerate(labels)]
    (folder / "report").mkdir(parents=True)
    metrics = evaluate(probabilities, labels, classes)
    write_predictions(folder / "report/predictions.csv", Predictions(names, labels, probabilities), classes)
    (folder / "report/metrics.json").write_text(metrics.model_dump_json())
    (folder / "model.tflite").write_text(folder.name)
    files = [file.name for file in storage.list_files(str(folder))]
    ModelBundle(
        name=folder.name,
        architecture="cnn",
        dataset="tiny",
        dataset_digest=digest,
        created_at=datetime.now(UTC),
        class_names=tuple(classes),
        image=ImageSpec(size=32, record_size=32, resize="shorter-side"),
        calibration=Calibration(temperature=1, examples=1),
        litert=LiteRT(quantization="float16", agreement=agreement, examples=50),
        golden=(Golden(file="golden/00.jpg", probabilities=(1, 0, 0)),),
        golden_tolerance=0.02,
        metrics=metrics.headline(),
        config={},
        git_commit=None,
        packages={},
        wandb_run=None,
        files={name: BundleFile.of(folder / name) for name in files},
    ).write(str(folder))
    return str(folder)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models/tiny"


def verdict(model: str) -> Verdict:
    found = ModelBundle.read(model).gate
    assert found is not None
    return found


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "models.trainer.gate", *arguments],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def state(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*.json")}


def test_the_first_is_the_champion_and_asking_again_changes_nothing(models: Path, tiny_records: Path) -> None:
    model = make_bundle(models / "first", 10)
    ruling = gate(model, str(tiny_records))
    assert verdict(model) == ruling.verdict
    assert ruling.verdict.reasons == (
        "The accuracy is 0.9500; asked is more than 0.3350, as always naming the most frequent class has.",
        "It is the champion.",
    )
    champion = Champion.read(str(models))
    assert (champion.bundle, champion.verdict) == ("first", ruling.verdict)
    assert champion.digest == ModelBundle.read(model).digest
    before = state(models)
    assert gate(model, str(tiny_records)).verdict == ruling.verdict
    assert state(models) == before


def test_a_worse_one_is_refused_and_told_so_in_a_line(models: Path, tiny_records: Path) -> None:
    gate(make_bundle(models / "good", 10), str(tiny_records))
    worse = make_bundle(models / "worse", 20)
    before = Champion.read(str(models))
    done = command("--model", worse, "--input", str(tiny_records))
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "refused: It is worse than good: of 200 images 10 are right with good alone and 0 with it" in line
    assert "0.9000" in done.stdout
    assert verdict(worse).blessed is False
    assert verdict(worse).compared_with == "good"
    assert Champion.read(str(models)) == before


def test_a_little_worse_is_blessed_and_the_champion_stays_so_none_creep_down(
    models: Path, tiny_records: Path
) -> None:
    data = str(tiny_records)
    gate(make_bundle(models / "best", 10), data)
    little = gate(make_bundle(models / "little", 13), data).verdict
    assert (little.blessed, little.champion, little.compared_with) == (True, False, "best")
    assert little.reasons[-1] == "best stays the champion."
    # Beside `little` these would be chance, too.
    assert gate(make_bundle(models / "less", 16), data).verdict.blessed is False
    better = make_bundle(models / "better", 9)
    done = command("--model", better, "--input", data)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("blessed: ")
    assert done.stdout.endswith("It is the champion.\n")
    assert Champion.read(str(models)).bundle == "better"
    assert gate(str(models / "best"), data).verdict.champion is False


def test_of_equals_the_surer_becomes_champion(models: Path, tiny_records: Path) -> None:
    for name, sureness, champion in (("a", 0.9, "a"), ("b", 0.9, "a"), ("c", 0.94, "c"), ("d", 0.9, "c")):
        gate(make_bundle(models / name, 10, sureness=sureness), str(tiny_records))
        assert Champion.read(str(models)).bundle == champion


@pytest.mark.parametrize(
    ("floors", "reason"),
    [
        ({"min_accuracy": 0.96}, "The accuracy is 0.9500; asked is at least 0.96."),
        ({"min_class_recall": 0.95}, "The recall of class red is 0.8485; asked is at least 0.95."),
        ({"max_ece": 0.04}, "The calibration error is 0.0500; asked is at most 0.04."),
        ({"max_litert_disagreement": 0.01}, "The LiteRT disagreement is 0.0200; asked is at most 0.01."),
        ({"min_accuracy": 0.95, "max_ece": 0.06, "max_litert_disagreement": 0.02}, None),
    ],
)
def test_floors(models: Path, tiny_records: Path, floors: dict[str, float], reason: str | None) -> None:
    model = make_bundle(models / "x", range(2, 32, 3), agreement=0.98)
    told = gate(model, str(tiny_records), floors=Floors(**floors)).verdict
    assert told.blessed is (reason is None)
    assert told.floors == Floors(**floors)
    if reason:
        assert told.reasons == (reason,)
        assert not (models / "champion.json").exists()


def test_naming_the_most_frequent_class_is_not_enough(models: Path, tiny_records: Path) -> None:
    model = make_bundle(models / "constant", [image for image in range(IMAGES) if image % 3 != 0])
    [reason] = gate(model, str(tiny_records)).verdict.reasons
    assert reason.startswith("The accuracy is 0.3350; asked is more than 0.3350")


def test_a_champion_that_misses_new_floors_is_refused_and_stays_the_measure(
    models: Path, tiny_records: Path
) -> None:
    model, data = make_bundle(models / "x", 10), str(tiny_records)
    gate(model, data)
    refused = gate(model, data, floors=Floors(min_accuracy=0.99)).verdict
    assert (refused.blessed, refused.champion) == (False, True)
    assert refused.reasons[-1] == "It stays the champion that others are compared with."
    assert Champion.read(str(models)).verdict == verdict(model) == refused
    assert gate(model, data).verdict.blessed
    assert verdict(model) == Champion.read(str(models)).verdict


def test_a_studys_trial_is_compared_with_the_data_sets_champion(models: Path, tiny_records: Path) -> None:
    data = str(tiny_records)
    gate(make_bundle(models / "best", 10), data)
    trial = make_bundle(models / "study/study-03", 9)
    (models / "study/study.json").write_text("{}")
    assert gate(trial, data).verdict.compared_with == "best"
    assert Champion.read(str(models)).bundle == "study/study-03"
    assert gate(str(models / "best"), data).verdict.compared_with == "study-03"


def remove(models: Path) -> None:
    shutil.rmtree(models / "old")


def replace(models: Path) -> None:
    remove(models)
    make_bundle(models / "old", 11)


def rename_classes(models: Path) -> None:
    """Leave a champion of other classes."""
    champion = Champion.read(str(models))
    remove(models)
    model = make_bundle(models / "old", 20, classes=("a", "b", "c"), digest="1" * 64)
    digest = ModelBundle.read(model).digest
    champion.model_copy(update={"digest": digest}).write(str(models))


def damage(models: Path) -> None:
    (models / "champion.json").write_text("{}")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (remove, r"can't be compared with \(.* holds no bundle\.json"),
        (replace, "holds another bundle than the one that became the champion"),
        (rename_classes, r"the champion old knows other classes \(3\)"),
        (damage, r"champion\.json isn't a valid Champion.*once that file is removed"),
    ],
)
def test_nothing_is_blessed_beside_a_champion_that_cannot_be_looked_at(
    models: Path, tiny_records: Path, spoil: Callable[[Path], None], said: str
) -> None:
    gate(make_bundle(models / "old", 20), str(tiny_records))
    spoil(models)
    before = (models / "champion.json").read_bytes()
    model = make_bundle(models / "new", 0)
    with pytest.raises(InputError, match=said):
        gate(model, str(tiny_records))
    assert ModelBundle.read(model).gate is None
    assert (models / "champion.json").read_bytes() == before


def test_a_bundle_trained_anew_in_the_champions_folder_is_not_the_champion(
    models: Path, tiny_records: Path
) -> None:
    gate(make_bundle(models / "vgg16", 5), str(tiny_records))
    shutil.rmtree(models / "vgg16")
    with pytest.raises(InputError, match=r"remove .*champion\.json to begin anew"):
        gate(make_bundle(models / "vgg16", 100), str(tiny_records))


def test_a_report_that_was_touched_up_is_refused(models: Path, tiny_records: Path) -> None:
    model = make_bundle(models / "x", 100)
    table = models / "x/report/predictions.csv"
    table.write_text(table.read_text().replace(",green,", ",blue,"))
    with pytest.raises(InputError, match=r"predictions\.csv isn't the file that bundle\.json describes"):
        gate(model, str(tiny_records))


KILLED = """
import os, signal, sys
from contracts import storage
from models.trainer.gate import gate

replace = storage.replace_bytes

def replace_and_die(*arguments):
    replace(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)

storage.replace_bytes = replace_and_die
gate(sys.argv[1], sys.argv[2])
"""


def test_a_run_killed_between_its_two_writes_is_mended_by_the_next(models: Path, tiny_records: Path) -> None:
    gate(make_bundle(models / "old", 10), str(tiny_records))
    model = make_bundle(models / "new", 5)
    command = [sys.executable, "-c", KILLED, model, str(tiny_records)]
    died = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(SRC)}, timeout=60)
    assert died.returncode == -signal.SIGKILL
    assert Champion.read(str(models)).bundle == "new"
    assert ModelBundle.read(model).gate is None
    gate(model, str(tiny_records))
    assert verdict(model) == Champion.read(str(models)).verdict
    assert verdict(model).compared_with == "old"


TOGETHER = """
import pathlib, sys, time
from models.trainer import gate

model, data, meeting = sys.argv[1:]
present = gate._present

def present_to_all(case):
    found = present(case)
    gate._present = present
    here = pathlib.Path(meeting)
    (here / pathlib.Path(model).name).touch()
    while len(list(here.iterdir())) < 2:
        time.sleep(0.01)
    return found

gate._present = present_to_all
print(gate.gate(model, data).verdict.model_dump_json())
"""


@pytest.mark.parametrize("where", ["local", "gcs"])
@pytest.mark.parametrize("known", [False, True], ids=["no champion", "a champion"])
def test_of_two_at_once_one_succeeds_and_the_other_is_compared_with_it(
    where: str,
    known: bool,
    models: Path,
    tiny_records: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    mistakes = {"old": 20, "one": 10, "two": 9}
    for name, count in mistakes.items():
        make_bundle(models / name, count)
    folder = str(models)
    if where == "gcs":
        folder = storage.join(request.getfixturevalue("strict_bucket"), "models/tiny")
        storage.upload_many(models, [file.name for file in storage.list_files(str(models))], folder)
    if known:
        gate(f"{folder}/old", str(tiny_records))
    (tmp_path / "meeting").mkdir()
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                TOGETHER,
                f"{folder}/{name}",
                str(tiny_records),
                str(tmp_path / "meeting"),
            ],
            env={**os.environ, "PYTHONPATH": str(SRC)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    told = {}
    for name, process in zip(("one", "two"), processes, strict=True):
        out, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        told[name] = Verdict.model_validate_json(out)
        assert told[name] == verdict(f"{folder}/{name}")
    assert Champion.read(folder).bundle == "two"
    assert told["two"].champion
    first = "old" if known else None
    # Whoever came second was compared with the other one, not with the champion that both had read.
    assert {told["one"].compared_with, told["two"].compared_with} in ({first, "one"}, {first, "two"})
    assert told["one"].champion is (told["two"].compared_with == "one")


def test_other_data_is_answered_anew(tiny_bundle: Path, tiny_records: Path, tmp_path: Path) -> None:
    records, model = tmp_path / "records", tmp_path / "models/tiny"
    shutil.copytree(tiny_records, records)
    shutil.copytree(tiny_bundle, model)
    index = ShardIndex.read(str(records))
    grown = hashlib.sha256(b"grown").hexdigest()
    index.model_copy(update={"manifest_digest": grown}).write(str(records))
    told = gate(str(model), str(records)).verdict
    assert told.dataset_digest == grown
    assert Champion.read(str(model.parent)).metrics["accuracy"] == pytest.approx(
        ModelBundle.read(str(model)).metrics["accuracy"], abs=0.04
    )


def test_records_of_other_classes_are_refused(models: Path, tiny_records: Path) -> None:
    model = make_bundle(models / "x", 5, classes=("a", "b", "c"))
    with pytest.raises(InputError, match="expected the same classes"):
        gate(model, str(tiny_records))


def test_reports_are_read_without_tensorflow(models: Path, tiny_records: Path) -> None:
    model = make_bundle(models / "x", 5)
    code = "import json, sys; from models.trainer.gate import gate; gate(*sys.argv[1:]); "
    code += (
        "print(json.dumps([name for name in ('tensorflow', 'keras', 'matplotlib') if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, model, str(tiny_records)],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert json.loads(done.stdout) == [], done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "/no/such", "--input", "{records}"], "bundle.json"),
        (["--model", "{model}", "--input", "/no/such"], "index.json"),
        (["--model", "{model}", "--input", "{records}", "--min-accuracy", "95"], "--min-accuracy"),
    ],
)
def test_what_is_wrong_exits_2_with_one_line(
    models: Path, tiny_records: Path, arguments: list[str], said: str
) -> None:
    model = make_bundle(models / "x", 5)
    done = command(*(each.format(model=model, records=tiny_records) for each in arguments))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr
