from benchmarks import images, train_data
from contracts.dataset import SPLITS, ShardIndex


def test_splits_have_as_many_images_as_were_asked_for_and_every_class(tmp_path):
    few = [(f"photos/{name}", data) for name, data in list(images.made_up(images.SMALL_SIZE, 3))[:20]]
    wanted = {"train": 24, "val": 4, "test": 3}
    data = train_data.write(tmp_path, few, wanted, "--image-size", 16, "--resize", "crop")
    index = ShardIndex.read(str(data.shards))
    assert {split: index.examples(split) for split in SPLITS} == wanted
    for split in SPLITS:
        histograms = [shard.class_histogram for shard in index.shards[split]]
        assert all(map(sum, zip(*histograms, strict=True)))
