#!/bin/sh
# sbom.sh PROGRAM VERSION: writes what the program is made of, as CycloneDX JSON: every library that it
# is linked with, and those that are compiled into it from headers alone, each with the Debian package
# and version that it comes from. The same build writes the same text.
set -eu
program=$1
version=$2
distribution=$(. /etc/os-release 2>/dev/null && echo "${ID:-linux}") || distribution=linux

# package_of FILE: the package that brings a file, under whichever of its names the package knows it.
package_of() {
  command -v dpkg-query >/dev/null || return 0
  for path in "$1" "/usr$1" "${1#/usr}" "$(readlink -f "$1")"; do
    dpkg-query --search "$path" 2>/dev/null | head -n 1 | sed 's/: .*//' | grep . && return 0
  done
  return 0
}

# component NAME FILE: a library, named by its package, or by NAME where no package has it.
component() {
  package=$(package_of "$2")
  if [ -n "$package" ]; then
    name=${package%%:*}
    found=$(dpkg-query --show --showformat '${Version}' "$package")
    architecture=$(dpkg-query --show --showformat '${Architecture}' "$package")
    encoded=$(printf %s "$found" | sed 's/%/%25/g; s/+/%2B/g; s/:/%3A/g')
    printf '    {"type": "library", "name": "%s", "version": "%s",\n' "$name" "$found"
    printf '     "purl": "pkg:deb/%s/%s@%s?arch=%s",\n' "$distribution" "$name" "$encoded" "$architecture"
  else
    printf '    {"type": "library", "name": "%s",\n' "$1"
  fi
  printf '     "properties": [{"name": "holdfast:file", "value": "%s"}]}' "$1"
}

components() {
  ldd "$program" | awk '$2 == "=>" && $3 ~ /^\// {print $1, $3} $1 ~ /^\// {n = split($1, part, "/"); print part[n], $1}' |
    LC_ALL=C sort -u
  for header in boost/version.hpp nlohmann/json.hpp CLI/CLI.hpp; do
    [ ! -e "/usr/include/$header" ] || echo "$header /usr/include/$header"
  done
}

cat <<HEAD
{
  "bomFormat": "CycloneDX",
  "specVersion": "1.5",
  "version": 1,
  "metadata": {
    "component": {"type": "application", "name": "holdfast", "version": "$version",
                  "licenses": [{"license": {"id": "Apache-2.0"}}]}
  },
  "components": [
HEAD
components | {
  separator=
  while read -r name file; do
    printf '%s' "$separator"
    component "$name" "$file"
    separator=',
'
  done
}
printf '\n  ]\n}\n'
