"""A Docker engine of the tests' own."""

import atexit
import functools
import json
import os
import subprocess

import place

COMPOSE_FILE = os.path.join(place.ROOT, "docker", "compose.yaml")
# Debian's client, not a newer one that may be in front of it on the PATH.
DOCKER = "/usr/bin/docker"
# A registry that answers does so within that time.
REGISTRY_S = 10
BUILD_S = 30 * 60


class Engine:
    """Debian's dockerd with its own socket, data root and exec root."""

    def __init__(self):
        self.folder = os.path.join(place.WORK, "docker")
        os.makedirs(self.folder)
        self.socket = "unix://" + self.folder + "/docker.sock"
        self.environment = {
            **os.environ,
            "DOCKER_HOST": self.socket,
            "HOME": self.folder,
            "DOCKER_BUILDKIT": "0",
            "COMPOSE_DOCKER_CLI_BUILD": "0",
        }
        with open(self.folder + "/log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [
                    "dockerd",
                    "--host",
                    self.socket,
                    "--data-root",
                    self.folder + "/data",
                    "--exec-root",
                    self.folder + "/exec",
                    "--pidfile",
                    self.folder + "/pid",
                    "--storage-driver",
                    "overlay2",
                    "--cgroup-parent",
                    "/" + os.environ["HOLDFAST_CGROUP"] + "-docker",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        atexit.register(self.stop)
        place.eventually("answer of dockerd", self.answers, 60)
        self.provide_base_image(place.SUITE)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def answers(self):
        if self.process.poll() is not None:
            with open(self.folder + "/log", encoding="utf-8", errors="replace") as log:
                raise place.Failed("dockerd ended:\n" + log.read()[-4000:])
        return place.status_of(DOCKER, "info", env=self.environment) == 0

    @functools.cache  # there is one engine
    def provide_base_image(self, suite):
        """A Debian as it comes, from a registry where one is reached; its name."""
        name = f"debian:{suite}-slim"
        try:
            if place.status_of(DOCKER, "pull", name, env=self.environment, timeout=REGISTRY_S) == 0:
                return name
        except subprocess.TimeoutExpired:
            pass
        root = place.base_root(suite)
        with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as tar:
            place.run(
                DOCKER,
                "import",
                "--change",
                'CMD ["bash"]',
                "-",
                name,
                stdin=tar.stdout,
                env=self.environment,
            )
            if tar.wait() != 0:
                raise place.Failed(f"tar of {root} failed")
        return name

    def docker(self, *arguments, **options):
        return place.run(DOCKER, *arguments, env=self.environment, **options)

    def compose(self, *arguments, **options):
        return place.run(
            "docker-compose",
            "--ansi",
            "never",
            "--file",
            COMPOSE_FILE,
            *arguments,
            env=self.environment,
            cwd=place.ROOT,
            **options,
        )

    def inspect(self, thing):
        return json.loads(self.docker("inspect", thing))[0]

    def build(self, tag, *arguments, **options):
        """Builds the project's image or a stage of it."""
        variables = [
            word
            for name, value in place.passed_on().items()
            if name.lower().endswith("_proxy")
            for word in ("--build-arg", f"{name}={value}")
        ]
        return self.docker(
            "build",
            "--tag",
            tag,
            "--file",
            place.ROOT + "/docker/Dockerfile",
            *variables,
            *arguments,
            place.ROOT,
            timeout=BUILD_S,
            **options,
        )


@functools.cache
def engine():
    """The one that all tests share."""
    return Engine()


@functools.cache
def build_image():
    """The project's image; its stages stay, for what is built from the same sources later."""
    try:
        engine().build("holdfast-build", "--target", "build")
        engine().build("holdfast")
    except (place.Failed, subprocess.TimeoutExpired) as error:
        return error
    return None


def image():
    """The name of the project's image, which is built when it is first asked for, once."""
    error = build_image()
    if error is not None:
        raise place.Failed("there is no image") from error
    return "holdfast"
