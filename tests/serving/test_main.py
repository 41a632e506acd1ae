"""`python -m serving` as the process that a container runs."""

import base64
import json
import signal
import socket
from datetime import UTC, datetime

import pytest

from contracts import storage
from contracts.bundle import ModelBundle
from contracts.errors import InputError
from contracts.verdict import Floors, Verdict
from serving.__main__ import listen


def stop(server):
    """Send SIGTERM; the exit code and the lines of standard error."""
    server.process.send_signal(signal.SIGTERM)
    _, errors = server.process.communicate(timeout=60)
    return server.process.returncode, errors.splitlines()


def hang_up_in_the_body(server):
    with socket.create_connection(server.url.removeprefix("http://").split(":")) as client:
        client.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n")
        client.sendall(b"content-length: 1000\r\n\r\n{")
    assert server.get("/healthz").status == 200


def end(process):
    """Wait for a process that ends by itself; the exit code and the lines of standard error."""
    _, errors = process.communicate(timeout=60)
    return process.returncode, [line for line in errors.splitlines() if line.startswith("python -m ")]


def test_it_serves_until_sigterm(run_server, tiny_bundle, picture):
    server = run_server("--model", str(tiny_bundle))
    server.wait_until_ready()
    assert server.post(files={"file": picture("red")}).content["predictions"][0]["class"] == "red"
    assert server.post(files={"file": b"?"}).status == 422
    hang_up_in_the_body(server)
    code, lines = stop(server)
    assert code == 0
    events = [json.loads(line) for line in lines if line.startswith("{")]
    assert {event["event"] for event in events} == {"listening", "ready", "request", "stopped"}
    assert [event["status"] for event in events if event.get("path") == "/predict"][:2] == [200, 422]
    assert events[0]["url"] == server.url


def test_vertex_ai_finds_what_it_expects(run_server, tiny_bundle, bucket, picture):
    model = f"{bucket}/models/tiny"
    names = [file.name for file in storage.list_files(str(tiny_bundle))]
    storage.upload_many(tiny_bundle, names, model)
    server = run_server(
        AIP_STORAGE_URI=model,
        AIP_PREDICT_ROUTE="/v1/endpoints/7/deployedModels/8:predict",
        AIP_HEALTH_ROUTE="/healthz",  # where it means ready, not alive
    )
    server.wait_until_ready()
    assert server.get("/healthz").content["status"] == "ready"
    instances = [{"b64": base64.b64encode(picture(colour)).decode()} for colour in ("green", "red")]
    answer = server.post("/v1/endpoints/7/deployedModels/8:predict", json={"instances": instances})
    assert [prediction["class"] for prediction in answer.content["predictions"]] == ["green", "red"]
    code, _ = stop(server)
    assert code == 0


def test_a_failed_replay_ends_the_server(run_server, own_bundle):
    document = json.loads((own_bundle / "bundle.json").read_text())
    document["golden"][0]["probabilities"].reverse()
    (own_bundle / "bundle.json").write_text(json.dumps(document))
    code, lines = end(run_server("--model", str(own_bundle)).process)
    assert code == 1
    assert len(lines) == 1
    assert document["golden"][0]["file"] in lines[0]


def judge(bundle, blessed):
    """Write a verdict into a bundle."""
    verdict = Verdict(
        blessed=blessed,
        reasons=("The accuracy is 0.5000; asked is at least 0.9.",),
        judged_at=datetime.now(UTC),
        dataset_digest="0",
        floors=Floors(min_accuracy=0.9),
        confidence=0.95,
        compared_with=None,
        champion=blessed,
    )
    ModelBundle.read(str(bundle)).model_copy(update={"gate": verdict}).write(str(bundle))


@pytest.mark.parametrize(
    ("blessed", "said"), [(None, "wasn't judged"), (False, "accuracy is 0.5000; asked is")]
)
@pytest.mark.parametrize("further", [[], ["--check"]])
def test_only_a_blessed_bundle_is_served_where_that_is_required(
    run_server, own_bundle, blessed, said, further
):
    if blessed is not None:
        judge(own_bundle, blessed)
    arguments = ["--model", str(own_bundle), *further]
    code, lines = end(run_server(*arguments, CHRYSALIS_REQUIRE_BLESSED="1").process)
    assert code == 2
    assert len(lines) == 1
    assert said in lines[0]


def test_a_blessed_bundle_is_served_where_that_is_required(run_server, run_module, own_bundle):
    judge(own_bundle, blessed=True)
    checked = run_module("serving", "--model", str(own_bundle), "--require-blessed", "--check")
    _, errors = checked.communicate(timeout=60)
    assert checked.returncode == 0, errors
    assert "fit to be served" in errors
    server = run_server("--model", str(own_bundle), "--require-blessed")
    server.wait_until_ready()
    assert stop(server)[0] == 0


def test_a_check_reads_the_key_too(run_module, tiny_bundle, tmp_path):
    arguments = ["--model", str(tiny_bundle), "--port", "0", "--check"]
    checked = run_module("serving", *arguments, CHRYSALIS_API_KEY_FILE=str(tmp_path / "none"))
    code, lines = end(checked)
    assert code == 2
    assert len(lines) == 1
    assert "CHRYSALIS_API_KEY_FILE" in lines[0]


def test_a_bundle_that_lacks_a_file_ends_the_server(run_server, own_bundle):
    (own_bundle / "model.tflite").unlink()
    code, lines = end(run_server("--model", str(own_bundle)).process)
    assert code == 2
    assert len(lines) == 1
    assert "model.tflite" in lines[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "/no/such/bundle"], "bundle.json"),
        ([], "--model"),
        (["--model", "x", "--port", "70000"], "--port"),
        (["--model", "x", "--runtime", "onnx"], "--runtime"),
        (["--model", "x", "--threshold", "2"], "--threshold"),
    ],
)
def test_bad_arguments_are_one_line(run_module, arguments, said):
    process = run_module("serving", *arguments)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert len(errors.splitlines()) == 1
    assert said in errors


def test_a_taken_port_is_one_line(run_module, tiny_bundle):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = run_module("serving", "--model", str(tiny_bundle), "--port", port)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert len(errors.splitlines()) == 1
    assert f"127.0.0.1:{port}: Address already in use" in errors


@pytest.mark.parametrize(
    ("host", "said"), [("nosuchhost.invalid", "ame"), ("a" * 70, "name"), ("192.0.2.1", "assign")]
)
def test_an_address_that_is_none_is_one_line(host, said):
    with pytest.raises(InputError, match=rf"can't listen on {host}:0: .*{said}.*--host"):
        listen(host, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AIP_PREDICT_ROUTE", "nope"),
        ("AIP_HEALTH_ROUTE", "/{x"),
        ("PORT", "x"),
        ("CHRYSALIS_MAX_IMAGES", "0"),
        ("CHRYSALIS_MAX_DELAY_MS", "soon"),
    ],
)
def test_a_bad_environment_is_one_line(run_module, tiny_bundle, name, value):
    process = run_module("serving", "--model", str(tiny_bundle), **{name: value})
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert len(errors.splitlines()) == 1
    assert name in errors


def test_a_slow_sender_hears_that_the_server_stops(run_server, tiny_bundle):
    server = run_server("--model", str(tiny_bundle))
    server.wait_until_ready()
    with socket.create_connection(server.url.removeprefix("http://").split(":"), timeout=60) as client:
        client.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n")
        client.sendall(b"content-length: 1000\r\n\r\n{")
        assert server.get("/healthz").status == 200
        code, lines = stop(server)
        answer = client.recv(10_000)
    assert code == 0
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"retry-after" in answer
    assert "Traceback" not in "".join(lines)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_answers_are_not_held_back(host):
    with listen(host, 0) as listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
