"""The page in a real browser."""

import re

import pytest

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser, server):
    """The page, loaded; what its console says or what it asks of other servers fails the test."""
    page = browser.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if elsewhere(request.url) else None)

    def elsewhere(url):
        return not url.startswith((server.url, "blob:"))

    page.goto(server.url)
    page.get_by_text("tiny-run").wait_for()
    yield page
    page.close()
    assert [text for text in complaints if "422" not in text] == []


def upload(page, **files):
    payloads = [
        {"name": name.replace("_", "."), "mimeType": "image/png", "buffer": data}
        for name, data in files.items()
    ]
    page.get_by_label(re.compile("Drop photos")).set_input_files(payloads)


def test_a_photo_gets_its_class_and_bars(page, picture):
    upload(page, rose_png=picture("red"))
    card = page.get_by_role("listitem").filter(has_text="rose.png")
    card.locator(".best", has_text="red").wait_for()
    first = card.locator(".bars li").first
    assert "red" in first.inner_text()
    percent = float(first.locator(".percent").inner_text().rstrip("%"))
    assert percent > 50
    page.wait_for_timeout(700)  # the bar grows
    track, fill = (first.locator(name).bounding_box()["width"] for name in (".track", ".fill"))
    assert fill / track == pytest.approx(percent / 100, abs=0.02)
    assert "rose.png: red" in page.get_by_role("status").inner_text()
    assert card.get_by_role("img").get_attribute("alt") == "rose.png"


def test_several_photos_with_a_bad_one_between(page, picture):
    upload(page, a_png=picture("blue", (8, 8)), b_png=b"nothing", c_png=picture("green"))
    page.locator(".card.failed", has_text="not an image").wait_for()
    page.locator(".card", has_text="c.png").locator(".best", has_text="green").wait_for()
    assert page.locator(".card .file").all_inner_texts() == ["a.png", "b.png", "c.png"]
    assert "tiny" in page.locator(".card img").first.get_attribute("class")
    page.get_by_role("button", name="Clear").click()
    assert page.locator(".card").count() == 0


def test_the_model_says_what_it_is(page):
    page.get_by_text("About this model").click()
    assert page.get_by_label("Classes").locator("li").all_inner_texts() == ["blue", "green", "red"]
    assert "3 classes: blue, green, red" in page.locator("#knows").inner_text()


def test_the_keyboard_reaches_everything(page):
    page.keyboard.press("Tab")
    assert page.evaluate_handle("document.activeElement").get_property("id").json_value() == "files"
