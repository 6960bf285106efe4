"""A runtime that was up before its function was known is as confined as any other."""

import re

import pytest
from languages import NODEJS, RUBY

NODE = """
const fs = require('fs');
const links = (place) => fs.readdirSync(place).map((name) => {
  try { return fs.readlinkSync(`${place}/${name}`); } catch { return ''; }
});
exports.handler = async () => ({
  status: fs.readFileSync('/proc/self/status', 'utf8'),
  store: fs.readdirSync('/.emberbox'),
  open: links('/proc/self/fd'),
  root: fs.readlinkSync('/proc/self/root'),
});
"""
RUBY_SOURCE = """
def handler(event:, context:)
  {
    status: File.read("/proc/self/status"),
    store: Dir.children("/.emberbox"),
    open: Dir.children("/proc/self/fd").map { |n| File.readlink("/proc/self/fd/#{n}") rescue "" },
    root: File.readlink("/proc/self/root")
  }
end
"""
HARMLESS = r"|/|/dev/null|/proc/\d+/fd|(pipe|socket):\[\d+\]|anon_inode:.*"


@pytest.mark.parametrize(
    ("column", "files"),
    [(NODEJS, {"f.js": NODE}), (RUBY, {"f.rb": RUBY_SOURCE})],
    ids=["nodejs", "ruby"],
)
def test_a_waiting_runtime_has_nothing_to_lose(boto, functions, column, files):
    """No capability, no way to new privileges, a filter, no foreign descriptor, no foreign code."""
    if column.lacks():
        pytest.skip(column.lacks())
    name = functions(("isolation", column.name), column.runtime, "f.handler", files)

    told = boto.invoke(name, b"{}").json()

    status = dict(line.split(":\t", 1) for line in told["status"].splitlines() if ":\t" in line)
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == 0
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert told["store"] == []
    assert told["root"] == "/"
    assert [link for link in told["open"] if not re.fullmatch(HARMLESS, link)] == []
