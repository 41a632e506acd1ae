"""A root made by the real commands and from a real bundle, collected, and looked at as a reader would."""

import re
import shutil
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import storage
from contracts.bundle import ModelBundle
from contracts.champion import Champion
from contracts.errors import InputError
from contracts.search_space import SearchSpace
from contracts.verdict import Floors, Verdict
from models.trainer.tuning.record import Study, TrialRecord
from tools.report.collecting import collect
from tools.report.documents import render_markdown
from tools.report.linked import linked

REPOSITORY = Path(__file__).parents[2]
HOSTILE = "<img src=x onerror=alert(1)>"
NOW = datetime(2026, 5, 4, tzinfo=UTC)


def verdict(blessed: bool) -> Verdict:
    return Verdict(
        blessed=blessed,
        reasons=() if blessed else ("Recall of red is 0.10, below the floor of 0.50.",),
        judged_at=NOW,
        dataset_digest="0" * 64,
        floors=Floors(),
        confidence=0.95,
        compared_with=None,
        champion=blessed,
    )


def add_run(
    models: Path, name: str, bundle: Path, *, accuracy: float, blessed: bool | None = None
) -> ModelBundle:
    folder = Path(shutil.copytree(bundle, models / name))
    known = ModelBundle.read(str(folder))
    interval = {"accuracy": accuracy, "accuracy_low": accuracy - 0.05, "accuracy_high": accuracy + 0.05}
    gate = None if blessed is None else verdict(blessed)
    changed = known.model_copy(update={"metrics": known.metrics | interval, "gate": gate})
    changed.write(str(folder))
    return changed


def add_champion(models: Path, name: str, bundle: ModelBundle) -> None:
    Champion(
        dataset="tiny",
        bundle=name,
        digest=bundle.digest,
        metrics=bundle.metrics,
        verdict=verdict(blessed=True),
    ).write(str(models))


def add_study(folder: Path) -> None:
    (folder / "study.html").write_text('<a href="trial-0001/report/report.html">the best</a>')
    states = {"trial-0000": ("pruned", 0.5), "trial-0001": ("complete", 0.875)}
    Study(
        name=folder.name,
        dataset="tiny",
        dataset_digest="0" * 64,
        created_at=NOW,
        space=SearchSpace.read(str(REPOSITORY / "searches/from_scratch.yaml")).to_job(),
        model="cnn",
        arguments=(),
        pruner="median",
        seed=0,
        command="make tune",
        first={},
        trials=tuple(
            TrialRecord(
                name=name,
                number=number,
                state=state,
                architecture="cnn",
                parameters={},
                value=value,
                values=(value,),
                seconds=1,
            )
            for number, (name, (state, value)) in enumerate(states.items())
        ),
        best="trial-0001",
        importance={},
    ).write(str(folder))


@pytest.fixture(scope="module")
def made(tmp_path_factory, tiny_bundle) -> Path:
    """A root with one of everything; copy it before changing anything."""
    root = tmp_path_factory.mktemp("root")
    raw = root / "tiny.zip"
    with zipfile.ZipFile(REPOSITORY / "data/sources/digits.zip") as digits, zipfile.ZipFile(raw, "w") as tiny:
        for label in "01":
            for name in sorted(name for name in digits.namelist() if name.startswith(f"{label}/"))[:10]:
                tiny.writestr(name, digits.read(name))
    process = [sys.executable, "-m", "datapipeline.records.process", "--input", raw]
    subprocess.run([*process, "--output", root / "interim/tiny"], check=True, capture_output=True)

    models = root / "models/tiny"
    best = add_run(models, "best", tiny_bundle, accuracy=0.9, blessed=True)
    add_champion(models, "best", best)
    add_run(models, "refused", tiny_bundle, accuracy=0.6, blessed=False)
    add_run(models, HOSTILE, tiny_bundle, accuracy=0.5)
    add_run(models, "search/trial-0001", tiny_bundle, accuracy=0.93)
    add_study(models / "search")
    (models / "older").mkdir()
    (models / "older/bundle.json").write_text('{"schema_version": 1}')
    (models / "begun").mkdir()
    (models / "begun/run.json").write_text("{}")
    return root


@pytest.fixture
def root(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "root"))


@pytest.fixture
def output(tmp_path) -> Path:
    folder = tmp_path / "reports"
    (folder / "benchmarks").mkdir(parents=True)
    (folder / "benchmarks/data.md").write_text("# The data, *measured*\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n")
    (folder / "benchmarks/mine.html").write_text("kept")
    (folder / "notebooks").mkdir()
    (folder / "notebooks/eda-tiny.html").write_text("a notebook")
    return folder


def listed(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def runs(page: str) -> list[str]:
    return re.findall(r'<td class="run" data-value="([^"]*)"', page)


def test_everything_stands_on_one_page_whose_links_hold(root, output):
    found = collect(str(root), str(output)).datasets[0]
    page = (output / "index.html").read_text()
    escaped = HOSTILE.replace("<", "&lt;").replace(">", "&gt;")
    assert runs(page) == ["best", "search/trial-0001", "refused", escaped]  # the champion, then by accuracy
    assert HOSTILE not in page
    for text in ("20 images in 2 classes", "85.0% to 95.0%", "below the floor", "Not finished: begun"):
        assert text in page, text
    assert re.findall(r'badge[^>]*">(\w+)', page)[:2] == ["champion", "blessed"]
    assert "2 trials, 1 stopped early · best val_accuracy 0.8750 (trial-0001)" in page
    assert [line for line in found.unreadable if "models/tiny/older/bundle.json" in line]
    assert "The data, *measured*" in page

    for name in listed(output):
        if name.endswith(".html"):
            addresses = linked((output / name).read_text(), name)
            missing = {link for link in addresses if not (output / link).exists()}
            assert not missing, name
    beside = "models/tiny/best/report"
    assert {f"{beside}/per_class.csv", f"{beside}/predictions.csv"} <= listed(output)
    for name in ("interim/tiny/report.html", f"{beside}/report.html"):
        assert "All reports" in (output / name).read_text(), name
    assert "<table>" in (output / "benchmarks/data.html").read_text()
    assert "<h2>Training data</h2>" in (output / "models/tiny/best/model_card.html").read_text()


def test_a_rerun_removes_what_is_gone_and_only_what_it_wrote(root, output):
    others = listed(output)
    collect(str(root), str(output))
    first = listed(output)
    assert collect(str(root), str(output)).removed == 0
    assert listed(output) == first

    shutil.rmtree(root / "models/tiny/search")
    (output / "benchmarks/data.md").unlink()
    collect(str(root), str(output))
    gone = first - listed(output)
    assert "benchmarks/data.html" in gone
    assert "models/tiny/search/study.html" in gone
    assert not (output / "models/tiny/search").exists()
    assert others - {"benchmarks/data.md"} <= listed(output)
    assert "search" not in (output / "index.html").read_text()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("reports.json", '{"files": ["../victim.txt"]}', "expected names within the folder"),
        ("index.html", "mine", "holds an index.html that isn't ours"),
    ],
)
def test_what_is_somebody_elses_stays(root, output, name, text, said):
    (output / name).write_text(text)
    victim = output.parent / "victim.txt"
    victim.touch()
    with pytest.raises(InputError, match=said):
        collect(str(root), str(output))
    assert victim.exists()
    assert (output / name).read_text() == text


def test_a_bucket_is_read_and_filled_as_a_folder_is(root, output, bucket):
    collect(str(root), str(output))
    storage.upload_many(root, [file.name for file in storage.list_files(str(root))], f"{bucket}/root")
    collect(f"{bucket}/root", f"{bucket}/reports")
    there = {file.name for file in storage.list_files(f"{bucket}/reports")}
    assert there == {name for name in listed(output) if not name.startswith(("benchmarks/", "notebooks/"))}


def test_a_champion_that_was_trained_again_is_none(root, output):
    folder = str(root / "models/tiny/best")
    bundle = ModelBundle.read(folder)
    bundle.model_copy(update={"files": dict(list(bundle.files.items())[1:])}).write(folder)
    collect(str(root), str(output))
    page = (output / "index.html").read_text()
    assert ">champion<" not in page
    assert "the champion, best, is not among the runs here" in page


def test_a_champion_that_was_refused_since_says_why(root, output):
    folder = str(root / "models/tiny/best")
    ModelBundle.read(folder).model_copy(update={"gate": verdict(blessed=False)}).write(folder)
    collect(str(root), str(output))
    page = (output / "index.html").read_text()
    assert "Champion by an earlier verdict, refused since: Recall of red is 0.10" in page
    assert "The champion first, the others by accuracy." in page
    assert "aria-sort=" not in page.partition("<script>")[0].partition("<tbody>")[0].partition("<thead>")[2]


def test_nothing_to_report_is_one_line_and_exit_2(tmp_path, root):
    command = [
        sys.executable,
        "-m",
        "tools.report",
        "--root",
        tmp_path / "empty",
        "--output",
        tmp_path / "out",
    ]
    result = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "run make pipeline first" in result.stderr
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="the data set flowers"):
        collect(str(root), str(tmp_path / "out"), ["tiny", "flowers"])


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "[a](javascript:alert(1))",
        "[a](java&#x0A;script:alert(1))",
        "[a]( \x01javascript:alert(1))",
        "<javascript:alert(1)>",
        "![a](https://example.org/a.png)",
        "![a](//example.org/a.png)",
        "[a]: javascript:alert(1)\n\n[a]",
    ],
)
def test_documents_run_nothing_and_fetch_nothing(text):
    html = render_markdown(f"# A title\n\n{text}\n\n| {text.splitlines()[0]} |\n|---|\n| 1 |\n").html
    assert not re.search(r"<script|<img[^>]*(src|onerror)=|(href|src)=\"[^\"]*(script:|//)", html), html


@given(st.text())
def test_any_text_becomes_a_document_without_tags_of_its_own(text):
    html = render_markdown(text).html
    assert set(re.findall(r"<([a-z0-9]+)", html)) <= {
        *("a", "blockquote", "br", "code", "em", "hr", "img", "li", "ol", "p", "pre", "strong", "ul"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
    }


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_the_index_in_a_browser(browser, root, output, width):
    collect(str(root), str(output))
    with browser.new_context(viewport={"width": width, "height": 800}, color_scheme="dark") as context:
        page = context.new_page()
        asked, broken = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.on("dialog", lambda dialog: broken.append(dialog.message))
        page.goto((output / "index.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width
        names = page.locator("td.run a bdi")
        assert names.all_text_contents()[0] == "best"
        if width == 1280:
            page.get_by_role("button", name="Accuracy").click()
            assert names.all_text_contents() == ["search/trial-0001", "best", "refused", HOSTILE]
        page.get_by_role("link", name="search/trial-0001").click()
        assert page.url.endswith("models/tiny/search/trial-0001/report/report.html")
        page.get_by_role("link", name="All reports").click()
        page.get_by_role("link", name="model card").first.click()
        assert page.locator(".document td").evaluate_all(
            "cells => cells.every(cell => cell.getBoundingClientRect().right < innerWidth)"
        )
        page.get_by_role("link", name="All reports").click()
        assert page.url.endswith("/index.html")
        assert not broken
        assert all(url.startswith(("file:", "data:")) for url in asked)
