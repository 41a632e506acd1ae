"""The data set as the training will read it: batches over replicas, and splits against batches."""

from contracts import storage
from contracts.dataset import SPLITS, ShardIndex
from vertex.doctor.finding import Status, failed, ok, warning
from vertex.doctor.question import Question


def look_at_batch(asked: Question) -> list[tuple[Status, str]]:
    """Whether the global batch is the same for every replica; else each is padded."""
    replicas = max(asked.gpu or 1, 1) * asked.workers
    each = -(-asked.batch_size // replicas)
    over = f"{asked.batch_size} images over {replicas} replica{'s' if replicas > 1 else ''}"
    if asked.batch_size < replicas:
        return [failed(f"{over} leave some without one: --batch-size {replicas} or more, or fewer GPUs")]
    if padding := each * replicas - asked.batch_size:
        better = f"--batch-size {each * replicas} wastes nothing"
        return [warning(f"{over} are {each} each, {padding} of them padding: {better}")]
    return [ok(f"{over}: {each} each")]


def look_at_splits(asked: Question) -> list[tuple[Status, str]]:
    """Whether there are shards, enough of them, and a batch in each split."""
    folder = asked.folder("processed")
    if not storage.exists(storage.join(folder, ShardIndex.file_name)):
        return [warning(f"{folder} holds none yet: make download process records DATASET={asked.dataset}")]
    index = ShardIndex.read(folder)
    lines = []
    smallest = min(SPLITS, key=index.examples)
    if (count := index.examples(smallest)) < asked.batch_size:
        less = f"{smallest} has {count} images, less than a batch of {asked.batch_size}"
        lines.append(warning(f"{less}: the rest of it is padding; take a smaller --batch-size"))
    if (files := len(index.shards["train"])) < asked.workers:
        more = f"make records ARGS='--shards N', N a multiple of {asked.workers}"
        lines.append(warning(f"{files} shards of train for {asked.workers} hosts, so all read all: {more}"))
    told = ", ".join(f"{split} {index.examples(split)}" for split in SPLITS)
    return lines or [ok(f"{told} images of {len(index.class_names)} classes in {folder}")]
