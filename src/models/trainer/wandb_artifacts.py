"""What a run in W&B begins with and ends with: the artifact of the data set, and that of the model.

References are put together here, as `Artifact.add_reference` asks Cloud Storage even where there is nothing
to ask: names, sizes and checksums stand in `index.json` and `bundle.json`.
"""

import hashlib
from pathlib import Path
from typing import Any

from contracts import storage
from contracts.bundle import ModelBundle
from contracts.dataset import SPLITS, ShardIndex


def dataset(index: ShardIndex, digest: str, uri: str) -> Any:
    """Describe a processed data set: its shards by reference, wherever they are.

    Args:
        index: of the data set.
        digest: of the index.
        uri: its folder.
    """
    import wandb

    shards = [shard for split in SPLITS for shard in index.shards[split]]
    metadata = {
        "index_digest": digest,
        "manifest_digest": index.manifest_digest,
        "examples": {split: index.examples(split) for split in SPLITS},
        "classes": len(index.class_names),
        "image_size": index.image_size,
        "resize": index.resize,
        "shards": len(shards),
        "bytes": sum(shard.bytes for shard in shards),
    }
    artifact = wandb.Artifact(index.dataset, type="dataset", metadata=metadata)
    _refer(artifact, uri, ShardIndex.file_name, digest, None)
    for shard in shards:
        _refer(artifact, uri, shard.name, shard.crc32c, shard.bytes)
    return artifact


def model(name: str, uri: str) -> Any:
    """Describe a bundle: its files where it is local, references to them where it is in a bucket.

    wandb would copy each file and keep the copy until it is sent, which offline may be never. A bundle's
    files don't change, so it is told to send the files themselves.
    """
    import wandb

    bundle = ModelBundle.read(uri)
    metadata = {"dataset": bundle.dataset, "dataset_digest": bundle.dataset_digest, **bundle.metrics}
    artifact = wandb.Artifact(name, type="model", metadata=metadata)
    if storage.is_remote(uri):
        _refer(artifact, uri, ModelBundle.file_name, hashlib.sha256(bundle.to_json()).hexdigest(), None)
        for file, facts in bundle.files.items():
            _refer(artifact, uri, file, facts.sha256, facts.bytes)
        return artifact
    folder = Path(uri).resolve()
    for file in (*bundle.names(), ModelBundle.file_name):
        artifact.add_file(str(folder / file), name=file, policy="immutable", skip_cache=True)
    return artifact


def _refer(artifact: Any, uri: str, name: str, digest: str, size: int | None) -> None:
    from wandb.sdk.artifacts.artifact_manifest_entry import ArtifactManifestEntry

    where = storage.join(uri, name) if storage.is_remote(uri) else Path(uri, name).resolve().as_uri()
    artifact.manifest.add_entry(ArtifactManifestEntry(path=name, ref=where, digest=digest, size=size))
