"""What README.md tells people to type.

A ```sh block is typed as it stands. A comment `# terminal 2` in it says where the lines below it are
typed; a block begins in terminal 1. `<!-- where: docker -->` or `<!-- where: package -->` ahead of a
block says on what machine. `./dev test` is left out: it is what runs this.
"""

import os
import re
from dataclasses import dataclass

import place

LEFT_OUT = re.compile(r"^\./dev (test|docker-test)\s*(#.*)?$")
TERMINAL = re.compile(r"^\s*# (?:in )?terminal (\d+)\b", re.IGNORECASE)
WHERE = re.compile(r"^<!-- where: (\w+)")
CLONE = re.compile(r"^git clone (\S+)", re.MULTILINE)


@dataclass
class Segment:
    line: int  # in README.md
    terminal: int
    text: str


def segments_of(block, first_line):
    """The parts of one block, by terminal."""
    out = []
    for number, text in enumerate(block, first_line):
        named = TERMINAL.match(text)
        if named or not out:
            out.append(Segment(number, int(named.group(1)) if named else 1, ""))
        if not LEFT_OUT.match(text):
            out[-1].text += text + "\n"
    return [segment for segment in out if re.search(r"(?m)^\s*[^#\s]", segment.text)]


def segments(where="newcomer"):
    """Everything that is typed there, in order."""
    with open(os.path.join(place.ROOT, "README.md"), encoding="utf-8") as file:
        lines = file.read().split("\n")
    out = []
    begin = None
    for number, line in enumerate(lines):
        if begin is None and line == "```sh":
            begin = number + 1
        elif begin is not None and line == "```":
            place_named = WHERE.match(lines[begin - 2]) if begin >= 2 else None
            if (place_named.group(1) if place_named else "newcomer") == where:
                out += segments_of(lines[begin:number], begin + 1)
            begin = None
    return out


def clone_url():
    """Where README.md clones the project from; None where it does not."""
    for segment in segments():
        found = CLONE.search(segment.text)
        if found:
            return found.group(1)
    return None
