"""What is said of a data set's classes."""

import pytest

from models.trainer.reporting.data_summary import ClassImages, balance, class_images


def test_each_class_is_counted_over_all_shards(tiny_records):
    from contracts.dataset import ShardIndex

    index = ShardIndex.read(str(tiny_records))
    (shard,) = index.shards["train"]
    doubled = index.model_copy(update={"shards": {**index.shards, "train": (shard, shard)}})
    rows = class_images(doubled)
    assert [row.class_name for row in rows] == ["blue", "green", "red"]
    assert rows[0].counts == {"train": 40, "val": 8, "test": 10}
    assert rows[0].total == 58


@pytest.mark.parametrize(
    ("few", "many", "said"),
    [
        (7, 7, "Each class has 7 images to train on."),
        (0, 3, "cat has no image to train on, dog has 3 images."),
        (
            10,
            12,
            "The classes are about equally large: from 10 images (cat) to 12 (dog) to train on, 1 to 1.2.",
        ),
        (10, 25, "The classes are somewhat uneven:"),
        (
            1,
            9,
            "speaks mostly of the large: macro F1 counts all alike: from 1 image (cat) to 9 (dog)",
        ),
        (1, 90, "--class-weights"),
    ],
)
def test_how_even_the_classes_are(few, many, said):
    counts = [("cat", few), ("dog", many)]
    classes = [ClassImages(name, {"train": count, "val": 1, "test": 1}) for name, count in counts]
    assert said in balance(classes)
