#!/bin/sh
# Install what this project needs of Debian and does not find: nothing where nothing is missing, and nothing
# unless we are root. A failure is said, not passed on: the step that needs the program fails by itself.
set -u

missing=""
python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
command -v npm >/dev/null 2>&1 || missing="$missing npm"
# The registry of makers of network cards; without it IPv6 addresses name no maker, and all else works.
[ -r /usr/share/ieee-data/oui.csv ] || missing="$missing ieee-data"
# Spark is a Java program; without a runtime only --engine spark is missing.
command -v java >/dev/null 2>&1 || missing="$missing openjdk-17-jre-headless"

[ -z "$missing" ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "missing:$missing (install with your system's package manager)" >&2
    exit 0
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# The names are fixed above and hold no blanks: splitting is meant.
# shellcheck disable=SC2086
apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
    echo "could not install:$missing" >&2
exit 0
