"""Whether what the documents name exists: files and headings that they link to, configuration keys,
commands and their options, metrics, and words of the code.

usage: docs_check.py ROOT HOLDFAST CONTROL_URL
Prints `passed`, or every fault with its place, and ends with status 1.
"""

import json
import os
import re
import subprocess
import sys

import requests

FENCE = re.compile(r"^ *```(\w*)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
# Others' words that the documents explain.
FOREIGN = {"proxy_pass", "proxy_set_header", "stream_close_delay", "credential_process", "jwks_uri",
           "no_query", "http_host", "reverse_proxy"}
IGNORED_FOLDERS = {".git", "build", "node_modules"}


class Page:
    def __init__(self, root, path):
        self.path = os.path.relpath(path, root)
        self.prose = []  # (line number, text), without the fenced blocks
        self.blocks = []  # (line number, language, text)
        with open(path, encoding="utf-8") as file:
            self.read(file.read().split("\n"))

    def read(self, lines):
        block = None
        for number, line in enumerate(lines, 1):
            fence = FENCE.match(line)
            if fence and block is None:
                block = (number, fence.group(1), [])
            elif fence:
                self.blocks.append((block[0], block[1], "\n".join(block[2])))
                block = None
            elif block:
                block[2].append(line)
            else:
                self.prose.append((number, line))

    def anchors(self):
        """As GitHub makes them of headings."""
        seen = {}
        for _, line in self.prose:
            heading = re.match(r"^#{1,6} (.*)", line)
            if not heading:
                continue
            text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.group(1))
            slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            count = seen.get(slug, 0)
            seen[slug] = count + 1
            yield slug if count == 0 else f"{slug}-{count}"

    def code_words(self):
        for number, line in self.prose:
            for code in CODE.findall(line):
                yield number, code


class Commands:
    """What `holdfast` understands, as its own help tells."""

    def __init__(self, binary):
        self.binary = binary
        self.options = {}
        self.explore(())

    def explore(self, path):
        text = subprocess.run([self.binary, *path, "--help"], text=True, capture_output=True,
                              check=True).stdout
        self.options[path] = set(re.findall(r"(--?[a-zA-Z][\w-]*)", text))
        listed = re.search(r"^Subcommands:\n((?:  .*\n?)+)", text, re.M)
        for name in re.findall(r"^  ([a-z][\w-]*)", listed.group(1) if listed else "", re.M):
            self.explore(path + (name,))

    def fault_of(self, words):
        path = ()
        while words and path + (words[0],) in self.options:
            path += (words.pop(0),)
        groups = any(len(known) == len(path) + 1 and known[:-1] == path for known in self.options)
        if groups and words and re.fullmatch(r"[a-z][a-z-]*", words[0]):
            return f"no command `holdfast {' '.join(path + (words[0],))}`"
        for word in words:
            option = word.split("=")[0]
            if word.startswith("--") and option not in self.options[path] | self.options[()]:
                return f"`holdfast {' '.join(path)}` has no option {option}"
        return None


class Checker:
    def __init__(self, root, binary, control_url):
        self.root = root
        self.faults = []
        self.pages = {}
        for folder, folders, files in os.walk(root):
            folders[:] = [name for name in folders if name not in IGNORED_FOLDERS]
            for name in files:
                if name.endswith(".md"):
                    page = Page(root, os.path.join(folder, name))
                    self.pages[page.path] = page
        self.commands = Commands(binary)
        self.keys = set(re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|",
                                   self.text("docs/configuration.md"), re.M))
        self.sections = {key.split(".")[0] for key in self.keys}
        self.metrics = set(re.findall(
            r"^# TYPE (\w+)", requests.get(control_url + "/metrics", timeout=60).text, re.M))
        self.code = self.words_of_the_code()

    def text(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as file:
            return file.read()

    def words_of_the_code(self):
        words = set()
        for top in ("src", "include", "migrations", "docker", "packaging", "config"):
            for folder, _, files in os.walk(os.path.join(self.root, top)):
                for name in files:
                    if not name.endswith((".md", ".png")):
                        with open(os.path.join(folder, name), encoding="utf-8") as file:
                            words |= set(re.findall(r"\w+", file.read()))
        return words

    def fault(self, page, line, what):
        self.faults.append(f"{page.path}:{line}: {what}")

    def check(self):
        for page in self.pages.values():
            self.check_links(page)
        told = [page for path, page in self.pages.items() if not path.startswith("src")]
        for page in told:
            for number, code in page.code_words():
                self.check_code(page, number, code)
            for number, language, text in page.blocks:
                self.check_block(page, number, language, text)
        for path in ("docs/openapi.yaml", "docs/asyncapi.yaml"):
            self.check_description(path)

    def check_links(self, page):
        for number, line in page.prose:
            for target in LINK.findall(CODE.sub("", line)):
                if not re.match(r"[a-z]+:", target):
                    self.check_link(page, number, target)

    def check_link(self, page, number, target):
        path, _, anchor = target.partition("#")
        where = page.path if not path else os.path.normpath(
            os.path.join(os.path.dirname(page.path), path))
        if not os.path.exists(os.path.join(self.root, where)):
            self.fault(page, number, f"no file {target}")
        elif anchor and (where not in self.pages or anchor not in self.pages[where].anchors()):
            self.fault(page, number, f"no heading {target}")

    def check_code(self, page, number, code):
        if code.startswith("holdfast "):
            self.check_command(page, number, code)
        for key in re.findall(r"(?<![\w./-])([a-z_]+\.[a-z_]+)(?![\w.(/-])", code):
            if key.split(".")[0] in self.sections and key not in self.keys:
                self.fault(page, number, f"no configuration key {key}")
        self.check_words(page, number, code)

    def check_words(self, page, number, code):
        for section, key in re.findall(r"HOLDFAST_([A-Z]+)__([A-Z_]+)", code):
            name = f"{section}.{key}".lower()
            if name not in self.keys and name != "section.key":
                self.fault(page, number, f"no configuration key for HOLDFAST_{section}__{key}")
        for metric in re.findall(r"\bholdfast_[a-z_]+\b", code):
            base = re.sub(r"_(bucket|sum|count)$", "", metric)
            if metric not in self.metrics and base not in self.metrics:
                self.fault(page, number, f"no metric {metric}")
        # The changelog names what an earlier version had.
        past = page.path == "CHANGELOG.md"
        if not past and re.fullmatch(r"[a-z]+(_[a-z]+)+", code) and code not in self.code | FOREIGN:
            if not code.startswith("holdfast_"):
                self.fault(page, number, f"{code} is in no source")

    def check_command(self, page, number, text):
        words = re.sub(r"\s+#.*|[|>;&)].*", "", text).split()[1:]
        fault = self.commands.fault_of([word for word in words if word not in ("…", "...")])
        if fault:
            self.fault(page, number, fault)

    def check_block(self, page, number, language, text):
        if language == "json":
            self.check_json(page, number, text)
        if language in ("sh", "console"):
            for offset, line in enumerate(text.replace("\\\n", "  ").split("\n")):
                for command in re.findall(r"(?:^|[\s(/])(holdfast [a-z-].*)", line):
                    self.check_command(page, number + 1 + offset, command)
                self.check_words(page, number + 1 + offset, line)

    def check_json(self, page, number, text):
        try:
            value = json.loads(text)
        except ValueError as error:
            # A sample of an answer may be cut.
            if "…" not in text and "..." not in text:
                self.fault(page, number, f"no JSON: {error}")
            return
        if isinstance(value, dict) and value and set(value) <= self.sections:
            for section, members in value.items():
                for key in members:
                    if f"{section}.{key}" not in self.keys:
                        self.fault(page, number, f"no configuration key {section}.{key}")

    def check_description(self, path):
        page = Page(self.root, os.path.join(self.root, path))
        self.check_links(page)
        for number, code in page.code_words():
            if not code.startswith("{"):
                self.check_code(page, number, code)


def main():
    checker = Checker(*sys.argv[1:])
    checker.check()
    if checker.faults:
        raise SystemExit("\n".join(checker.faults))
    print("passed")


main()
