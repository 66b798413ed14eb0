#!/bin/sh
# Install what this project needs of Debian and does not find: nothing where nothing is missing, and nothing
# unless we are root. A failure is said, not passed on: the step that needs the program fails by itself.
# With "servers": also the servers that tests start for themselves, on loopback; without them those tests skip.
set -u

missing=""
if [ "${1:-}" = servers ]; then
    # Debian keeps them out of an ordinary user's path.
    PATH="$PATH:/usr/sbin:/sbin"
    for program in postfix redis-server rspamd rbldnsd faketime; do
        command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
    done
fi
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
# A server just installed is not to be started: nobody asked for a mail server. Debian asks this file (policy-rc.d(8)).
if [ "${1:-}" = servers ] && [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
# The names are fixed above and hold no blanks: splitting is meant.
# shellcheck disable=SC2086
apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
    echo "could not install:$missing" >&2
exit 0
