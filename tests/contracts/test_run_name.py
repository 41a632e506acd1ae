"""What a run is called, wherever Vertex AI has it write."""

import pytest

from contracts.run_name import run_name

BASE = "gs://bucket/models/digits"


@pytest.mark.parametrize(
    ("output", "given", "trial", "expected"),
    [
        (f"{BASE}/vgg16", None, None, "vgg16"),
        (f"{BASE}/model", None, None, "model"),
        (f"{BASE}/vgg16", f"{BASE}/vgg16/model/", None, "vgg16"),
        (f"{BASE}/vgg16/model/", f"{BASE}/vgg16/model/", None, "vgg16"),
        (f"{BASE}/vgg16/model", f"{BASE}/vgg16/model/", None, "vgg16"),
        ("/gcs/bucket/vgg16/model", "gs://bucket/vgg16/model/", None, "vgg16"),
        (f"{BASE}/other/model/", f"{BASE}/vgg16/model/", None, "model"),
        (f"{BASE}/first/", f"{BASE}/first/", None, "first"),
        ("gs://bucket/model/", "gs://bucket/model/", None, "bucket"),
        (f"{BASE}/study/7/model/", f"{BASE}/study/7/model/", "7", "study-07"),
        (f"{BASE}/study/112/model/", f"{BASE}/study/112/model/", "112", "study-112"),
        (f"{BASE}/study/model/", f"{BASE}/study/model/", "7", "study"),
    ],
)
def test_it_is_the_folders_name_but_for_vertexs(
    monkeypatch: pytest.MonkeyPatch, output: str, given: str | None, trial: str | None, expected: str
) -> None:
    monkeypatch.setenv("CLOUD_ML_JOB_ID", "1")
    for name, value in {"AIP_MODEL_DIR": given, "CLOUD_ML_TRIAL_ID": trial}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert run_name(output) == expected
