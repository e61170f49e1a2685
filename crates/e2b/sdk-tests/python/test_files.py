"""Files as E2B's Python SDK carries them."""

import hashlib
import io
import os
import urllib.error
import urllib.request

import pytest
from e2b import (
    FileNotFoundException,
    FilesystemEventType,
    FileType,
    InvalidArgumentException,
    SandboxException,
)


def test_text_and_bytes_come_back_as_they_were(sandbox):
    files = sandbox.files
    info = files.write("notes/text.txt", "ä, 日本, \n")
    assert (info.name, info.path) == ("text.txt", "/home/user/notes/text.txt")
    assert files.read("~/notes/text.txt") == "ä, 日本, \n"
    every = bytes(range(256)) * 16
    files.write("every", every)
    assert bytes(files.read("/home/user/every", format="bytes")) == every
    files.write("empty", "")
    assert files.read("empty") == ""


def test_a_large_file_is_streamed_both_ways(sandbox):
    size = 40 << 20
    block = os.urandom(1 << 20)
    sandbox.files.write("large", io.BytesIO(block * 40))
    listed = sandbox.files.get_info("large")
    assert listed.size == size
    expected = hashlib.sha256(block * 40).hexdigest()
    assert sandbox.commands.run("sha256sum large").stdout.split()[0] == expected
    digest = hashlib.sha256()
    with sandbox.files.read("large", format="stream") as pieces:
        for piece in pieces:
            digest.update(piece)
    assert digest.hexdigest() == expected


def test_names_may_have_anything(sandbox):
    names = ["ü ä", "日本語.txt", "a'b\"c", "semi;colon&amp", "plus+percent%20", "émoji 🦀"]
    for name in names:
        sandbox.files.write(f"names/{name}", name)
    assert sorted(entry.name for entry in sandbox.files.list("names")) == sorted(names)
    for name in names:
        assert sandbox.files.read(f"names/{name}") == name


def test_several_files_in_one_form(sandbox):
    entries = [{"path": f"many/{number} ä.txt", "data": f"{number}"} for number in range(20)]
    written = sandbox.files.write_files(entries)
    assert [info.path for info in written] == [f"/home/user/many/{number} ä.txt" for number in range(20)]
    assert sandbox.files.read("many/7 ä.txt") == "7"


def test_compressed_both_ways(sandbox):
    text = "again and again " * 10_000
    sandbox.files.write("packed", text, gzip=True)
    assert sandbox.files.read("packed", gzip=True) == text
    assert sandbox.commands.run("wc -c <packed").stdout.strip() == str(len(text))


def test_folders_are_made_listed_moved_and_removed(sandbox):
    files = sandbox.files
    assert files.make_dir("a/b/c") is True and files.make_dir("a/b/c") is False
    files.write("a/b/file", "x")
    deep = {entry.path.removeprefix("/home/user/"): entry.type for entry in files.list("a", depth=3)}
    assert deep == {"a/b": FileType.DIR, "a/b/c": FileType.DIR, "a/b/file": FileType.FILE}
    assert files.rename("a/b/file", "a/moved").path == "/home/user/a/moved"
    assert files.exists("a/moved") and not files.exists("a/b/file")
    files.remove("a")
    assert not files.exists("a")
    files.remove("a")


def test_what_is_told_of_a_file(sandbox):
    sandbox.files.write("file", "1234")
    sandbox.commands.run("chmod 640 file; ln -s file link")
    info = sandbox.files.get_info("file")
    assert (info.size, info.mode, info.permissions) == (4, 0o640, "-rw-r-----")
    assert (info.owner, info.group, info.type) == ("user", "user", FileType.FILE)
    link = sandbox.files.get_info("link")
    assert (link.type, link.symlink_target) == (FileType.SYMLINK, "/home/user/file")


def test_metadata_lies_beside_a_file(sandbox):
    written = sandbox.files.write("kept", "x", metadata={"author": "mira", "stage": "2"})
    assert written.metadata == {"author": "mira", "stage": "2"}
    assert sandbox.files.get_info("kept").metadata == {"author": "mira", "stage": "2"}
    sandbox.files.write("kept", "y")
    assert sandbox.files.get_info("kept").metadata is None


def test_errors_are_the_sdks_own(sandbox):
    files = sandbox.files
    for attempt in (
        lambda: files.read("missing"),
        lambda: files.get_info("missing"),
        lambda: files.list("missing"),
        lambda: files.rename("missing", "x"),
        lambda: files.watch_dir("missing"),
    ):
        with pytest.raises(FileNotFoundException):
            attempt()
    with pytest.raises(InvalidArgumentException):
        files.read("/home/user")
    files.write("plain", "x")
    with pytest.raises(InvalidArgumentException):
        files.make_dir("plain")
    with pytest.raises(SandboxException):
        files.watch_dir("plain")


def test_changes_of_a_folder_are_told(sandbox):
    sandbox.files.make_dir("watched")
    handle = sandbox.files.watch_dir("watched", recursive=True, include_entry=True)
    sandbox.files.write("watched/new/file", "x")
    sandbox.commands.run("rm watched/new/file")
    seen = []
    for _ in range(20):
        seen += handle.get_new_events()
        if any(event.type == FilesystemEventType.REMOVE for event in seen):
            break
    told = {(event.name, event.type) for event in seen}
    assert ("new", FilesystemEventType.CREATE) in told
    assert ("new/file", FilesystemEventType.WRITE) in told
    assert ("new/file", FilesystemEventType.REMOVE) in told
    assert not any("journeyman" in event.name for event in seen)
    handle.stop()
    with pytest.raises(SandboxException):
        handle.get_new_events()


def test_signed_links_count_for_one_file_until_their_end(sandbox):
    sandbox.files.write("shared.txt", "for you")
    link = sandbox.download_url("shared.txt", use_signature_expiration=60)
    assert urllib.request.urlopen(link).read() == b"for you"
    for wrong in (
        link.replace("shared.txt", ".bashrc"),
        sandbox.download_url("shared.txt", use_signature_expiration=-60),
        link.split("&signature=")[0],
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(wrong)
        assert refused.value.code in (400, 401)
    part = urllib.request.Request(link, headers={"Range": "bytes=4-"})
    answer = urllib.request.urlopen(part)
    assert (answer.status, answer.read()) == (206, b"you")
