"""The report of a data set in which much is wrong, as text and in a real browser."""

import csv
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from contracts.dataset import Manifest, Source, SourceFile, SourceOrigin
from datapipeline.records.duplicates import cluster
from datapipeline.records.examine import Criteria, examine
from datapipeline.records.process import ProcessConfig, process
from datapipeline.records.raw import RawFolder
from datapipeline.records.report import render
from datapipeline.records.report.refused import kind
from datapipeline.records.split import assign, gather, own

MARKUP = '<b>"bold" & \u202ebackwards'
SECTIONS = ("look", "classes", "samples", "sizes", "conflicts", "duplicates", "outliers", "rejected")


def picture(*seed: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """A coarse pattern: unlike that of any other seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)


def add_class(folder: Path, label: int, count: int) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        picture(label, number).save(folder / f"{number:03}.png")


@pytest.fixture(scope="module")
def messy(tmp_path_factory) -> Path:
    """Copies, conflicts, outliers and broken files; a class is ten times another, one is called as markup."""
    raw = tmp_path_factory.mktemp("raw") / "messy"
    for label, (name, count) in enumerate({"cat": 80, "dog": 30, MARKUP: 8}.items()):
        add_class(raw / name, label, count)
    shutil.copy(raw / "cat/007.png", raw / "dog/strayed.png")
    for number in range(3):
        picture(0, 9, size=(96 + number, 72)).save(raw / f"cat/again {number}.jpg")
    picture(3, 1).point(lambda value: value // 16).save(raw / "dog/night.png")
    picture(3, 2).point(lambda value: 245 + value // 26).save(raw / "dog/snow.png")
    picture(3, 3).filter(ImageFilter.GaussianBlur(12)).save(raw / "cat/fog.png")
    picture(3, 4, size=(400, 40)).save(raw / "cat/panorama.png")
    for number in range(2):
        (raw / f"cat/cut {number}.png").write_bytes((raw / "cat/000.png").read_bytes()[:150])
        picture(4, number, size=(3, 4 + number)).save(raw / f"cat/small {number}.png")
    return raw


@pytest.fixture(scope="module")
def interim(messy, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("interim") / "messy"
    process(str(messy), str(folder), ProcessConfig(workers=1))
    return folder


@pytest.fixture(scope="module")
def page(interim) -> str:
    return (interim / "report.html").read_text(encoding="utf-8")


def report(folder: Path, **options: Any) -> str:
    """The page of `folder/raw`."""
    process(str(folder / "raw"), str(folder / "out"), ProcessConfig(workers=1, **options))
    return (folder / "out/report.html").read_text(encoding="utf-8")


def section(page: str, name: str) -> str:
    return re.search(f'<section id="{name}">.*?</section>', page, re.DOTALL)[0]


def cards(text: str) -> list[set[str]]:
    """The paths that each group shows side by side."""
    groups = re.split('<div class="group">', text)[1:]
    for group in groups:
        assert group.count("<img") == group.count("<figure>") > 1
        assert group.count('class="dot') == group.count("<figure>")
    return [set(re.findall(r'<bdi title="(.*?)">', group)) for group in groups]


def test_conflicts_and_duplicates_stand_side_by_side(page):
    assert cards(section(page, "conflicts")) == [{"cat/007.png", "dog/strayed.png"}]
    again = {f"cat/again {number}.jpg" for number in range(3)}
    assert cards(section(page, "duplicates")) == [{"cat/009.png", *again}]
    assert "the very same file" in section(page, "conflicts")
    assert "the very same file" not in section(page, "duplicates")


def test_what_looks_alike_is_counted_in_one_way(page, interim):
    with (interim / "duplicates.csv").open(newline="") as rows:
        groups = [row["group"] for row in csv.DictReader(rows)]
    assert (len(groups), len(set(groups))) == (6, 2)
    assert re.search(r'<a href="#duplicates"><b>6</b><span>images alike in 2 groups</span>', page)
    assert re.search(r"6 images \(.*?%\) look the same, in 2 groups", section(page, "look"))
    assert "6 images in 2 groups look the same: 2 images in 1 group across" in section(page, "duplicates")


def test_groups_and_samples_show_what_differs(tmp_path):
    for label, name in enumerate(("cat", "dog")):
        add_class(tmp_path / "raw" / name, label, 20)
        for number in range(15):
            shutil.copy(tmp_path / f"raw/{name}/{number:03}.png", tmp_path / f"raw/{name}/copy {number}.png")
    page = report(tmp_path)
    assert "12 of 30 groups;" in section(page, "duplicates")
    classes = [{path.partition("/")[0] for path in paths} for paths in cards(section(page, "duplicates"))]
    assert [classes.count({name}) for name in ("cat", "dog")] == [6, 6]
    images = re.findall('src="(.*?)"', section(page, "samples"))
    assert len(images) == len(set(images)) == 20


def test_outliers_are_framed(page):
    strips = re.split(r"<h3>(Darkest|Brightest|Blurriest|Longest)", section(page, "outliers"))
    framed = {
        name: re.findall(r'<figure class="beyond">.*?<bdi title="(.*?)">', text, re.DOTALL)
        for name, text in zip(strips[1::2], strips[2::2], strict=True)
    }
    assert framed["Darkest"] == ["dog/night.png"]
    assert framed["Brightest"] == ["dog/snow.png"]
    assert "cat/fog.png" in framed["Blurriest"]
    assert framed["Longest"] == ["cat/panorama.png"]


def test_findings_say_it_in_words_and_lead_there(page):
    look = section(page, "look")
    found = re.findall(r"<span>(.*?)</span>", look)
    for words in (
        "1 group of images looks the same but stands in different classes",
        "times the images of",
        "1 image is much darker than most",
        "fewer than 5 images in test",
        "Rejected files: 2 too small, 2 truncated",
    ):
        assert any(words in text for text in found), words
    assert set(re.findall('href="#(.*?)"', page)) <= set(re.findall('<section id="(.*?)"', page))


def test_images_that_leak_between_given_sides_are_a_warning(tmp_path):
    for number, (side, count) in enumerate({"train": 9, "val": 3, "test": 4}.items()):
        for label, name in enumerate(("oak", "elm")):
            add_class(tmp_path / "raw" / side / name, 2 * number + label, count)
    for number in range(2):
        shutil.copy(tmp_path / f"raw/test/oak/00{number}.png", tmp_path / f"raw/train/oak/leak {number}.png")
    look = section(report(tmp_path, keep_split=True), "look")
    assert 'class="warning"><span>2 images of the author' in look
    assert "train or val also lie in the author&#39;s test: they are left out" in look


def test_far_shares_and_names_that_differ_by_case_are_findings(tmp_path):
    for label, name in enumerate(("cat", "Cat")):
        add_class(tmp_path / "raw" / name, label, 20)
    for number in range(40):
        shutil.copy(tmp_path / "raw/cat/000.png", tmp_path / f"raw/cat/copy {number}.png")
    look = section(report(tmp_path, split=(0.34, 0.33, 0.33)), "look")
    assert 'class="warning"><span>The classes “Cat” and “cat” differ by case only' in look
    assert re.search(r"(train|val|test) has \d\d\.\d% of the images, where 3[34]% were asked for", look)


def test_the_source_and_the_common_folder_are_said_once(tmp_path):
    for label, name in enumerate(("cat", "dog")):
        add_class(tmp_path / "raw/release 2/images" / name, label, 5)
    (tmp_path / "raw/release 2/images/cat/cut.png").write_bytes(b"nothing")
    file = SourceFile(name="pets.zip", bytes=1, crc32c="AAAAAA==")
    origin = SourceOrigin(
        uri="https://pets.test/v2", licence="CC0", fetched_at=datetime.now(UTC), files=(file,)
    )
    Source(dataset="pets", origins=(origin,)).write(str(tmp_path / "raw"))
    page = report(tmp_path)
    head = re.search("<header>.*?</header>", page, re.DOTALL)[0].replace("<wbr>", "")
    assert "<bdi>https://pets.test/v2</bdi>" in head
    assert "licence: CC0" in head
    assert "<code>release 2/images/</code>" in head
    assert "Every image is PNG." in section(page, "sizes")
    assert '<ol class="bars' not in section(page, "rejected")
    assert 'href="rejected.csv"' in section(page, "rejected")


def test_nothing_to_worry_about(tmp_path):
    for label, name in enumerate(("cat", "dog")):
        add_class(tmp_path / "raw" / name, label, 60)
    page = report(tmp_path, split=(0.6, 0.2, 0.2))
    assert "Nothing to worry about" in section(page, "look")
    assert "<li" not in section(page, "look")
    assert "Every image has 64 \N{MULTIPLICATION SIGN} 48 pixels." in page


def test_names_are_no_markup_and_turn_no_text_around(page):
    assert "<b>&#34;bold" not in page
    assert '<b>"bold' not in page
    assert "\u202e" not in page
    assert r"&lt;b&gt;&#34;bold&#34; &amp; \u202ebackwards" in page


def test_any_number_of_processes_gives_the_same_page(messy, interim, tmp_path):
    process(str(messy), str(tmp_path), ProcessConfig(workers=2))
    assert (tmp_path / "report.html").read_bytes() == (interim / "report.html").read_bytes()


def test_an_image_that_is_gone_does_not_spoil_the_page(messy, interim, tmp_path):
    raw_folder = Path(shutil.copytree(messy, tmp_path / "raw"))
    with RawFolder(str(raw_folder)) as raw:
        examine(raw, Criteria(), 1)
        cluster(raw.table, near=True)
        gather(raw.table, 0, keep=False)
        own(raw.table)
        assign(raw.table, (0.8, 0.1, 0.1), keep=False)
        (raw_folder / "dog/night.png").unlink()
        (raw_folder / "dog/snow.png").write_text("no image any more")
        page = render(Manifest.read(str(interim)), raw).decode()
    assert page.count("can't be read any more") >= 2
    assert "dog/night.png" in section(page, "outliers")
    assert page.count("<img") > 40


def test_hundreds_of_classes_stay_one_page(tmp_path):
    for label in range(300):
        add_class(tmp_path / f"raw/class {label:03}", label, 3 + label // 290)
    process(str(tmp_path / "raw"), str(tmp_path / "out"), ProcessConfig(workers=2))
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "200 of 300 classes" in section(page, "samples")
    assert "250 classes between them hold 750 images" in section(page, "classes")
    assert page.count("<img") <= 400
    assert len(page) < 2_000_000


def test_reasons_are_counted_without_their_particulars():
    assert kind("too small: 3x4") == kind("too small: 7x300") == "too small"
    assert kind("looks the same as a/1.jpg") == kind("looks the same as b: 2.jpg")
    leak = kind("looks the same as a/1.jpg, which is in the given test")
    assert (
        leak == kind("looks the same as b/2.jpg, which is in the given test") != kind("looks the same as a")
    )
    assert kind("a name that isn't UTF-8") == "a name that isn't UTF-8"


@pytest.mark.browser
def test_the_page_in_a_browser(browser, interim):
    url = (interim / "report.html").as_uri()
    page = browser.new_page(viewport={"width": 360, "height": 780})
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    for name in SECTIONS:
        assert page.locator(f"#{name}").bounding_box()["height"] > 60
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0 && image.alt)")
    for width in (360, 1200):
        page.set_viewport_size({"width": width, "height": 780})
        assert page.evaluate("document.documentElement.scrollWidth") == width
    page.get_by_role("link", name="in different classes").click()
    assert page.url.endswith("#conflicts")
    assert page.get_by_role("heading", level=2).count() == len(SECTIONS)
    page.close()
    assert said == []
    assert [address for address in asked if not address.startswith(("data:", url))] == []
