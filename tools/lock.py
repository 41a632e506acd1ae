"""`make lock`: resolve the host's Pipfile anew, and every container's within the versions that came out.

Writes a Pipfile.lock beside every tracked Pipfile. An image so runs the versions that the tests ran. No lock
names a package index: each place resolves from its own. What the benchmarks compare with is resolved alone:
it runs in an environment of its own.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PIPENV_FOLDER = ROOT / ".pipenv/bin"
OLDEST = "3.11"
"""The oldest Python that Chrysalis runs on: what resolves there carries markers for the newer ones."""

ALONE = {ROOT / "benchmarks/peers/Pipfile", ROOT / "benchmarks/serving_peers/Pipfile"}

Lock = dict[str, dict[str, Any]]


class LockError(RuntimeError):
    """The locks can't be made; the message says what to do."""


def main() -> None:
    """Resolve every Pipfile; nothing is written before all of them have come out."""
    host, *containers = pipfiles()
    locks = {host: resolve(host)}
    pins = versions(locks[host])
    for pipfile in containers:
        locks[pipfile] = resolve(pipfile) if pipfile in ALONE else resolve_within(pins, pipfile)
    for pipfile, lock in locks.items():
        target = pipfile.with_name("Pipfile.lock")
        target.write_text(json.dumps(without_index(lock), indent=4, sort_keys=True) + "\n")
        sys.stderr.write(f"wrote {target.relative_to(ROOT)}\n")


def pipfiles() -> list[Path]:
    """Every tracked Pipfile, the host's first."""
    listed = subprocess.run(
        ["git", "ls-files", "*Pipfile"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    return [ROOT / name for name in sorted(listed, key=lambda name: (name != "Pipfile", name))]


def resolve(pipfile: Path) -> Lock:
    """Resolve a Pipfile as it stands."""
    return pipenv_lock(pipfile.read_text(), pipfile)


def resolve_within(pins: dict[str, str], pipfile: Path) -> Lock:
    """Resolve a container's Pipfile with every package held at its pin.

    pipenv takes no constraints file, but what stands in [packages] constrains the other categories. So the
    pins go there, and the container's own packages into a category that is called something else meanwhile.
    """
    text = pipfile.read_text().replace("[packages]", "[image]")
    categories = list(tomllib.loads(text))
    text += "\n[packages]\n" + "".join(f'"{name}" = "{version}"\n' for name, version in pins.items())
    lock = pipenv_lock(text, pipfile, "--categories", " ".join(categories))
    lock["default"] = lock.pop("image")
    lock["_meta"]["hash"]["sha256"] = pipfile_hash(pipfile)
    return lock


def pipenv_lock(text: str, pipfile: Path, *options: str) -> Lock:
    """Run `pipenv lock` on a Pipfile of that text, away from the tree, where it may leave its environment."""
    sys.stderr.write(f"resolving {pipfile.relative_to(ROOT)}\n")
    with tempfile.TemporaryDirectory(prefix="chrysalis-lock-") as folder:
        copy = Path(folder, "Pipfile")
        copy.write_text(text)
        done = subprocess.run(
            [PIPENV_FOLDER / "pipenv", "lock", "--python", oldest_python(), *options],
            cwd=folder,
            env=environment(copy),
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise LockError(f"{pipfile.relative_to(ROOT)} doesn't resolve:\n{done.stderr.strip()}")
        return json.loads(copy.with_name("Pipfile.lock").read_text())


def pipfile_hash(pipfile: Path) -> str:
    """The hash by which `pipenv verify` and `pipenv install --deploy` see that a lock fits its Pipfile."""
    return subprocess.run(
        [
            PIPENV_FOLDER / "python",
            "-c",
            "from pipenv.project import Project; print(Project().pipfile.calculate_hash())",
        ],
        env=environment(pipfile),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def environment(pipfile: Path) -> dict[str, str]:
    """The variables that point pipenv at a Pipfile, and at no virtual environment but its own.

    pipenv counts the indexes of pip's configuration as part of the Pipfile: without them its hash is the same
    on every machine. Behind a mirror, PIPENV_PYPI_MIRROR names it.
    """
    return {
        **os.environ,
        "PIP_CONFIG_FILE": os.devnull,
        "PIPENV_PIPFILE": str(pipfile),
        "PIPENV_IGNORE_VIRTUALENVS": "1",
        "PIPENV_VENV_IN_PROJECT": "1",
        "PIPENV_VERBOSITY": "-1",
    }


def oldest_python() -> str:
    """The interpreter to resolve with."""
    if "{}.{}".format(*sys.version_info) == OLDEST:
        return sys.executable
    found = shutil.which(f"python{OLDEST}")
    if found is None:
        raise LockError(f"locks are made on Python {OLDEST}, the oldest supported, and there is none here")
    return found


def versions(lock: Lock) -> dict[str, str]:
    """The version of every package of the host's lock, whatever its category."""
    pins: dict[str, str] = {}
    for category, packages in lock.items():
        if category == "_meta":
            continue
        for name, package in packages.items():
            if pins.setdefault(name, package["version"]) != package["version"]:
                raise LockError(
                    f"the host's lock has {name} {pins[name]} and, in [{category}], {package['version']}: "
                    "bound it in the root Pipfile so that they agree"
                )
    return pins


def without_index(lock: Lock) -> Lock:
    """The lock with no package index's address. Its hash is of the Pipfile alone, so it stays valid."""
    lock["_meta"]["sources"] = []
    for category, packages in lock.items():
        if category != "_meta":
            for package in packages.values():
                package.pop("index", None)
    return lock


if __name__ == "__main__":
    try:
        main()
    except LockError as error:
        sys.exit(f"make lock: {error}")
