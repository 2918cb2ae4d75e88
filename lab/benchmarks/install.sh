#!/usr/bin/env bash
# What the benchmarks need beside PyroChat: servers to compare with, and their Python clients.
# PYTHON names the interpreter that they are installed for (.venv/bin/python).
set -eu
cd "$(dirname "$0")/../.."
python=${PYTHON:-.venv/bin/python}

missing=()
command -v ngircd >/dev/null || [ -x /usr/sbin/ngircd ] || missing+=(ngircd)
if [ ${#missing[@]} -gt 0 ]; then
    if ! command -v apt-get >/dev/null; then
        echo "install ${missing[*]} with your system's package manager, then start again" >&2
        exit 1
    fi
    as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update --quiet
    # Only the programs: no service of theirs has to run.
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends "${missing[@]}"
    for service in "${missing[@]}"; do
        "${as_root[@]}" systemctl disable --now "$service" 2>/dev/null || true
    done
fi
"$python" -m pip install --quiet --disable-pip-version-check --editable '.[dev,bench]'
