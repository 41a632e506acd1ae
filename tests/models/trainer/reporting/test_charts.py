"""Which part of a large confusion matrix is drawn besides, and names that Matplotlib would misread."""

import numpy as np

from models.trainer.reporting.charts import DETAIL, confusion_chart, most_mistaken


def test_the_most_mistaken_part_of_many_classes() -> None:
    matrix = np.diag(np.full(100, 5))
    matrix[90, 3] = 9
    matrix[3, 40] = 8
    part, names = most_mistaken(matrix, [f"class {number}" for number in range(100)]) or (None, [])
    assert names == ["class 3", "class 40", "class 90"]
    assert np.asarray(part).tolist() == [[5, 8, 0], [0, 5, 0], [9, 0, 5]]


def test_the_part_stays_small_and_a_small_matrix_needs_none() -> None:
    names = [str(number) for number in range(40)]
    _, chosen = most_mistaken(np.ones((40, 40), int), names) or (None, [])
    assert 2 <= len(chosen) <= DETAIL
    assert most_mistaken(np.ones((10, 10), int), names[:10]) is None
    assert most_mistaken(np.eye(40, dtype=int), names) is None


def test_names_of_any_letters_are_drawn_as_they_are() -> None:
    names = ["a$b_{$", "<&>", "蝶", "x" * 80]
    drawn = confusion_chart(np.eye(4, dtype=int), names, "svg").decode()
    for name in ("a$b_{$", "&lt;&amp;&gt;", "蝶", "x" * 23 + "…"):
        assert f">{name}<" in drawn
    assert confusion_chart(np.eye(4, dtype=int), names, "png").startswith(b"\x89PNG")
