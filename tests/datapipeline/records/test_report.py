"""The report of a data set in which much is wrong, as text and in a real browser."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from contracts.dataset import Manifest
from datapipeline.records.duplicates import cluster
from datapipeline.records.examine import Criteria, examine
from datapipeline.records.process import ProcessConfig, process
from datapipeline.records.raw import RawFolder
from datapipeline.records.report import render
from datapipeline.records.report.refused import kind
from datapipeline.records.split import assign, gather, own

CHROMIUM = Path("/usr/bin/chromium")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
QUIET += ("--disable-component-update", "--disable-sync")

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


def test_nothing_to_worry_about(tmp_path):
    for label, name in enumerate(("cat", "dog")):
        add_class(tmp_path / "raw" / name, label, 60)
    process(str(tmp_path / "raw"), str(tmp_path / "out"), ProcessConfig(split=(0.6, 0.2, 0.2), workers=1))
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
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
    assert kind("a name that isn't UTF-8") == "a name that isn't UTF-8"


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"needs {CHROMIUM} (Debian's package chromium)")
def test_the_page_in_a_browser(interim):
    from playwright.sync_api import sync_playwright

    url = (interim / "report.html").as_uri()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
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
        browser.close()
    assert said == []
    assert [address for address in asked if not address.startswith(("data:", url))] == []
