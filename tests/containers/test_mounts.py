"""`docker run IMAGE --input … --output …` on folders of this machine, with neither compose nor a bucket."""

import os

import pytest

pytestmark = pytest.mark.containers


def test_data_stages_run_on_mounted_folders(engine, images, tmp_path, local_shards):
    def run(image, *arguments):
        return engine.containers.run(
            images[image],
            list(arguments),
            user=f"{os.getuid()}:{os.getgid()}",
            volumes={str(tmp_path): {"bind": "/work", "mode": "rw"}},
            network_disabled=True,
            stderr=True,
            remove=True,
        )

    run("download", "--source", "digits", "--output", "raw/digits")
    run("process", "--input", "raw/digits", "--output", "interim/digits")
    run("records", "--input", "interim/digits", "--output", "processed/digits")
    assert {path.stat().st_uid for path in tmp_path.rglob("*")} == {os.getuid()}
    assert {
        path.name: path.read_bytes() for path in (tmp_path / "processed/digits").iterdir()
    } == local_shards
