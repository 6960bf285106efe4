"""Who listens on a port."""

import os
import socket

from emberbox.cli.ports import who_listens

HEADER = "  sl  local_address rem_address   st\n"


def entry(port, state, inode):
    """A line of /proc/net/tcp."""
    return (
        f"   0: 0100007F:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 "
        f"00000000     0        0 {inode} 1 0000000000000000 100 0 0 10 0\n"
    )


def make_proc(tmp_path, *, table, processes):
    """A /proc with one table and processes of (command line, socket inodes)."""
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(HEADER + table)
    for pid, (line, inodes) in processes.items():
        descriptors = tmp_path / str(pid) / "fd"
        descriptors.mkdir(parents=True)
        (tmp_path / str(pid) / "cmdline").write_bytes(line)
        (tmp_path / str(pid) / "comm").write_text("kthread\n")
        for number, inode in enumerate(inodes):
            (descriptors / str(number)).symlink_to(f"socket:[{inode}]")
    return tmp_path


def test_a_real_listener_is_found():
    """This process is named while it listens, and nobody afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        holder = who_listens(port)

    assert holder is not None
    assert holder.endswith(f"(process {os.getpid()})")
    assert who_listens(port) is None


def test_connections_are_no_listeners(tmp_path):
    """A port that is only connected from is free."""
    proc = make_proc(tmp_path, table=entry(4566, "01", 7), processes={3: (b"curl\0", [7])})

    assert who_listens(4566, proc) is None


def test_command_line_names_the_process(tmp_path):
    """Words of the command line, separated by blanks."""
    processes = {3: (b"sh\0", [8]), 12: (b"emberbox\0serve\0", [9, 7])}
    proc = make_proc(tmp_path, table=entry(4566, "0A", 7), processes=processes)

    assert who_listens(4566, proc) == "emberbox serve (process 12)"


def test_hidden_owner_is_somebody_elses(tmp_path):
    """A listener whose descriptors cannot be read is still reported."""
    proc = make_proc(tmp_path, table=entry(4566, "0A", 7), processes={3: (b"sh\0", [])})

    assert who_listens(4566, proc) == "a process of another user"


def test_command_line_is_short_and_printable(tmp_path):
    """Control characters do not reach the terminal and long lines are cut."""
    processes = {5: (b"a\x1b[31m" + b"x" * 500 + b"\0", [7])}
    proc = make_proc(tmp_path, table=entry(80, "0A", 7), processes=processes)

    holder = who_listens(80, proc)

    assert holder is not None
    assert "\x1b" not in holder
    assert len(holder) < 100


def test_empty_command_line_falls_back_to_the_name(tmp_path):
    """Kernel threads and some daemons have no command line."""
    proc = make_proc(tmp_path, table=entry(80, "0A", 7), processes={5: (b"", [7])})

    assert who_listens(80, proc) == "kthread (process 5)"
