#!/usr/bin/env bash
# The Pyro name server, in the foreground. PYRO_NS_HOST and PYRO_NS_PORT say where (localhost, 9090).
set -eu
cd "$(dirname "$0")"
make --silent setup
exec .venv/bin/python -m Pyro5.nameserver --host "${PYRO_NS_HOST:-localhost}" --port "${PYRO_NS_PORT:-9090}" "$@"
