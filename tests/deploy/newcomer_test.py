"""README.md's commands, typed as they stand by someone who has just come."""

import functools
import os
import unittest

import place
import readme
from engine import engine, image
from machine import machine_for_package
from terminal import Terminal

# Building everything is part of it.
SEGMENT_S = 30 * 60
# The folder that the image is built in: so that its compiler cache, which is passed on, is of use,
# and nothing is compiled twice in one run of these tests.
HOME = "/src"
PROJECT = HOME + "/holdfast"
MACHINE = """
FROM {base}
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates git sudo
RUN useradd --create-home --home-dir /src --shell /bin/bash newcomer \
 && echo 'newcomer ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/newcomer
USER newcomer
WORKDIR /src
"""
# A command that fails ends the script, and says which it was.
TRAP = (
    'trap \'status=$?; echo "line $((LINENO + {offset})) of README.md failed: $BASH_COMMAND"; '
    "return $status' ERR\n"
)


@functools.cache
def checkout():
    """The project as it is here, changes that are not committed included, for `git clone`."""
    bare = os.path.join(place.WORK, "origin.git")
    git = [
        "git",
        "-c",
        "safe.directory=*",
        "-c",
        "user.name=newcomer",
        "-c",
        "user.email=newcomer@localhost",
    ]
    place.run(*git, "clone", "--bare", "--quiet", place.ROOT, bare)
    # Files that were only touched would be taken for changed.
    place.run(*git, "-C", place.ROOT, "update-index", "-q", "--refresh")
    changed = place.run(*git, "-C", place.ROOT, "stash", "create").strip()
    commit = changed or place.run(*git, "-C", place.ROOT, "rev-parse", "HEAD").strip()
    place.run(
        *git, "-C", place.ROOT, "push", "--quiet", "--force", bare, f"{commit}:refs/heads/main"
    )
    place.run(*git, "-C", bare, "symbolic-ref", "HEAD", "refs/heads/main")
    return bare


class Newcomer(unittest.TestCase):
    suite = place.SUITE

    def setUp(self):
        base = engine().provide_base_image(self.suite)
        engine().docker("build", "--tag", "newcomer", "-", input=MACHINE.format(base=base))
        variables = [
            word
            for name, value in place.passed_on().items()
            for word in ("--env", f"{name}={value}")
        ]
        engine().docker(
            "run",
            "--detach",
            "--init",
            "--name",
            "newcomer",
            "--volume",
            f"{checkout()}:/origin.git:ro",
            *variables,
            "newcomer",
            "sleep",
            "infinity",
        )
        self.addCleanup(engine().docker, "rm", "--force", "--volumes", "newcomer")
        self.terminals = {}
        self.addCleanup(self.close_terminals)
        self.type("sudo git config --system --add safe.directory '*'")
        self.give_compiler_cache()
        url = readme.clone_url()
        if url:
            self.type(f"git config --global url.file:///origin.git.insteadOf {url}")
        else:
            self.type("git clone --quiet /origin.git holdfast")

    def type(self, line, directory=HOME):
        return engine().docker("exec", "--workdir", directory, "newcomer", "bash", "-euc", line)

    def give_compiler_cache(self):
        image()
        engine().docker("rm", "--force", "cache")
        engine().docker("create", "--name", "cache", "holdfast-build")
        folder = os.path.join(place.WORK, "ccache")
        engine().docker("cp", "cache:/root/.cache/ccache", folder)
        engine().docker("rm", "cache")
        self.type("mkdir .cache")
        engine().docker("cp", folder, f"newcomer:{HOME}/.cache/ccache")
        self.type("sudo chown -R newcomer: .cache")

    def terminal(self, number):
        if number not in self.terminals:
            directory = PROJECT if self.type(f"ls -d {PROJECT} 2>/dev/null || true") else HOME
            self.terminals[number] = Terminal(
                [
                    *self.docker_exec(),
                    "--workdir",
                    directory,
                    "newcomer",
                    "bash",
                    "--noprofile",
                    "--norc",
                ],
                engine().environment,
            )
        return self.terminals[number]

    @staticmethod
    def docker_exec():
        return [
            "/usr/bin/docker",
            "exec",
            "--interactive",
            "--tty",
            "--env",
            "TERM=dumb",
            "--env",
            "USER=newcomer",
        ]

    def close_terminals(self):
        for terminal in self.terminals.values():
            terminal.close()

    def test_types_every_command_of_the_readme(self):
        segments = readme.segments()
        self.assertGreater(len(segments), 3, "README.md has commands")
        for number, segment in enumerate(segments):
            with self.subTest(line=segment.line):
                print(f"         README.md:{segment.line}, terminal {segment.terminal}", flush=True)
                script = f"/tmp/typed-{number}.sh"
                # The trap is the script's first line, ahead of what README.md has there.
                text = TRAP.format(offset=segment.line - 2) + segment.text
                engine().docker(
                    "exec", "--interactive", "newcomer", "sh", "-c", f"cat >{script}", input=text
                )
                self.terminal(segment.terminal).run_script(script, SEGMENT_S)


class NewcomerOnDebian13(Newcomer):
    suite = "trixie"

    def give_compiler_cache(self):
        """Has none: another compiler built the image."""


# Debian's engine comes without the plugin, and with the program that was before it.
DOCKER = """
docker() {
  if [ "$1" = compose ]; then docker-compose "${@:2}"; else /usr/bin/docker "$@"; fi
}
"""


class Operator(unittest.TestCase):
    def test_types_what_the_readme_says_of_docker(self):
        image()
        segments = readme.segments("docker")
        self.assertTrue(segments, "README.md says how to start it with Docker")
        self.addCleanup(engine().compose, "--profile", "monitoring", "down", "--volumes")
        for segment in segments:
            print(f"         README.md:{segment.line}", flush=True)
            # On a terminal, which some of them want.
            with open(place.WORK + "/typed.sh", "w", encoding="utf-8") as file:
                file.write(DOCKER + segment.text)
            place.run(
                "script",
                "--quiet",
                "--return",
                "--command",
                f"bash -euo pipefail {place.WORK}/typed.sh",
                "/dev/null",
                env=engine().environment,
                cwd=place.ROOT,
                timeout=900,
            )

    def test_types_what_the_readme_says_of_the_package(self):
        segments = readme.segments("package")
        self.assertTrue(segments, "README.md says how to install the package")
        machine = machine_for_package("operator")
        self.addCleanup(machine.shut_down)
        machine.boot()
        for segment in segments:
            print(f"         README.md:{segment.line}", flush=True)
            machine.run(segment.text)
