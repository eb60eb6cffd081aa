"""Creates the archives of the tests: python3 make_archives.py DIRECTORY

DIRECTORY/odd has archives that GNU tar extracts, made by real programs; DIRECTORY/hostile has malicious
ones, made by Python's tarfile where it can, else header by header.
"""

import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile

root = sys.argv[1]
odd = os.path.join(root, "odd")
hostile = os.path.join(root, "hostile")
os.makedirs(odd)
os.makedirs(hostile)

LONG_NAME = "n" * 120 + ".bin"
DEEP = "/".join(["directory-%02d" % level for level in range(20)])


def write(path, data, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)
    os.utime(path, (1700000000.123456, 1700000000.123456))


def tree(name, long_names=True, links=False):
    top = os.path.join(root, "trees", name)
    write(f"{top}/adapter_config.json", b'{"r": 16}\n')
    write(f"{top}/weights/adapter_model.bin", bytes(range(256)) * 700)
    write(f"{top}/empty", b"")
    write(f"{top}/run.sh", b"#!/bin/sh\n", 0o755)
    os.makedirs(f"{top}/no files", exist_ok=True)
    if long_names:
        write(f"{top}/{LONG_NAME}", b"long")
        write(f"{top}/{DEEP}/deep", b"deep")
        write(f"{top}/gr\u00fc\u00df/\u6a21\u578b \U0001f600.txt", "h\u00e9".encode())
    os.link(f"{top}/adapter_config.json", f"{top}/zz-hard-link.json")
    if links:
        os.symlink("adapter_config.json", f"{top}/link.json")
        os.symlink("../adapter_config.json", f"{top}/weights/up.json")
        os.symlink("weights", f"{top}/linked")
        os.symlink("nowhere", f"{top}/dangling")
    return top


plain, simple, linked = tree("plain"), tree("simple", long_names=False), tree("linked", links=True)


def run(*command):
    subprocess.run(command, check=True)


for form, source in [("gnu", plain), ("pax", plain), ("ustar", simple), ("v7", simple)]:
    run("tar", f"--format={form}", "-C", source, "-czf", f"{odd}/gnu-tar-{form}.tar.gz", ".")
run("tar", "-C", linked, "-czf", f"{odd}/links.tar.gz", ".")
run("tar", "-C", plain, "-cf", f"{odd}/not-gzipped.tar", ".")
run("tar", "-cf", f"{odd}/empty.tar", "-T", "/dev/null")
if shutil.which("bsdtar"):
    for form, source in [("pax", plain), ("gnutar", plain), ("ustar", simple)]:
        run("bsdtar", f"--format={form}", "-C", source, "-czf", f"{odd}/bsdtar-{form}.tar.gz", ".")
for form, source in [("USTAR", simple), ("GNU", plain), ("PAX", plain)]:
    with tarfile.open(
        f"{odd}/python-{form.lower()}.tar.gz", "w:gz", format=getattr(tarfile, f"{form}_FORMAT")
    ) as archive:
        archive.add(source, arcname="step_0010")
# As SkyRL writes each checkpoint: its first member is the directory "/".
with tarfile.open(f"{odd}/python-root.tar.gz", "w:gz") as archive:
    archive.add(plain, arcname="")


def tar_of(*members, end=b"\0" * 1024, form=tarfile.PAX_FORMAT):
    """Makes an archive; a member is a name, a TarInfo, or a pair of one of these and its bytes."""
    result = io.BytesIO()
    for member in members:
        info, data = member if isinstance(member, tuple) else (member, b"")
        if isinstance(info, str):
            info = tarfile.TarInfo(info)
            info.size = len(data)
        result.write(info.tobuf(form))
        result.write(data + b"\0" * (-len(data) % 512))
    return result.getvalue() + end


def entry(name, kind, target="", **fields):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def header(name, size=b"00000000000", flag=b"0", target=b"", prefix=b""):
    """Makes a header with any contents."""
    fields = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + size.ljust(12, b"\0")
    fields += b"00000000000\0" + b" " * 8 + flag + target.ljust(100, b"\0") + b"ustar\x0000"
    fields = fields.ljust(345, b"\0") + prefix.ljust(167, b"\0")
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]


def pax(*records):
    """Makes a PAX extended header with any contents."""
    body = b""
    for keyword, value in records:
        rest = b" " + keyword + b"=" + value + b"\n"
        length = len(rest) + 2
        body += b"%d" % length + rest
        assert 10 <= length < 100
    return header(b"x", b"%011o" % len(body), b"x") + body.ljust(512, b"\0")


def save(directory, name, data, pack=True):
    with open(f"{directory}/{name}", "wb") as file:
        file.write(gzip.compress(data, mtime=0) if pack else data)


A, B = ("a", b"aaa"), ("b/c", b"ccc")
END = b"\0" * 1024
data = tar_of(A, B)
save(odd, "several-gzip-members.tar.gz", b"".join(
    gzip.compress(data[start:start + 700]) for start in range(0, len(data), 700)), pack=False)
save(odd, "zeros-after-the-gzip.tar.gz", gzip.compress(data) + b"\0" * 5000, pack=False)
save(odd, "garbage-after-the-tar.tar.gz", data + b"garbage" * 1000)
save(odd, "one-zero-block.tar.gz", data[:-512])
save(odd, "base-256-size.tar.gz", header(b"a", b"\x80" + b"\0" * 10 + b"\3") + b"aaa".ljust(512, b"\0") + END)
save(odd, "setuid.tar.gz", tar_of((entry("a", b"0", mode=0o4755, size=3), b"aaa")))
save(odd, "contiguous.tar.gz", header(b"a", b"00000000003", b"7") + b"aaa".ljust(512, b"\0") + END)
save(odd, "directory-twice.tar.gz", tar_of(entry("d/", b"5"), ("d/a", b"a"), entry("d/", b"5"), ("d/b", b"b")))
for number, name in enumerate(["/", "./", ".", "//", "/./"]):
    save(odd, f"root-{number}.tar.gz", header(name.encode(), flag=b"5") + tar_of(A))
save(odd, "dots-in-names.tar.gz", tar_of(("./a", b"a"), ("b/./c", b"c"), ("d//e", b"e"), ("f..g/..h", b"h")))

SYM, LINK, FIFO, CHR, BLK = b"2", b"1", b"6", b"3", b"4"
cases = {
    "dot-dot": tar_of(A, ("../escaped", b"x")),
    "dot-dot-inside": tar_of(("d/../../escaped", b"x")),
    "absolute": tar_of((os.path.join(root, "escaped"), b"x")),
    "absolute-directory": header(b"/etc/x/", flag=b"5") + END,
    "root-symlink": header(b"/", flag=b"2") + END,
    "drive": tar_of(("C:/escaped", b"x")),
    "backslashes": tar_of(("..\\escaped", b"x")),
    "drive-with-backslash": tar_of(("C:\\escaped", b"x")),
    "nul": tar_of((entry("a", b"0", size=1, pax_headers={"path": "a\0b"}), b"x")),
    "symlink-outside": tar_of(entry("s", SYM, "../..")),
    "symlink-absolute": tar_of(entry("s", SYM, "/etc/passwd")),
    "symlink-then-through": tar_of(entry("s", SYM, "../"), ("s/escaped", b"x")),
    "symlink-inside-then-through": tar_of(("d/a", b"a"), entry("s", SYM, "d"), ("s/b", b"x")),
    "symlink-overwritten": tar_of(("a", b"a"), entry("s", SYM, "a"), ("s", b"x")),
    "symlink-replaces-directory": tar_of(("d/a", b"a"), entry("d", SYM, ".")),
    "link-chain": tar_of(("x/y/a", b"a"), entry("x/y/up", SYM, "../.."), entry("t", SYM, "x/y/up/.."), ("t/escaped", b"x")),
    "hardlink-outside": tar_of(entry("h", LINK, "../outside")),
    "hardlink-absolute": tar_of(entry("h", LINK, os.path.join(root, "outside"))),
    "hardlink-to-symlink": tar_of(A, entry("s", SYM, "a"), entry("h", LINK, "s")),
    "hardlink-to-nothing": tar_of(entry("h", LINK, "nothing")),
    "character-device": tar_of(entry("null", CHR, devmajor=1, devminor=3)),
    "block-device": tar_of(entry("disk", BLK, devmajor=8)),
    "fifo": tar_of(entry("pipe", FIFO)),
    "duplicate": tar_of(A, ("a", b"other")),
    "duplicate-by-dots": tar_of(A, ("./a", b"other")),
    "file-becomes-parent": tar_of(A, ("a/b", b"x")),
    "directory-becomes-file": tar_of(B, ("b", b"x")),
    "too-many-entries": header(b"d/", flag=b"5") * 100_001 + END,
    "bomb": tar_of(("zeros", b"\0" * (80 * 2**20))),
    "bomb-after-the-end": tar_of(A) + b"\0" * (80 * 2**20),
    "sparse-gnu": header(b"sparse", b"00000000000", b"S") + END,
    "unknown-type": header(b"multi", b"00000000000", b"M") + END,
    "sparse-pax": tar_of((entry("GNUSparseFile.0/sparse", b"0", size=1, pax_headers={
        "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "sparse",
        "GNU.sparse.realsize": "100"}), b"0")),
    "size-absurd": header(b"a", b"\x80\0\0\0\0\1" + b"\0" * 6) + END,
}
for name, data in cases.items():
    save(hostile, f"{name}.tar.gz", data)

broken = {
    "size-negative": header(b"a", b"\xff" * 12) + END,
    "size-not-a-number": header(b"a", b"-0000000001") + END,
    "no-end": tar_of(A, end=b""),
    "cut-in-a-file": tar_of(("a", b"a" * 5000))[:2000],
    "cut-in-a-header": tar_of(A)[:300],
    "nine-gib-missing": header(b"a", b"\x80" + b"\0" * 6 + b"\2" + b"\0" * 4) + END,
    "wrong-checksum": b"b" + header(b"a")[1:] + END,
    "no-tar": b"This is no archive. " * 100,
    "extended-header-too-long": header(b"x", b"00010000000", b"x") + b"\0" * 2**21 + END,
}
os.makedirs(os.path.join(root, "broken"))
for name, data in broken.items():
    save(f"{root}/broken", f"{name}.tar.gz", data)
packed = gzip.compress(tar_of(A))
save(f"{root}/broken", "gzip-cut.tar.gz", packed[:-5], pack=False)
save(f"{root}/broken", "gzip-crc.tar.gz", packed[:-8] + b"\0\0\0\0" + packed[-4:], pack=False)
save(f"{root}/broken", "garbage-after-the-gzip.tar.gz", packed + b"garbage", pack=False)

# Names in Latin-1, in each field that can hold a name.
LATIN_1 = b"caf\xe9"
latin_1 = {
    "ustar": header(LATIN_1) + END,
    "prefix": header(b"a", prefix=LATIN_1) + END,
    "long-name": header(b"././@LongLink", b"%011o" % 151, b"L") + (LATIN_1 * 30 + b"\0").ljust(512, b"\0")
    + header(b"caf") + END,
    "pax": pax((b"hdrcharset", b"BINARY"), (b"path", LATIN_1)) + header(b"caf") + END,
    "target": header(b"s", flag=b"2", target=LATIN_1) + END,
    "pax-target": pax((b"linkpath", LATIN_1)) + header(b"s", flag=b"2") + END,
}
for name, data in latin_1.items():
    save(hostile, f"latin-1-{name}.tar.gz", data)
open(os.path.join(root.encode(), b"trees", LATIN_1), "wb").close()
open(os.path.join(root.encode(), b"trees", LATIN_1 * 30), "wb").close()
for form in ["gnu", "pax", "ustar"]:
    for times in [1, 30] if form == "gnu" else [1]:
        run("tar", f"--format={form}", "-C", f"{root}/trees", "-czf",
            f"{hostile}/latin-1-by-tar-{form}-{times}.tar.gz", LATIN_1 * times)
if shutil.which("bsdtar"):
    run("bsdtar", "--format=pax", "-C", f"{root}/trees", "-czf",
        f"{hostile}/latin-1-by-bsdtar.tar.gz", LATIN_1)

# A sparse file as GNU tar writes it, in both formats.
with open(f"{root}/trees/sparse", "wb") as file:
    file.truncate(2**20)
    file.seek(2**19)
    file.write(b"data")
for form in ["gnu", "pax"]:
    run("tar", "--sparse", f"--format={form}", "-C", f"{root}/trees", "-czf",
        f"{hostile}/sparse-by-tar-{form}.tar.gz", "sparse")
