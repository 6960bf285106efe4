"""Runs the server as on a host that lacks some programs: their names, a comma between, come first.

python without.py nft,iptables serve --port 0
"""

import sys

from emberbox.cli.main import main
from emberbox.isolation.network import firewall

_installed = firewall.program
_lacking = sys.argv.pop(1).split(",")
firewall.program = lambda name: None if name in _lacking else _installed(name)
main()
