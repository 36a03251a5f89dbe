#!/usr/bin/env python3
"""Makes a release of the checkout in the working folder.

usage: release.py prepare VERSION           writes the version into the texts, commits and tags them
       release.py collect VERSION FOLDER    puts package, source archive, list of libraries and checksums into FOLDER
`./dev release VERSION` runs both, and builds the package in between. Nothing is sent anywhere.
"""

import gzip
import hashlib
import re
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from email.utils import format_datetime
from pathlib import Path

AUTHORS = "the Holdfast authors <holdfast@holdfast.invalid>"
HEAD = "## [Unreleased]\n"


def fail(why: str) -> None:
    sys.exit(f"release: {why}")


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def replace_once(path: str, pattern: str, text: str) -> None:
    """Replaces the one place that has the pattern."""
    whole = Path(path).read_text()
    changed, count = re.subn(pattern, lambda _: text, whole, flags=re.MULTILINE)
    if count != 1:
        fail(f"{path} has {count} places of the form {pattern}")
    Path(path).write_text(changed)


def unreleased(changelog: str) -> str:
    """Returns what the changelog says of the next release."""
    begin = changelog.find(HEAD)
    if begin < 0:
        fail("CHANGELOG.md has no section [Unreleased]")
    rest = changelog[begin + len(HEAD):]
    next_release = rest.find("\n## [")
    section = rest if next_release < 0 else rest[:next_release]
    if not re.search(r"^\* ", section, re.MULTILINE):
        fail("CHANGELOG.md says nothing of what has changed")
    return section


def prepare(version: str) -> None:
    if not re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", version):
        fail(f"{version} is no version of the form 1.2.3")
    if git("status", "--porcelain"):
        fail("commit or put away what you have changed first")
    if git("tag", "--list", f"v{version}"):
        fail(f"v{version} was released before")
    changelog = Path("CHANGELOG.md").read_text()
    section = unreleased(changelog)
    # Before the first release, a note says that there is none.
    told = re.sub(r"\nThere has been no release yet\.[^\n]*\n", "", section, count=1)
    now = datetime.now(timezone.utc)
    Path("CHANGELOG.md").write_text(
        changelog.replace(HEAD + section, f"{HEAD}\n## [{version}] - {now:%Y-%m-%d}\n{told}", 1))
    replace_once("CMakeLists.txt", r"^project\(holdfast VERSION \S+", f"project(holdfast VERSION {version}")
    debian = Path("packaging/debian/changelog")
    entry = (f"holdfast ({version}) bookworm; urgency=medium\n\n  * Release {version}: CHANGELOG.md has the details.\n\n"
             f" -- {AUTHORS}  {format_datetime(now)}\n")
    before = debian.read_text()
    # The first entry stands for all that was before the first release.
    debian.write_text(entry if "Not released yet" in before else entry + "\n" + before)
    git("commit", "--quiet", "--all", "--message", f"Release {version}")
    git("tag", "--annotate", f"v{version}", "--message", f"Holdfast {version}")
    print(f"committed and tagged v{version}")


def source_archive(version: str, folder: Path) -> Path:
    """Packs what the tag has. The same tag makes the same bytes."""
    path = folder / f"holdfast-{version}.tar.gz"
    packed = subprocess.run(["git", "archive", "--format=tar", f"--prefix=holdfast-{version}/", f"v{version}"],
                            check=True, capture_output=True).stdout
    with path.open("wb") as out, gzip.GzipFile("", "wb", 9, out, mtime=0) as file:
        file.write(packed)
    return path


def collect(version: str, folder: Path) -> None:
    packages = list(Path("build/package").glob(f"holdfast_{version}_*.deb"))
    if len(packages) != 1:
        fail(f"build/package has {len(packages)} packages of {version}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = [source_archive(version, folder),
             Path(shutil.copy(packages[0], folder)),
             Path(shutil.copy("build/release/packaging/sbom.cdx.json", folder / f"holdfast-{version}.cdx.json"))]
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(files)]
    (folder / "SHA256SUMS").write_text("".join(sums))
    print(f"made {folder}: {', '.join(sorted(file.name for file in files))}, SHA256SUMS")
    print(f"publish it with: git push origin HEAD v{version}")


def main() -> None:
    match sys.argv[1:]:
        case ["prepare", version]:
            prepare(version)
        case ["collect", version, folder]:
            collect(version, Path(folder))
        case _:
            sys.exit(__doc__)


main()
