"""The acts in which nothing runs: the pipeline's file, a look for secrets, and at README's chapter."""

import re

from rehearsal.network import ROOT
from rehearsal.play import DisagreementError, Play
from rehearsal.project import IMAGES


def pipeline(play: Play) -> None:
    """Compile the chain to a pipeline."""
    with play.act("python -m vertex pipeline") as compared:
        file = play.commands.folder / "pipeline.yaml"
        play.commands.python(
            "-m", "vertex", "pipeline", "--model", "cnn", "--gpu", "0", "--output", str(file)
        )
        text = file.read_text(encoding="utf-8")
        for image in ("download", "records", "cnn"):
            if f"{IMAGES}/{image}:" not in text:
                raise DisagreementError(f"the pipeline doesn't name the image {image}")
        compared.append("it names the images that the jobs ran")


def secrecy(play: Play) -> None:
    """Look for the secret wherever people can read."""
    with play.act("no secret anywhere") as compared:
        asked = sum(":access" in request.path for request in play.vertex.requests)
        if not asked:
            raise DisagreementError("no stage asked Secret Manager for its key")
        said = "\n".join(line for _, _, line in play.containers.said)
        sent = "\n".join(request.text for request in play.vertex.requests)
        places = {"a job's output": said, "a request": sent, "a command's output": play.commands.said}
        for image in play.images:
            places[f"the image {image}"] = play.commands("docker", "history", "--no-trunc", image)
            places[f"the configuration of {image}"] = play.commands("docker", "image", "inspect", image)
        for place, text in places.items():
            if play.secret in text:
                raise DisagreementError(f"the secret stands in {place}")
        compared.append(
            f"asked of Secret Manager {asked} times; in no output, no request, no image's history"
        )


def chapter(play: Play) -> None:
    """Look whether README's cloud chapter names what was run, and nothing else."""
    with play.act("README's cloud chapter") as compared:
        commands = jobs_of_the_chapter((ROOT / "README.md").read_text(encoding="utf-8"))
        ran = [line[2:].split() for line in play.commands.said.splitlines() if line.startswith("$ make ")]
        for command in commands:
            if not any(was_run(command, words) for words in ran):
                raise DisagreementError(f"README names `{command}`, which wasn't run")
        compared.append(f"its {len(commands)} commands were run, some with more options")


def jobs_of_the_chapter(text: str) -> list[str]:
    """The commands of README's cloud chapter that are for Vertex AI, without their comments."""
    section = text.partition("\n## On Google Cloud\n")[2].partition("\n## ")[0]
    return re.findall(r"^(make \w+ RUN=vertex[^#\n]*?) *(?:#.*)?$", section, re.MULTILINE)


def was_run(command: str, words: list[str]) -> bool:
    """Whether a command was run, but for options behind it and another photo."""
    return all(
        any(word.startswith(part.partition("=")[0] if part.startswith("IMAGE=") else part) for word in words)
        for part in command.split()
    )
