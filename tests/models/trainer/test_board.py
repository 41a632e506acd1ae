from contracts import storage
from models.trainer.board import follow


def test_follow_appends_what_an_event_file_grew_by(bucket, tmp_path):
    event_file = storage.join(bucket, "models/digits/a/logs/train/events.out.tfevents.1")
    storage.write_bytes(event_file, b"first")
    storage.write_bytes(storage.join(bucket, "models/digits/a/bundle.json"), b"{}")
    follow(storage.join(bucket, "models/digits"), tmp_path)
    copy = tmp_path / "a/logs/train/events.out.tfevents.1"
    with copy.open("rb") as kept_open:
        assert kept_open.read() == b"first"
        storage.write_bytes(event_file, b"first and second")
        follow(storage.join(bucket, "models/digits"), tmp_path)
        assert kept_open.read() == b" and second"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [copy]


def test_follow_waits_where_nothing_was_logged_yet(bucket, tmp_path):
    follow(storage.join(bucket, "models/digits"), tmp_path)
    assert not list(tmp_path.iterdir())
