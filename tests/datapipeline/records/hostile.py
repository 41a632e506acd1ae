"""Files that are broken, odd or made to do harm, each with what has to become of it.

All are made here, deterministically, small and quickly. `files` are contents, under names that any archive
and file system takes; `names` are names, for a good image; `hostile_zip` and `hostile_tar` hold all of them
that go into an archive, and members that lie, link or explode. Fates count for `process` as it is run without
options.
"""

import io
import os
import stat
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms, TiffImagePlugin

WIDTH, HEIGHT = 40, 24
"""Pixels of the pictures, where nothing else is said."""


class Kept(NamedTuple):
    """It becomes an example of that size: pixels, upright."""

    width: int = WIDTH
    height: int = HEIGHT


class Refused(NamedTuple):
    """It is named in rejected.csv, with a reason that this regular expression matches from its start."""

    reason: str


class Ignored(NamedTuple):
    """It isn't mentioned: a paper, or what a system left behind."""


Fate = Kept | Refused | Ignored


class Hostile(NamedTuple):
    name: str
    data: bytes
    fate: Fate


def picture(seed: int, mode: str = "RGB", width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """A coarse pattern: unlike the picture of any other seed."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def photo(seed: int, kind: str = "JPEG", mode: str = "RGB", **options: object) -> bytes:
    return encoded(picture(seed, mode), kind, **options)


def files() -> Iterator[Hostile]:
    """Contents, each under a name of its own."""
    for group in (_no_images, _damaged, _bombs, _odd_sizes, _odd_modes, _several, _metadata, _other_formats):
        yield from group()


def _no_images() -> Iterator[Hostile]:
    page = b"<!DOCTYPE html><html><body>403 Forbidden</body></html>"
    yield Hostile("empty.jpg", b"", Refused("empty"))
    yield Hostile("one byte.jpg", b"\xff", Refused("not an image"))
    yield Hostile("text.jpg", b"these are not pixels\n" * 100, Refused("not an image"))
    yield Hostile("error page.jpg", page, Refused("not an image"))
    yield Hostile("zeros.png", bytes(5000), Refused("not an image"))
    yield Hostile(
        "pointer of git-lfs.jpg", b"version https://git-lfs.github.com/spec/v1\n", Refused("not an image")
    )
    yield Hostile("utf-16.bmp", "BM as text".encode("utf-16"), Refused("not an image"))
    yield Hostile("program.jpg", b"\x7fELF" + bytes(200), Refused("not an image"))
    yield Hostile("word.docx", b"PK\3\4" + bytes(200), Refused("not an image"))
    yield Hostile("paper.txt", b"taken in May", Ignored())
    yield Hostile(".DS_Store", b"\0\0\0\1Bud1", Ignored())
    yield Hostile("._hidden.jpg", b"\0\5\x16\7", Ignored())
    yield Hostile("Thumbs.db", b"\xd0\xcf\x11\xe0", Ignored())
    yield Hostile("desktop.ini", b"[.ShellClassInfo]", Ignored())


def _damaged() -> Iterator[Hostile]:
    jpeg, png = encoded(picture(1, width=400, height=300), "JPEG"), photo(2, "PNG")
    yield Hostile("header only.jpg", jpeg[:100], Refused("truncated"))
    yield Hostile("half.jpg", jpeg[: len(jpeg) // 2], Refused("truncated"))
    yield Hostile("no end mark.jpg", jpeg[:-2], Refused("truncated"))
    yield Hostile("half.png", png[: len(png) // 2], Refused("truncated"))
    yield Hostile("header only.png", png[:20], Refused("truncated|not an image"))
    yield Hostile("no end.png", png[:-12], Kept())
    at = png.index(b"IDAT") + 20
    yield Hostile(
        "wrong crc.png", png[:at] + bytes([png[at] ^ 1]) + png[at + 1 :], Refused("broken|truncated")
    )
    yield Hostile("header's crc.png", png[:29] + b"\0\0\0\0" + png[33:], Refused("broken|not an image"))
    yield Hostile("zeroed.jpg", jpeg[:300] + bytes(len(jpeg) - 300), Refused("not an image|broken|truncated"))
    yield Hostile("half.gif", photo(3, "GIF")[:-200], Refused("truncated|broken"))
    yield Hostile("half.webp", photo(4, "WEBP")[:-100], Refused("truncated|broken|not an image"))
    yield Hostile("half.bmp", photo(5, "BMP")[:-1000], Refused("truncated"))
    yield Hostile("half.tif", photo(6, "TIFF")[:-1000], Refused("truncated|broken"))
    yield Hostile("half.avif", photo(7, "AVIF")[:-100], Refused("truncated|broken|not an image"))
    yield Hostile("trailing garbage.jpg", photo(8) + b"garbage" * 100, Kept())
    with_zip = io.BytesIO()
    with zipfile.ZipFile(with_zip, "w") as archive:
        archive.writestr("run.sh", b"echo no")
    yield Hostile("zip behind.jpg", photo(9) + with_zip.getvalue(), Kept())


def _bombs() -> Iterator[Hostile]:
    yield Hostile("bomb.png", png(100_000, 100_000), Refused("too many pixels"))
    yield Hostile("negative.png", png(0xFFFFFFFF, 0xFFFFFFFF), Refused("too many pixels|not an image|broken"))
    yield Hostile("nothing.png", png(0, 0), Refused("not an image|broken|truncated"))
    yield Hostile("bomb.gif", gif(0xFFFF, 0xFFFF), Refused("too many pixels"))
    yield Hostile("bomb.tif", tiff(60_000, 60_000), Refused("too many pixels"))
    yield Hostile("bomb.bmp", bmp(60_000, 60_000), Refused("too many pixels"))
    yield Hostile("bomb.ppm", b"P6 99999 99999 255\n" + bytes(100), Refused("too many pixels"))
    yield Hostile("bomb.jpg", jpeg_sized(photo(10), 65_500, 65_500), Refused("too many pixels"))
    # Its end mark comes too soon, which libjpeg fills up with grey and Pillow doesn't tell.
    yield Hostile("larger than its bytes.jpg", jpeg_sized(photo(11), 400, 400), Kept(400, 400))
    text = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(80 << 20), 9))
    plain = photo(12, "PNG")
    yield Hostile(
        "text bomb.png", plain[:33] + text + plain[33:], Refused("broken: decompressed data too large|too")
    )
    frames = [picture(1000 + number, "P") for number in range(100)]
    many = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    yield Hostile("many frames.gif", many, Kept())


def _odd_sizes() -> Iterator[Hostile]:
    for seed, (width, height) in enumerate(((1, 1), (4, 4), (1, 5000), (5000, 1), (7, 300)), 20):
        name, data = f"{width}x{height}.png", encoded(picture(seed, width=width, height=height), "PNG")
        yield Hostile(name, data, Refused(f"too small: {width}x{height}"))
    yield Hostile("8x5000.png", encoded(picture(26, width=8, height=5000), "PNG"), Kept(8, 5000))
    yield Hostile("8x8.png", encoded(picture(27, width=8, height=8), "PNG"), Kept(8, 8))


def _odd_modes() -> Iterator[Hostile]:
    for seed, (name, kind, mode) in enumerate(
        (
            *(("cmyk.jpg", "JPEG", "CMYK"), ("grey.jpg", "JPEG", "L"), ("grey and alpha.png", "PNG", "LA")),
            *(("one bit.png", "PNG", "1"), ("one bit.tif", "TIFF", "1"), ("cmyk.tif", "TIFF", "CMYK")),
            *(("lab.tif", "TIFF", "LAB"), ("palette.gif", "GIF", "P"), ("float.tif", "TIFF", "F")),
            *(("alpha.webp", "WEBP", "RGBA"), ("plain.avif", "AVIF", "RGB"), ("wide.tif", "TIFF", "I")),
        ),
        30,
    ):
        image = picture(seed) if mode != "LAB" else _lab(picture(seed))
        yield Hostile(name, encoded(image.convert(mode) if mode != "LAB" else image, kind), Kept())
    yield Hostile("16 bits.png", encoded(_deep(50, np.uint16), "PNG"), Kept())
    yield Hostile("16 bits.pgm", encoded(_deep(51, np.uint16), "PPM"), Kept())
    values = np.asarray(_deep(52, np.float32)).copy()
    values[0] = np.nan
    values[1] = np.inf
    yield Hostile("not finite.tif", encoded(Image.fromarray(values), "TIFF"), Kept())
    yield Hostile("palette, transparent.png", encoded(picture(53).quantize(8), "PNG", transparency=3), Kept())
    yield Hostile("palette, too short.png", _short_palette(), Kept())
    yield Hostile("progressive.jpg", photo(54, progressive=True), Kept())


def _several() -> Iterator[Hostile]:
    pages = [picture(seed) for seed in (60, 61, 62)]
    for name, kind in (
        *(("animated.gif", "GIF"), ("animated.webp", "WEBP"), ("animated.png", "PNG")),
        *(("pages.tif", "TIFF"), ("pictures.mpo", "MPO"), ("animated.avif", "AVIF")),
    ):
        yield Hostile(name, encoded(pages[0], kind, save_all=True, append_images=pages[1:]), Kept())
    loop = bytearray(photo(63, "TIFF"))
    first = struct.unpack_from("<L", loop, 4)[0]
    entries = struct.unpack_from("<H", loop, first)[0]
    struct.pack_into("<L", loop, first + 2 + 12 * entries, first)  # the next page is this one
    yield Hostile("endless pages.tif", bytes(loop), Kept())


def _metadata() -> Iterator[Hostile]:
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        size = (WIDTH, HEIGHT) if orientation < 5 else (HEIGHT, WIDTH)
        yield Hostile(f"orientation {orientation}.jpg", photo(70 + orientation, exif=exif), Kept(*size))
    exif = Image.Exif()
    exif[0x0112] = 99
    yield Hostile("orientation 99.jpg", photo(80, exif=exif), Kept())
    yield Hostile("broken exif.jpg", photo(81, exif=b"Exif\0\0II*\0\xff\xff\xff\x7f"), Kept())
    yield Hostile("exif of noise.jpg", photo(82, exif=b"Exif\0\0" + bytes(range(256)) * 100), Kept())
    yield Hostile("broken exif.png", photo(83, "PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"), Kept())
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = bytes(12)  # when it was made: now
    yield Hostile("huge profile.jpg", photo(84, icc_profile=bytes(profile) + bytes(1 << 20)), Kept())
    yield Hostile("noise for a profile.png", photo(85, "PNG", icc_profile=bytes(range(256)) * 40), Kept())
    yield Hostile("huge exif.webp", photo(86, "WEBP", exif=b"Exif\0\0" + bytes(1 << 20)), Kept())
    yield Hostile("comment.jpg", photo(87, comment=b"<script>" * 1000), Kept())


def _other_formats() -> Iterator[Hostile]:
    no_image = Refused("not an image")
    unread_eps = Refused("a format that isn't read: EPS")
    postscript = (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n(touch /tmp/hostile) run showpage\n%%EOF\n"
    )
    yield Hostile("drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', no_image)
    yield Hostile("drawing.jpg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', no_image)
    yield Hostile(
        "phone.heic",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500),
        Refused("a format that isn't read: HEIC"),
    )
    yield Hostile(
        "layers.psd",
        b"8BPS\0\1" + bytes(6) + struct.pack(">HLLHH", 3, 9, 9, 8, 3) + bytes(99),
        Refused("a format that isn't read: PSD"),
    )
    yield Hostile("script.eps", postscript, unread_eps)
    yield Hostile("script.jpg", postscript + b" ", unread_eps)
    yield Hostile("metafile.wmf", b"\xd7\xcd\xc6\x9a" + bytes(200), no_image)
    yield Hostile("icon.ico", photo(90, "ICO"), no_image)
    yield Hostile("jpeg 2000.jp2", photo(91, "JPEG2000"), Refused("a format that isn't read: JPEG 2000"))
    yield Hostile("film.mp4", b"\0\0\0\x18ftypmp42" + bytes(200), no_image)
    yield Hostile("png named.jpg", photo(92, "PNG"), Kept())
    yield Hostile("UPPER.JPG", photo(93), Kept())
    yield Hostile("no extension", photo(94), Kept())
    yield Hostile("text without extension", b"text", no_image)
    yield Hostile("double.jpg.png", photo(95, "PNG"), Kept())
    yield Hostile("odd.jpg_large", photo(96), Kept())


def names() -> Iterator[tuple[bytes, Fate]]:
    """File names, as bytes, for a good image: all that Linux takes."""
    for name in (
        *(
            "ros\u00e9.jpg",
            "rose\u0301.jpg",
            "\U0001f98b \u0440\u043e\u0437\u0430 \u8594\u8587.jpg",
            "two  spaces .jpg",
        ),
        *("-rf.jpg", "'single' \"double\".jpg", "a,b;c.jpg", "=cmd|'-C calc'!A0.jpg", "%s{0}$HOME`id`.jpg"),
        *("<script>alert(1)<", "\u202egpj.exe", "line\u2028separator.jpg", "a..b.jpg", "back\\slash.jpg"),
        *("#hash?query=1&x.jpg", "manifest.jpg", "zero\u200bwidth.jpg", "two::colons.jpg", "C:.jpg"),
    ):
        yield name.encode(), Kept()
    yield b"x" * 251 + b".jpg", Kept()
    yield "\u00e4".encode() * 125 + b".jpg", Kept()
    for name in (
        b"new\nline.jpg",
        b"\x1b[31mred.jpg",
        b"bell\x07.jpg",
        b"c1\xc2\x85.jpg",
    ):
        yield name, Refused("a name with control characters")
    for name in (b"latin-\xe9.jpg", b"half-\xc3.jpg", b"surrogate-\xed\xa0\x80.jpg", b"\xff\xfe.jpg"):
        yield name, Refused("a name that isn't UTF-8")
    yield b"a.zip.jpg", Kept()
    yield b".hidden.jpg", Ignored()
    yield b"license", Ignored()


Fates = list[tuple[bytes, Fate]]
"""Members' names, with slashes; several may have one name."""

OUTSIDE = Refused("a path that leads out of its folder")
DAMAGED = Refused("damaged in its archive")
NO_FILE = Refused("a link or a device")


def hostile_zip(folder: str) -> tuple[bytes, Fates]:
    """A zip with everything in it, below a class' folder, and each member's fate."""
    file = io.BytesIO()
    fates: Fates = []
    raw_names = {}
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore", UserWarning)  # of names that are there already
        for name, data, fate in files():
            archive.writestr(f"{folder}/{name}", data)
            fates.append((f"{folder}/{name}".encode(), fate))
        for info, data, fate in _zip_members(folder):
            archive.writestr(info, data, info.compress_type)
            fates.append((info.filename.replace("\\", "/").encode(), fate))
        for number, (name, fate) in enumerate(_names_for_archives(folder)):
            # zipfile writes no bytes that aren't text: a name as long, with the flag of UTF-8, for now.
            stand_in = f"é{number:03}".encode().ljust(len(name), b"#")
            raw_names[stand_in] = name
            archive.writestr(stand_in.decode(), photo(200 + number))
            fates.append((name, fate))
    data = file.getvalue()
    for stand_in, name in raw_names.items():
        data = data.replace(stand_in, name)
    changed = bytearray(data)
    for name, (at, value) in _CHANGES.items():
        entry = changed.rindex(f"{folder}/{name}".encode()) - 46
        changed[entry + at : entry + at + len(value)] = value
    at = changed.index(f"{folder}/local header.jpg".encode()) + len(folder) + 1
    changed[at : at + 5] = b"other"
    return _with_inner_entry(bytes(changed), folder), fates


_CHANGES: dict[str, tuple[int, bytes]] = {
    "encrypted.jpg": (8, b"\x01"),
    "unknown method.jpg": (10, b"\x61"),
    "wrong crc.jpg": (16, bytes(4)),
    "shorter than said.jpg": (24, b"\xff\xff\x03\0"),
    "longer than said.jpg": (24, b"\x80\0\0\0"),
    "4 GiB of nothing.jpg": (24, b"\xf0\xff\xff\xff"),
    "large.jpg": (24, struct.pack("<L", 300 << 20)),
    "beyond the end.jpg": (42, b"\xf0\xff\xff\x7f"),
}
"""To the directory's entries: from which byte on they say what instead."""


def _zip_members(folder: str) -> Iterator[tuple[zipfile.ZipInfo, bytes, Fate]]:
    def info(name: str, mode: int = 0, method: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
        member = zipfile.ZipInfo(name if name.startswith(("/", "..", "C:")) else f"{folder}/{name}")
        member.create_system, member.external_attr, member.compress_type = 3, mode << 16, method
        return member

    deflated = zipfile.ZIP_DEFLATED
    yield info("symlink.jpg", stat.S_IFLNK | 0o777), b"/etc/passwd", NO_FILE
    yield info("fifo.jpg", stat.S_IFIFO | 0o644), b"", NO_FILE
    yield info("device.jpg", stat.S_IFBLK | 0o644), b"", NO_FILE
    yield info("a folder.jpg/"), b"", Ignored()
    yield info(f"/{folder}/absolute.jpg"), photo(100), OUTSIDE
    yield info(f"../{folder}/above.jpg"), photo(101), OUTSIDE
    yield info(f"x/../../{folder}/above.jpg"), photo(102), OUTSIDE
    yield info(f"C:\\{folder}\\drive.jpg"), photo(103), OUTSIDE
    yield info(f"deep\\{folder}\\backslashes.jpg"), photo(104), Kept()
    yield info("twice.jpg"), photo(105), Kept()
    yield info("twice.jpg"), photo(106), Refused("a name that an earlier member has")
    yield info("Twice.jpg"), photo(107), Kept()
    yield info("encrypted.jpg"), photo(108), Refused("encrypted in its archive")
    yield info("unknown method.jpg"), photo(109), Refused("compressed in an unknown way")
    yield info("wrong crc.jpg"), photo(110), DAMAGED
    yield info("shorter than said.jpg", method=deflated), photo(111), DAMAGED
    yield info("longer than said.jpg", method=deflated), photo(112), DAMAGED
    yield info("beyond the end.jpg"), photo(113), DAMAGED
    yield info("local header.jpg"), photo(114), DAMAGED
    yield info("zeros.bmp", method=deflated), bytes(2 << 20), Refused("an archive bomb")
    yield info("4 GiB of nothing.jpg", method=deflated), photo(115), Refused("an archive bomb")
    noise = np.random.default_rng(0).bytes(3_200_000)
    yield info("large.jpg", method=deflated), noise, Refused("too large: 314572800 bytes")
    yield info("blank.bmp", method=deflated), encoded(Image.new("L", (900, 900)), "BMP"), Kept(900, 900)
    yield info("bzip2.jpg", method=zipfile.ZIP_BZIP2), photo(116), Kept()
    yield info("lzma.jpg", method=zipfile.ZIP_LZMA), photo(117), Kept()
    yield info("inner.zip"), b"PK\5\6" + bytes(18), Refused("an archive inside an archive")
    yield info(f"../{folder}/__MACOSX/._x.jpg"), b"", Ignored()
    inner = f"{folder}/inside another.jpg".encode()
    header = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, len(inner), 0) + inner
    yield info("around another.jpg"), photo(118) + header + photo(119), Kept()


def _with_inner_entry(data: bytes, folder: str) -> bytes:
    """Let the directory name the member that lies inside another one."""
    name, photo_inside = f"{folder}/inside another.jpg".encode(), photo(119)
    offset = data.index(b"PK\3\4", data.index(b"around another.jpg"))
    sizes = (zlib.crc32(photo_inside), len(photo_inside), len(photo_inside))
    entry = (
        struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, *sizes, len(name), 0, 0, 0, 0, 0, offset)
        + name
    )
    end = data.rindex(b"PK\5\6")
    _, _, _, count, _, size, start, _ = struct.unpack("<4s4H2LH", data[end:])
    last = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count + 1, count + 1, size + len(entry), start, 0)
    return data[:end] + entry + last


def hostile_tar(folder: str) -> tuple[bytes, Fates]:
    """A tar with everything in it, below a class' folder, and each member's fate."""
    file = io.BytesIO()
    fates: Fates = []
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:

        def add(name: bytes, data: bytes, fate: Fate, kind: bytes = tarfile.REGTYPE) -> None:
            info = tarfile.TarInfo(os.fsdecode(name))
            info.type, info.size, info.linkname = (
                kind,
                len(data),
                f"{folder}/twice.jpg" if kind in b"12" else "",
            )
            archive.addfile(info, io.BytesIO(data))
            fates.append((name.removeprefix(b"./"), fate))

        for name, data, fate in files():
            add(f"./{folder}/{name}".encode(), data, fate)
        for number, (name, fate) in enumerate(_names_for_archives(folder)):
            add(name, photo(300 + number), fate)
        for kind, fate in _TAR_KINDS.items():
            add(f"{folder}/kind {kind.decode()}.jpg".encode(), b"", fate, kind)
        for name, fate in _tar_names(folder):
            add(name.encode(), photo(len(fates)), fate)
    return file.getvalue(), fates


_TAR_KINDS: dict[bytes, Fate] = {
    tarfile.LNKTYPE: NO_FILE,
    tarfile.SYMTYPE: NO_FILE,
    tarfile.CHRTYPE: NO_FILE,
    tarfile.BLKTYPE: NO_FILE,
    tarfile.FIFOTYPE: NO_FILE,
    tarfile.DIRTYPE: Ignored(),
    b"S": Refused("a sparse file"),
    b"Z": Refused("a member of an unknown kind"),
}


def _tar_names(folder: str) -> Iterator[tuple[str, Fate]]:
    yield f"{folder}/twice.jpg", Kept()
    yield f"{folder}/twice.jpg", Refused("a name that an earlier member has")
    yield f"/{folder}/absolute.jpg", OUTSIDE
    yield f"{folder}/../../{folder}/above.jpg", OUTSIDE
    yield "top.jpg", Refused("in no class folder")
    yield f"{'deep/' * 100}{folder}/deep.jpg", Kept()
    yield f"{folder}/inner.tar.gz", Refused("an archive inside an archive")


def _names_for_archives(folder: str) -> Iterator[tuple[bytes, Fate]]:
    """Without backslashes, which are slashes there."""
    yield from ((f"{folder}/".encode() + name, fate) for name, fate in names() if b"\\" not in name)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))


def png(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds a few bytes."""
    head = chunk(b"IHDR", struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def gif(width: int, height: int) -> bytes:
    size = struct.pack("<HH", width, height)
    return b"GIF89a" + size + b"\xf0\0\0" + bytes(6) + b"," + bytes(4) + size + b"\0\2\2D\1\0;"


def tiff(width: int, height: int) -> bytes:
    ifd = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in ((256, width), (257, height), (258, (8,)), (259, 8), (262, 1), (277, 1), (278, height)):
        ifd[tag] = value
    data = zlib.compress(bytes(1000))
    ifd[273], ifd[279] = 8, len(data)
    file = io.BytesIO()
    file.write(b"II*\0" + struct.pack("<L", 8 + len(data)) + data)
    ifd.save(file)
    return file.getvalue()


def bmp(width: int, height: int) -> bytes:
    return (
        b"BM"
        + struct.pack("<LLLLllHHLLLLLL", 154, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
        + bytes(100)
    )


def jpeg_sized(data: bytes, width: int, height: int) -> bytes:
    """A JPEG whose header claims another size than its pixels have."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def _deep(seed: int, dtype: type) -> Image.Image:
    top = 65535 if dtype is np.uint16 else 1
    return Image.fromarray((np.asarray(picture(seed, "L")) / 255 * top).astype(dtype))


def _lab(image: Image.Image) -> Image.Image:
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    converted = ImageCms.applyTransform(image, to_lab)
    assert converted is not None
    return converted


def _short_palette() -> bytes:
    data = encoded(picture(55).quantize(64), "PNG")
    start = data.index(b"PLTE") - 4
    end = start + 12 + struct.unpack_from(">L", data, start)[0]
    return data[:start] + chunk(b"PLTE", b"\1\2") + data[end:]
