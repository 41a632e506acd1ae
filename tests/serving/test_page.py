"""The page in a real browser."""

import base64
import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from contracts.bundle import BundleFile
from serving.settings import Settings

pytestmark = pytest.mark.browser

CLASS_INFO = """
red: {text: The colour of ripe tomatoes., link: "https://example.org/red"}
green: {link: "https://example.org/green"}
blue: {text: Sky.}
"""
NO_IMAGE = "This is no image that can be read: choose a JPEG, PNG or WebP."
GIVE = """([how, files]) => {
    const transfer = new DataTransfer();
    for (const [name, type, data] of files) {
        const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
        transfer.items.add(new File([bytes], name, { type }));
    }
    const event = how === "paste"
        ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true })
        : new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
    document.body.dispatchEvent(event);
}"""


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open the page of a server; what its console says or what it asks of other servers fails the test."""
    complaints: list[str] = []
    with ExitStack() as open_contexts:

        def visit(server: Any, **context: Any) -> Any:
            page = open_contexts.enter_context(browser.new_context(**context)).new_page()
            page.set_default_timeout(15_000)
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("request", lambda request: complain_elsewhere(request.url, server.url))
            page.goto(server.url)
            return page

        def complain_elsewhere(url: str, home: str) -> None:
            if not url.startswith((home, "blob:")):
                complaints.append(url)

        yield visit
    assert [text for text in complaints if not re.search("status of (401|422|503)", text)] == []


@pytest.fixture
def page(visit: Callable[..., Any], server: Any) -> Any:
    """The page of the tiny bundle, loaded."""
    page = visit(server)
    page.get_by_text("tiny-run").wait_for()
    return page


@pytest.fixture
def telling(visit: Callable[..., Any], serve: Any, own_bundle: Path) -> Iterator[Any]:
    """The page of a bundle that tells of its classes."""
    (own_bundle / "class_info.yaml").write_text(CLASS_INFO)
    with serve(Settings(model=str(own_bundle))) as server:
        yield visit(server)


def upload(page: Any, files: dict[str, bytes], control: str = "files") -> None:
    payloads = [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in files.items()]
    page.locator(f"#{control}").set_input_files(payloads)


def give(page: Any, how: str, *files: tuple[str, str, bytes]) -> None:
    encoded = [(name, kind, base64.b64encode(data).decode()) for name, kind, data in files]
    page.evaluate(GIVE, [how, encoded])


def card(page: Any, name: str) -> Any:
    return page.locator(".card").filter(has=page.get_by_text(name, exact=True))


def unclear() -> bytes:
    """A photo that the tiny network takes for green, at 90%."""
    pixels = np.random.default_rng(1).integers(0, 150, (50, 70, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def wait_for_best(page: Any, name: str, best: str) -> Any:
    found = card(page, name)
    found.locator(".best").get_by_text(best, exact=True).wait_for()
    return found


def wait_for_all(page: Any) -> None:
    from playwright.sync_api import expect

    expect(page.locator(".waiting")).to_have_count(0, timeout=60_000)


def test_a_photo_gets_its_class_and_bars(page: Any, picture: Any) -> None:
    upload(page, {"rose.png": picture("red")})
    found = wait_for_best(page, "rose.png", "red")
    first = found.locator(".bars li").first
    assert "red" in first.inner_text()
    percent = float(first.locator(".percent").inner_text().rstrip("%"))
    assert percent > 50
    page.wait_for_timeout(700)  # the bar grows
    track, fill = (first.locator(name).bounding_box()["width"] for name in (".track", ".fill"))
    assert fill / track == pytest.approx(percent / 100, abs=0.02)
    page.get_by_role("status").get_by_text("rose.png: red").wait_for(state="attached")
    assert found.get_by_role("img").get_attribute("alt") == "rose.png"


def test_several_photos_with_a_bad_one_between(page: Any, picture: Any) -> None:
    upload(page, {"a.png": picture("blue", (8, 8)), "b.png": b"nothing", "c.png": picture("green")})
    wait_for_best(page, "b.png", NO_IMAGE)
    wait_for_best(page, "c.png", "green")
    wait_for_best(page, "a.png", "blue")
    assert page.locator(".card .file").all_inner_texts() == ["a.png", "b.png", "c.png"]
    assert "tiny" in card(page, "a.png").locator("img").get_attribute("class")
    assert page.locator("#summary").inner_text() == "1 failed"
    page.get_by_role("button", name="Clear").click()
    assert page.locator(".card").count() == 0
    assert page.evaluate("document.activeElement.id") == "files"


def test_photos_are_dropped_and_pasted_and_what_is_no_photo_is_named(page: Any, picture: Any) -> None:
    give(page, "drop", ("a.png", "image/png", picture("red")), ("notes.txt", "text/plain", b"words"))
    wait_for_best(page, "a.png", "red")
    page.get_by_text("notes.txt is no image.").wait_for()
    give(page, "paste", ("image.png", "image/png", picture("green")))
    wait_for_best(page, "image.png", "green")
    assert page.locator("#notice").inner_text() == ""
    assert page.locator(".card .file").all_inner_texts() == ["image.png", "a.png"]
    give(page, "paste")  # text, which a page may be given anywhere
    assert page.locator(".card").count() == 2


def test_files_of_one_name_are_told_apart(page: Any, picture: Any) -> None:
    photo = picture("red")
    give(page, "drop", ("a.png", "image/png", photo), ("a.png", "image/png", photo))
    wait_for_best(page, "a.png (2)", "red")
    assert page.locator(".card .file").all_inner_texts() == ["a.png", "a.png (2)"]
    assert card(page, "a.png").locator(".bars li").count() == 2  # the third is below 0.1%


def test_what_cant_be_used_has_no_preview_and_says_what_to_do(page: Any, picture: Any) -> None:
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    files = {"a.svg": drawing, "b.png": b"", "c.png": b"words"}
    give(
        page,
        "drop",
        *((name, f"image/{name[2:].replace('svg', 'svg+xml')}", data) for name, data in files.items()),
    )
    give(page, "drop", ("d.jpg", "image/jpeg", picture("red", kind="JPEG")[:-300]))
    wait_for_best(page, "a.svg", NO_IMAGE)
    wait_for_best(page, "b.png", "The file is empty: copy it again.")
    wait_for_best(page, "d.jpg", "The file is cut off: copy it again.")
    page.locator(".preview.none").nth(2).wait_for()


def test_at_a_phones_width_a_mouse_has_a_plain_strip(
    visit: Callable[..., Any], server: Any, picture: Any
) -> None:
    page = visit(server, viewport={"width": 390, "height": 844})
    upload(page, {"a.png": picture("red")})
    wait_for_best(page, "a.png", "red")
    strong, other = (page.locator(f".choose {tag}.for-mouse").bounding_box() for tag in ("strong", "span"))
    assert other["y"] >= strong["y"] + strong["height"] - 1
    assert strong["height"] < 30


def test_a_dropped_folder_is_looked_through(page: Any, picture: Any, tmp_path: Path) -> None:
    for name, data in {
        "flowers/rose.png": picture("red"),
        "flowers/wild/violet.JPG": picture("blue", kind="JPEG"),
        "flowers/.hidden.png": picture("blue"),
        "flowers/list.txt": b"rose",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    drop = {
        "x": 300,
        "y": 300,
        "data": {"items": [], "files": [str(tmp_path / "flowers")], "dragOperationsMask": 1},
    }
    session = page.context.new_cdp_session(page)
    for step in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": step, **drop})
    wait_for_best(page, "flowers/rose.png", "red")
    wait_for_best(page, "flowers/wild/violet.JPG", "blue")
    assert page.locator(".card").count() == 2
    assert page.locator("#notice").inner_text() == ""


def test_below_the_threshold_it_isnt_sure(page: Any) -> None:
    upload(page, {"a.png": unclear(), "b.png": b"nothing"})
    found = wait_for_best(page, "a.png", "green")
    height = found.bounding_box()["height"]
    slider = page.get_by_label("Not sure below")
    assert slider.input_value() == "50"
    slider.fill("99")
    wait_for_best(page, "a.png", "Not sure")
    assert found.locator(".bars .name").first.inner_text() == "maybe green"
    assert found.bounding_box()["height"] == pytest.approx(height, abs=0.5)
    assert slider.get_attribute("aria-valuetext") == "99%"
    assert "1 not sure" in page.locator("#summary").inner_text()
    upload(page, {"c.png": unclear()})
    wait_for_best(page, "c.png", "Not sure")
    slider.fill("20")
    wait_for_best(page, "a.png", "green")


def test_the_answers_are_saved_as_a_table(page: Any, picture: Any) -> None:
    upload(page, {"=a,1.png": picture("red"), 'b "2".png': b"nothing"})
    wait_for_all(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["file"] for row in rows] == ["'=a,1.png", 'b "2".png']
    assert (rows[0]["class"], rows[0]["sure"], rows[0]["model"]) == ("red", "yes", "tiny-run")
    assert float(rows[0]["probability"]) > float(rows[0]["probability_2"])
    assert (rows[1]["class"], rows[1]["sure"], rows[1]["error"]) == ("", "", NO_IMAGE)


def test_a_class_has_its_text_and_link(telling: Any, picture: Any) -> None:
    upload(telling, {"a.png": picture("red"), "b.png": picture("blue"), "c.png": picture("green")})
    wait_for_all(telling)
    info = wait_for_best(telling, "a.png", "red").locator(".info")
    assert "The colour of ripe tomatoes." in info.inner_text()
    link = info.get_by_role("link", name="More about red (opens in a new tab)")
    assert link.get_attribute("href") == "https://example.org/red"
    assert link.get_attribute("rel") == "noopener noreferrer"
    assert link.get_attribute("target") == "_blank"
    assert wait_for_best(telling, "b.png", "blue").locator(".info").inner_text() == "Sky."
    assert "More about green" in wait_for_best(telling, "c.png", "green").locator(".info").inner_text()


REDS = """(image) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const column = context.getImageData(300, 0, 1, canvas.height).data;
    return [canvas.width, canvas.height, column[4 * 50], column.at(-4 * 50)];
}"""
"""Width, height, and how red a pixel of the upper part and one of the lower part is."""


def test_a_large_photo_is_sent_upright_and_small(page: Any, picture: Any) -> None:
    pixels = np.random.default_rng(0).integers(0, 40, (1600, 2400, 3), np.uint8)
    pixels[:, 1200:, 0] += 200  # red where the upright photo's lower half is
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95, exif=exif)
    assert buffer.tell() > 1 << 20
    with page.expect_request_finished(lambda request: request.url.endswith("/predict")) as asked:
        upload(page, {"large.jpg": buffer.getvalue()})
    assert asked.value.sizes()["requestBodySize"] < 1 << 20
    wait_for_all(page)
    # What was sent is the preview, too.
    width, height, above, below = card(page, "large.jpg").locator("img").evaluate(REDS)
    assert (width, height) == (683, 1024)
    assert below > 180 > 60 > above


def test_a_phones_own_format_is_explained(page: Any) -> None:
    upload(page, {"IMG_1.HEIC": b"\0\0\0\x18ftypheic" + bytes(99)})
    card(page, "IMG_1.HEIC").get_by_text("HEIC photos can't be opened by this browser").wait_for()


def test_many_photos_are_asked_for_two_at_a_time(page: Any, picture: Any) -> None:
    under_way, most = set[Any](), [0]

    def begin(request: Any) -> None:
        if request.url.endswith("/predict"):
            under_way.add(request)
            most[0] = max(most[0], len(under_way))

    def end(request: Any) -> None:
        under_way.discard(request)

    page.on("request", begin)
    page.on("requestfinished", end)
    photo = picture("red", (16, 16))
    upload(page, {f"{number}.png": photo for number in range(200)})
    wait_for_all(page)
    assert page.locator(".card.sure, .card.unsure").count() == 200
    assert most[0] == 2
    page.get_by_role("status").get_by_text("All 200 photos are done").wait_for(state="attached")


def test_clearing_ends_what_is_under_way(page: Any, picture: Any) -> None:
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "predict" in request.url else None)
    upload(page, {f"{number}.png": picture("red") for number in range(50)})
    page.get_by_role("button", name="Clear").click()
    upload(page, {"last.png": picture("green")})
    wait_for_best(page, "last.png", "green")
    assert page.locator(".card").count() == 1
    assert len(asked) < 50


def test_a_key_is_asked_for_until_it_is_right(
    visit: Callable[..., Any], serve: Any, tiny_bundle: Path, picture: Any
) -> None:
    with serve(Settings(model=str(tiny_bundle), api_key="sesame")) as server:
        page = visit(server)
        dialog = page.get_by_role("dialog", name="This server wants an API key")
        dialog.get_by_role("button", name="Cancel").click()
        upload(page, {"a.png": picture("red"), "b.png": picture("blue")})
        dialog.wait_for()
        page.keyboard.press("Escape")
        card(page, "a.png").get_by_text("none was entered").wait_for()
        card(page, "b.png").get_by_role("button", name="Try again").click()
        dialog.get_by_label("API key").fill("open")
        page.keyboard.press("Enter")
        dialog.get_by_text("The server doesn't take this key.").wait_for()
        dialog.get_by_label("API key").fill("still open")
        dialog.get_by_role("button", name="Cancel").click()
        card(page, "b.png").get_by_text("none was entered").wait_for()
        card(page, "b.png").get_by_role("button", name="Try again").click()
        dialog.wait_for()
        assert dialog.get_by_label("API key").input_value() == dialog.locator(".wrong").inner_text() == ""
        dialog.get_by_label("API key").fill("sesame")
        dialog.get_by_role("button", name="Continue").click()
        wait_for_best(page, "b.png", "blue")
        page.get_by_text("tiny-run").wait_for()
        card(page, "a.png").get_by_role("button", name="Try again").click()
        wait_for_best(page, "a.png", "red")
        page.reload()
        page.get_by_text("tiny-run").wait_for()
        assert not dialog.is_visible()


def test_another_model_is_seen_by_its_answers(
    visit: Callable[..., Any], serve: Any, own_bundle: Path, picture: Any
) -> None:
    with serve(Settings(model=str(own_bundle))) as server:
        page = visit(server)
        page.get_by_text("tiny-run").wait_for()
        document = json.loads((own_bundle / "bundle.json").read_text())
        (own_bundle / "class_info.yaml").write_text(CLASS_INFO)
        document |= {"name": "next-run", "created_at": "2030-01-02T03:04:05Z"}
        document["files"]["class_info.yaml"] = BundleFile.of(own_bundle / "class_info.yaml").model_dump()
        (own_bundle / "bundle.json").write_text(json.dumps(document))
        requests.post(f"{server.url}/reload", timeout=30).raise_for_status()
        upload(page, {"a.png": picture("red")})
        assert "ripe tomatoes" in wait_for_best(page, "a.png", "red").inner_text()
        page.get_by_text("next-run · version 20300102030405").wait_for()


def test_the_model_says_what_it_is(page: Any) -> None:
    page.get_by_text("About this model").click()
    assert page.get_by_label("Classes").locator("li").all_inner_texts() == ["blue", "green", "red"]
    assert "3 classes: blue, green, red" in page.locator("#knows").inner_text()
    page.get_by_text("Use it from code").click()
    assert f"curl -F file=@photo.jpg {page.url}predict" in page.locator("#example").inner_text()


def test_the_keyboard_is_enough(telling: Any) -> None:
    def focused() -> str:
        return str(telling.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))

    photo = {"name": "a.png", "mimeType": "image/png", "buffer": unclear()}
    # From the start: a chooser that opens as soon as somebody listens for it may be missed on a busy machine.
    telling.on("filechooser", lambda chooser: chooser.set_files([photo]))
    telling.keyboard.press("Tab")
    assert focused() == "files"
    ring = "getComputedStyle(document.querySelector('.choose'), '::before').outlineStyle"
    assert telling.evaluate(ring) == "solid"
    telling.keyboard.press("Space")
    wait_for_best(telling, "a.png", "green")
    passed = []
    for _ in range(6):
        telling.keyboard.press("Tab")
        passed.append(focused())
        if passed[-1] == "threshold":
            telling.keyboard.press("End")
            wait_for_best(telling, "a.png", "Not sure")
            assert not telling.locator(".info").is_visible()  # it is about a class that it may not be
            telling.keyboard.press("Home")
    assert passed[:4] == ["threshold", "csv", "clear", "More about green (opens in a new tab)"]
    assert passed[4:] == ["About this model", "Use it from code"]
    telling.locator("#clear").focus()
    telling.keyboard.press("Enter")
    assert (telling.locator(".card").count(), focused()) == (0, "files")


def test_a_phone_takes_a_photo(visit: Callable[..., Any], server: Any, picture: Any) -> None:
    phone = visit(server, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    camera = phone.get_by_label("Take a photo")
    assert (camera.get_attribute("capture"), camera.get_attribute("accept")) == ("environment", "image/*")
    upload(phone, {"taken.png": picture("green")}, "camera")
    wait_for_best(phone, "taken.png", "green")
    assert phone.evaluate("document.documentElement.scrollWidth") == 390  # nothing is cut
    assert not phone.get_by_text("Drop photos here").is_visible()


def test_without_touch_there_is_no_camera(page: Any) -> None:
    assert not page.get_by_text("Take a photo").is_visible()
    assert page.locator("#camera").evaluate("element => getComputedStyle(element).display") == "none"


CONTRASTS = """() => {
    const parts = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = ([red, green, blue]) => [red, green, blue].map((value) => value / 255)
        .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
        .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
    const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = parts(getComputedStyle(at).backgroundColor);
            if (colour.length < 4 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = {};
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        const text = walker.currentNode.textContent.trim();
        if (!text || !element.checkVisibility() || element.disabled) continue;
        const [one, other] = [parts(getComputedStyle(element).color), ground(element)].map(light);
        const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        found[text.slice(0, 40)] = ratio;
    }
    return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_in_light_and_dark(
    visit: Callable[..., Any], serve: Any, own_bundle: Path, picture: Any, scheme: str
) -> None:
    (own_bundle / "class_info.yaml").write_text(CLASS_INFO)
    with serve(Settings(model=str(own_bundle))) as server:
        page = visit(server, color_scheme=scheme, reduced_motion="reduce")
        page.get_by_text("tiny-run").wait_for()
        empty = page.evaluate(CONTRASTS)
        page.get_by_text("About this model").click()
        upload(page, {"a.png": picture("red"), "b.png": b"nothing", "c.png": unclear()})
        give(page, "drop", ("notes.txt", "text/plain", b"words"))
        wait_for_all(page)
        sure = page.evaluate(CONTRASTS)
        page.get_by_label("Not sure below").fill("99")
        ratios = empty | sure | page.evaluate(CONTRASTS)
        page.evaluate("document.querySelector('dialog').showModal()")
        ratios |= page.evaluate(CONTRASTS)
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert {"Drop photos here", NO_IMAGE[:40], "Not sure", "More about red", "Continue"} <= set(ratios)
    assert {text: ratio for text, ratio in ratios.items() if ratio < 4.5} == {}
    assert (background == "rgb(20, 24, 26)") == (scheme == "dark")


def test_controls_have_names_and_ids_are_single(telling: Any, picture: Any) -> None:
    upload(telling, {"a.png": picture("red"), "b.png": picture("blue")})
    wait_for_all(telling)
    telling.get_by_text("About this model").click()
    session = telling.context.new_cdp_session(telling)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    controls = {"button", "link", "slider", "textbox", "image", "list", "region", "progressbar", "dialog"}
    nameless = [
        node["role"]["value"]
        for node in nodes
        if not node.get("ignored")
        and node["role"]["value"] in controls - {"list"}
        and not node.get("name", {}).get("value", "").strip()
    ]
    assert nameless == []
    assert {node["role"]["value"] for node in nodes} >= {"heading", "list", "slider", "region", "status"}
    ids = telling.evaluate("[...document.querySelectorAll('[id]')].map((element) => element.id)")
    assert len(ids) == len(set(ids))
    labels = telling.evaluate("[...document.querySelectorAll('input')].map((input) => input.labels.length)")
    assert min(labels) > 0
    assert telling.evaluate("document.documentElement.lang") == "en"
