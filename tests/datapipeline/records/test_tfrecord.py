import io

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from datapipeline.records.tfrecord import RecordError, frame, from_example, read_records, to_example

features = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.binary(max_size=300) | st.integers(-(2**63), 2**63 - 1),
    max_size=8,
)


@given(features=features)
def test_tensorflow_reads_the_same(features):
    data = to_example(features)
    assert from_example(data) == features
    theirs = tf.train.Example.FromString(data).features.feature
    assert {
        name: value.bytes_list.value[0] if value.HasField("bytes_list") else value.int64_list.value[0]
        for name, value in theirs.items()
    } == features


def test_tensorflow_writes_the_same_file(tmp_path):
    rows = [b"", b"x", b"y" * 100_000]
    with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as writer:
        for row in rows:
            writer.write(row)
    assert (tmp_path / "theirs").read_bytes() == b"".join(map(frame, rows))


@given(data=st.data())
def test_any_flipped_bit_and_any_cut_is_noticed(data):
    whole = frame(b"one") + frame(b"two" * 10)
    position = data.draw(st.integers(0, len(whole) - 1))
    flipped = bytearray(whole)
    flipped[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(RecordError):
        list(read_records(io.BytesIO(bytes(flipped))))
    if position not in (0, len(frame(b"one"))):
        with pytest.raises(RecordError):
            list(read_records(io.BytesIO(whole[:position])))
