"""deploy/terraform against the provider's own schema, without the provider.

`google_provider.json` holds what hashicorp/google 6.50.0 knows of each resource used here, in the form of
`terraform providers schema -json`. Where terraform is installed, it validates and plans with these schemas.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2
import pytest
from tests.vertex import terraform_provider

FOLDER = Path(__file__).parents[2] / "deploy/terraform"
FILES = sorted(FOLDER.glob("*.tf"))
TEXT = "\n".join(file.read_text() for file in FILES)
PROVIDER = "hashicorp/google"
SCHEMAS = json.loads(Path(__file__).with_name("google_provider.json").read_text())["provider_schemas"][
    PROVIDER
]
SCHEMA = {name: schema["block"] for name, schema in SCHEMAS["resource_schemas"].items()}
META = {"for_each", "count", "depends_on", "lifecycle", "provider"}
MARKS = {"__is_block__", "__comments__", "__inline_comments__"}


def blocks(kind: str) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every block of a kind, by its labels."""
    for file in FILES:
        for block in hcl2.loads(file.read_text()).get(kind, []):
            labels = []
            while not block.get("__is_block__"):
                ((label, block),) = ((key, value) for key, value in block.items() if key not in MARKS)
                labels.append(label.strip('"'))
            yield tuple(labels), block


RESOURCES = dict(blocks("resource"))
DECLARED = {
    "var": {labels[0] for labels, _ in blocks("variable")},
    "local": {name for _, block in blocks("locals") for name in block if name not in MARKS},
}


def check(block: dict[str, Any], schema: dict[str, Any], where: str) -> None:
    """That a block has what it must, and nothing that the provider doesn't know."""
    nested = schema.get("block_types", {})
    settable = {
        name for name, each in schema["attributes"].items() if not each.keys() <= {"type", "computed"}
    }
    must = {name for name, each in schema["attributes"].items() if each.get("required")}
    must |= {name for name, each in nested.items() if each.get("min_items")}
    given = {name for name in block if name not in MARKS | META}
    assert given <= settable | nested.keys(), f"{where}: unknown arguments"
    assert must <= given, f"{where}: arguments are missing"
    for name in given & nested.keys():
        for part in block[name]:
            assert part.get("__is_block__"), f"{where}.{name} is a block"
            check(part, nested[name]["block"], f"{where}.{name}")


@pytest.mark.parametrize("labels", RESOURCES, ids=".".join)
def test_a_resource_has_what_the_provider_knows(labels):
    check(RESOURCES[labels], SCHEMA[labels[0]], ".".join(labels))


def test_the_schema_holds_nothing_else():
    assert {kind for kind, _ in RESOURCES} == {*SCHEMA}


def code() -> str:
    """The files without their comments and descriptions."""
    lines = re.sub(r"^\s*(#.*|description\s*=.*)$|\s# .*$", "", TEXT, flags=re.MULTILINE)
    return re.sub(r"https?://\S+", "", lines)


def test_every_reference_leads_somewhere():
    seen = re.findall(r"\b(google_\w+)\.(\w+)(?:\[[^\]]*\])?(?:\.(\w+))?", code())
    assert len(seen) > 30
    for kind, name, attribute in seen:
        assert (kind, name) in RESOURCES, f"{kind}.{name}"
        assert not attribute or attribute in SCHEMA[kind]["attributes"], f"{kind}.{name}.{attribute}"
    for space, names in DECLARED.items():
        used = set(re.findall(rf"\b{space}\.(\w+)", code()))
        assert used == names, f"{space}: used and declared"


def test_variables_and_outputs_say_what_they_are():
    for labels, variable in blocks("variable"):
        assert {"description", "type"} <= variable.keys(), labels
    for labels, output in blocks("output"):
        assert "description" in output, labels


ROLES = {
    ("google_project_iam_member", "accounts"): {
        ("training", "roles/logging.logWriter"),
        ("serving", "roles/logging.logWriter"),
        ("dataflow", "roles/dataflow.worker"),
        ("training", "roles/dataflow.developer"),
        ("training", "roles/aiplatform.user"),  # with a TensorBoard
    },
    ("google_project_iam_member", "developers"): {
        ("developers", f"roles/{role}")
        for role in (
            "aiplatform.user",
            "dataflow.developer",
            "logging.viewer",
            "run.developer",
            "serviceusage.serviceUsageConsumer",
        )
    },
    ("google_storage_bucket_iam_member", "writers"): {
        ("training", "roles/storage.objectUser"),
        ("training", "roles/storage.admin"),  # with a TensorBoard
        ("dataflow", "roles/storage.objectUser"),
    },
    ("google_storage_bucket_iam_member", "readers"): {("serving", "roles/storage.objectViewer")},
    ("google_storage_bucket_iam_member", "sources"): {("training", "roles/storage.objectViewer")},
    ("google_storage_bucket_iam_member", "developers"): {
        ("developers", "roles/storage.objectUser"),
        ("developers", "roles/storage.bucketViewer"),
    },
    ("google_service_account_iam_member", "training_as_dataflow"): {
        ("training", "roles/iam.serviceAccountUser")
    },
    ("google_service_account_iam_member", "developers"): {("developers", "roles/iam.serviceAccountUser")},
    ("google_artifact_registry_repository_iam_member", "pullers"): {
        ("dataflow", "roles/artifactregistry.reader")
    },
    ("google_artifact_registry_repository_iam_member", "developers"): {
        ("developers", "roles/artifactregistry.writer")
    },
    ("google_secret_manager_secret_iam_member", "readers"): {
        ("serving", "roles/secretmanager.secretAccessor"),
        ("training", "roles/secretmanager.secretAccessor"),
    },
    ("google_secret_manager_secret_iam_member", "developers"): {("developers", "roles/secretmanager.viewer")},
}
"""Who may be given which role, by what gives it."""


def given(labels: tuple[str, ...]) -> set[tuple[str, str]]:
    """The pairs of member and role that a grant can make, by its text and that of the locals it names."""
    text = re.search(rf'^resource "{labels[0]}" "{labels[1]}" {{$.*?^}}$', code(), re.M | re.S).group()
    for name in set(re.findall(r"local\.(\w+)", text)):
        text += re.search(rf"^  {name}\s+= (?:.*?^  [\])}}]+$|[^\n]*[\])]$)", code(), re.M | re.S).group()
    member, role = r"google_service_account\.(\w+)\.member", r"\"(roles/[\w.]+)\""
    pairs = set()
    for part in re.findall(r"{[^{}]*\bmember\s*=[^{}]*}", text):  # each with a role of its own, or of two
        pairs |= {(who, what) for who in re.findall(member, part) for what in re.findall(role, part)}
    if pairs:
        return pairs
    people = {"developers"} if "var.developers" in text else set(re.findall(member, text))
    return {(who, what) for who in people for what in re.findall(role, text)}


@pytest.mark.parametrize("labels", [each for each in RESOURCES if "_iam_" in each[0]], ids=".".join)
def test_nobody_is_given_more_than_they_need(labels):
    assert given(labels) == ROLES[labels]


def test_grants_only_add():
    # Bindings and policies take away what others were given.
    assert not [kind for kind, _ in RESOURCES if re.search(r"_iam_(binding|policy)$", kind)]
    assert not re.search(r"allUsers|allAuthenticatedUsers", code())
    # On the project itself accounts may write logs, and start and do Dataflow's work.
    (accounts,) = [block for labels, block in RESOURCES.items() if labels[1] == "accounts"]
    assert "aiplatform" not in accounts["for_each"].partition("var.tensorboard")[0]


def test_the_bucket_is_closed_and_its_data_safe():
    bucket = RESOURCES["google_storage_bucket", "stages"]
    assert bucket["uniform_bucket_level_access"] is True
    assert bucket["public_access_prevention"] == '"enforced"'
    assert bucket["force_destroy"] is False
    for rule in bucket["lifecycle_rule"]:
        deletes = rule["action"][0]["type"] == '"Delete"'
        assert not deletes or rule["condition"][0]["matches_prefix"] == ['"tmp/"']


def test_secrets_have_no_values():
    assert not [kind for kind, _ in RESOURCES if "secret_version" in kind or "service_account_key" in kind]


def test_the_output_is_an_environment_file():
    example = (FOLDER.parents[1] / ".env.example").read_text()
    names = set(re.findall(r"\bCHRYSALIS_\w+", (FOLDER / "outputs.tf").read_text()))
    assert {"CHRYSALIS_PROJECT", "CHRYSALIS_BUCKET", "CHRYSALIS_IMAGES"} <= names
    assert names <= set(re.findall(r"^#?(CHRYSALIS_\w+)=", example, re.MULTILINE))


@pytest.mark.skipif(not shutil.which("terraform"), reason="needs terraform")
def test_terraform_finds_it_valid_and_plans_it(tmp_path):
    """The real Terraform, over a stand-in that has the provider's schemas, and mocks for its answers."""
    shutil.copytree(
        FOLDER, tmp_path / "terraform", ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*")
    )
    with terraform_provider.serving(PROVIDER, SCHEMAS) as variables:
        for command in (["fmt", "-check", "-recursive"], ["init"], ["validate"], ["test"]):
            done = subprocess.run(
                ["terraform", f"-chdir={tmp_path}/terraform", *command],
                env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **variables},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed, 0 failed" in done.stdout
