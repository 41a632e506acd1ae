"""No image holds a key, whatever lies about where it is built, and whatever the shell's variables are."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest
from tests.containers.layers import chunks, files

from vertex.images import table
from vertex.push import build_command

pytestmark = pytest.mark.containers

ROOT = Path(__file__).parents[2]
FAKE = "0123456789abcdef0123456789abcdef5ec2e7ed"
PRIVATE = (
    "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" * 4 + "\n-----END PRIVATE KEY-----\n"
)
ACCOUNT = json.dumps({"type": "service_account", "private_key_id": FAKE, "private_key": PRIVATE})

PLANTED = {
    ".env": f"WANDB_API_KEY={FAKE}\n",
    "key.json": ACCOUNT,
    "secrets/wandb": FAKE,
    "src/.env": f"WANDB_API_KEY={FAKE}\n",
    "src/contracts/key.json": ACCOUNT,
    "src/serving/my-credentials.json": ACCOUNT,
    "src/models/vgg16/my-service-account.json": ACCOUNT,
    "src/models/trainer/id.pem": PRIVATE,
    "src/datapipeline/records/secrets/wandb": FAKE,
    "data/sources/.env.local": FAKE,
    "deploy/terraform/terraform.tfstate": FAKE,
}

# What must stand in the bytes before the slower pattern is tried, and the pattern.
KEYS = {
    "a private key": (
        b"PRIVATE KEY-----",
        rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----(?:\\n|\s)+[A-Za-z0-9+/=]{40}",
    ),
    "a Google API key": (b"AIza", rb"\bAIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])"),
    "a service account's key": (b"private_key_id", rb"private_key_id\\?\"\s*:\s*\\?\"[0-9a-f]{40}"),
    "a key of Weights & Biases": (b"API_KEY", rb"WANDB_API_KEY['\"]?\s*[:=]\s*['\"]?[0-9A-Za-z]{40}"),
    "one of its newer keys": (b"wandb_v1_", rb"\bwandb_v1_[0-9A-Za-z_]{24}"),
    "what lies about": (FAKE.encode(), re.escape(FAKE.encode())),
}

NAMED = {PurePosixPath(name).name for name in PLANTED}

# Debian's libraries with keys of their own, for testing themselves.
KNOWN = {"usr/lib/x86_64-linux-gnu/libgnutls.so": {"a private key"}}

# GPU images take gigabytes of libraries, and copy what those for CPUs copy; beam needs an image of Apache's.
NAMES = [name for name in table() if not name.endswith("-cuda") and name != "beam"]


def findings(name: str, data: bytes) -> set[str]:
    """Which kinds of keys a file's bytes hold, and whether it has one of the names that hold some."""
    ours = name.startswith("app/") and PurePosixPath(name).name in NAMED
    held = {what for what, (hint, form) in KEYS.items() if hint in data and re.search(form, data)}
    known = next((kinds for start, kinds in KNOWN.items() if start in name), set())
    return held - known | ({"a key's name"} if ours else set())


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """This tree with keys lying about, in places where somebody might leave them."""
    folder = tmp_path_factory.mktemp("checkout")
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for name, text in PLANTED.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_the_scan_finds_what_is_planted():
    assert all(findings(name, text.encode()) for name, text in PLANTED.items())
    assert findings("app/src/serving/key.json", b"{}") == {"a key's name"}
    assert findings("config.json", b'"Env":["WANDB_API_KEY=' + b"x" * 40) == {"a key of Weights & Biases"}
    assert not findings("pem.py", b'HEADER = "-----BEGIN PRIVATE KEY-----"\n')


def test_no_image_holds_a_key(engine, images, checkout):
    references = [f"chrysalis-scanned/{name}:latest" for name in NAMES]
    environment = {**os.environ, "WANDB_API_KEY": FAKE, "CHRYSALIS_API_KEY": FAKE}
    try:
        for name, reference in zip(NAMES, references, strict=True):
            command = [*build_command(table()[name], [reference], "unknown"), "--quiet"]
            subprocess.run(command, cwd=checkout, env=environment, capture_output=True, check=True)
        found, seen = {}, 0
        with subprocess.Popen(["docker", "image", "save", *references], stdout=subprocess.PIPE) as saving:
            for name, file in files(saving.stdout):
                seen += 1
                if kinds := set().union(*(findings(name, part) for part in chunks(file))):
                    found[name] = kinds
        assert saving.returncode == 0
        assert seen > 10_000, "the layers were read"
        assert not found
    finally:
        for reference in references:
            engine.images.remove(reference)
