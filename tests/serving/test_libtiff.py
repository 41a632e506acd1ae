import io
import subprocess
import sys
from pathlib import Path

from PIL import Image

SRC = Path(__file__).parents[2] / "src"

READ = """
import sys
from serving.libtiff import silence
from imaging import ImageError, decode
if sys.argv[1] == "silent":
    silence()
try:
    decode(sys.stdin.buffer.read())
except ImageError as error:
    print(error)
"""


def test_a_broken_tiff_says_nothing_on_standard_error():
    buffer = io.BytesIO()
    Image.effect_noise((400, 400), 90).convert("1").save(buffer, "TIFF", compression="group4")
    data = bytearray(buffer.getvalue())
    data[12000:12400] = b"\xff" * 400  # in the midst of the strip

    def decoded(how):
        command = [sys.executable, "-c", READ, how]
        return subprocess.run(command, input=bytes(data), capture_output=True, env={"PYTHONPATH": str(SRC)})

    assert b"Fax4" in decoded("loud").stderr, "the file isn't broken enough to tell"
    silent = decoded("silent")
    assert (silent.returncode, silent.stderr) == (0, b"")
