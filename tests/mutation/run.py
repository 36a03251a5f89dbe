#!/usr/bin/env python3
"""Puts each fault of faults.py into a copy of the tree, builds the tests there and runs them.

usage: run.py COPY [WORD...]    COPY: a folder for the copy; WORD: only faults whose name has one of these
Tells which faults no test noticed; exit status 1 when there are any.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from faults import FAULTS

ROOT = Path(__file__).resolve().parents[2]
# The quickest first: a fault that one test notices needs no other.
TESTS = ["unit_delivery", "unit_storage", "unit_sqlite", "simulation"]
BUILD_SECONDS = 1800
TEST_SECONDS = 600


def copy_tree(to: Path) -> None:
    """Copies what git knows, and leaves files alone that are the same, so that only changes are compiled."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, to / name
        if not source.is_file():
            continue
        if target.is_file() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
        os.utime(target)


def run(command: list[str], copy: Path, seconds: int) -> tuple[int, str]:
    try:
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=seconds)
        return done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        return 124, "took too long"


def build(copy: Path) -> str | None:
    """Builds the tests; answers what went wrong."""
    status, output = run(["cmake", "--build", "build/mutate", "--target", *TESTS, "--", "--quiet"], copy,
                         BUILD_SECONDS)
    return None if status == 0 else output[-2000:]


def who_notices(copy: Path) -> str | None:
    """Runs the tests until one fails; answers which, or None."""
    environment = {"HOLDFAST_SIMULATE_SECONDS": "60", "HOLDFAST_SEEDS": "4000"}
    for test in TESTS:
        command = ["env", *(f"{name}={value}" for name, value in environment.items()),
                   f"build/mutate/tests/{test}", "--gtest_brief=1", "--gtest_fail_fast"]
        status, output = run(command, copy, TEST_SECONDS)
        if status != 0:
            failed = [line for line in output.splitlines() if line.startswith("[  FAILED  ]")]
            (copy / "build/mutate/failed.log").write_text(output)
            return failed[0].removeprefix("[  FAILED  ]").strip() if failed else f"{test} ends with {status}"
    return None


def main() -> int:
    copy = Path(sys.argv[1]).resolve()
    words = sys.argv[2:]
    copy_tree(copy)
    status, output = run(["cmake", "--preset", "dev", "-B", "build/mutate", "-DHOLDFAST_BENCH=OFF",
                          "-DCMAKE_UNITY_BUILD=ON", "-DCMAKE_UNITY_BUILD_BATCH_SIZE=4"], copy, BUILD_SECONDS)
    if status != 0:
        print(output, file=sys.stderr)
        return 2
    if wrong := build(copy):
        print(wrong, file=sys.stderr)
        return 2
    if noticed := who_notices(copy):
        print(f"without any fault: {noticed}; build/mutate/failed.log has its words", file=sys.stderr)
        return 2
    chosen = [fault for fault in FAULTS if not words or any(word in fault[0] for word in words)]
    survivors, errors = [], []
    for number, (name, file, text, instead) in enumerate(chosen, 1):
        path = copy / file
        whole = path.read_text()
        began = time.monotonic()
        if whole.count(text) != 1:
            verdict = f"ERROR: its text is there {whole.count(text)} times"
            errors.append(name)
        else:
            path.write_text(whole.replace(text, instead))
            try:
                if wrong := build(copy):
                    verdict = "ERROR: does not build: " + wrong[-300:]
                    errors.append(name)
                elif noticed := who_notices(copy):
                    verdict = f"noticed by {noticed}"
                else:
                    verdict = "SURVIVES"
                    survivors.append(name)
            finally:
                path.write_text(whole)
        print(f"[{number}/{len(chosen)}] {name}: {verdict} ({time.monotonic() - began:.0f} s)", flush=True)
    print(f"{len(chosen) - len(survivors) - len(errors)} noticed, {len(survivors)} survived, {len(errors)} errors")
    return 1 if survivors or errors else 0


if __name__ == "__main__":
    sys.exit(main())
