"""The image and the composed services, as an operator has them."""

import json
import os
import re
import time
import unittest
import urllib.request

import place
from engine import engine, image

PROMETHEUS = """
FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends prometheus
RUN install -d -o nobody -g nogroup /prometheus
USER nobody
ENTRYPOINT ["prometheus", "--config.file=/etc/prometheus/prometheus.yml", \
            "--storage.tsdb.path=/prometheus"]
"""
PUBLISH = ". /data/credentials; export HOLDFAST_URL=http://127.0.0.1:8080; "


def sizes():
    return [int(engine().inspect(name)["Size"]) for name in ("debian:bookworm-slim", image())]


def body_of(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


class Image(unittest.TestCase):
    def test_is_at_most_60_mb_above_its_base(self):
        base, whole = sizes()
        print(f"         {(whole - base) / 1e6:.1f} MB above the base's {base / 1e6:.1f} MB")
        self.assertLess(whole - base, 60e6)

    def test_has_nothing_to_build_or_fetch_with(self):
        found = engine().docker(
            "run",
            "--rm",
            "--entrypoint",
            "sh",
            image(),
            "-c",
            "for program in gcc cc make cmake git curl wget python3; do command -v $program; done; "
            "ls /tmp /var/lib/apt/lists",
        )
        self.assertEqual(found, "/tmp:\n\n/var/lib/apt/lists:\n")

    def test_runs_as_nobody_in_particular_and_is_installed_as_a_package(self):
        self.assertRegex(engine().inspect(image())["Config"]["User"], r"^[1-9]\d*:[1-9]\d*$")
        told = engine().docker(
            "run", "--rm", "--entrypoint", "dpkg-query", image(), "--show", "holdfast"
        )
        self.assertRegex(told, r"^holdfast\s+\d")

    def test_starts_alone_with_everything_taken_away(self):
        engine().docker(
            "run",
            "--detach",
            "--name",
            "alone",
            "--read-only",
            "--tmpfs",
            "/tmp",
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges",
            image(),
        )
        self.addCleanup(engine().docker, "rm", "--force", "--volumes", "alone")
        place.eventually("healthy gateway", lambda: healthy("alone"), 60)
        status = engine().docker("exec", "alone", "holdfast", "status")
        self.assertRegex(status, r"(?m)^state +ready$")


def healthy(container):
    return engine().inspect(container)["State"].get("Health", {}).get("Status") == "healthy"


class Composed(unittest.TestCase):
    """One gateway for all of these, which they leave running."""

    @classmethod
    def setUpClass(cls):
        image()
        cls.up()

    @classmethod
    def tearDownClass(cls):
        engine().compose("--profile", "monitoring", "down", "--volumes", "--timeout", "20")

    @classmethod
    def up(cls):
        engine().compose("up", "--detach", "--no-build", timeout=180)
        for service in ("gateway", "sample-app"):
            place.eventually(
                f"healthy {service}", lambda: healthy(cls.container(service)), 60
            )  # pylint: disable=cell-var-from-loop
        # Once it has played, nothing but the tests talks to the gateway.
        place.eventually("end of the demo", lambda: cls.demo_state()["Status"] == "exited", 60)

    @staticmethod
    def container(service):
        return engine().compose("ps", "--quiet", service).strip()

    @classmethod
    def demo_state(cls):
        return engine().inspect(cls.container("demo"))["State"]

    @staticmethod
    def type(line, service="gateway", **options):
        """What a shell in the service prints."""
        return engine().compose("exec", "-T", service, "sh", "-euc", line, **options)

    def hold(self, user, *texts):
        for text in texts:
            self.assertIn("STORED", self.type(f"{PUBLISH} holdfast publish {user} '{text}'"))

    def pending(self, user):
        return json.loads(self.type(f"holdfast pending show {user} --json"))["totals"]["messages"]

    def test_the_demonstration_plays_the_story_and_exits_0(self):
        self.assertEqual(self.demo_state()["ExitCode"], 0)
        self.assert_whole_story(engine().compose("logs", "--no-color", "demo"))

    def test_the_demonstration_plays_again_on_demand(self):
        self.assert_whole_story(engine().compose("run", "--rm", "-T", "demo", timeout=120))

    def assert_whole_story(self, played):
        at = 0
        for words in (
            "Create a user",
            '< {"Payload"',
            "Held message 1",
            '< {"Payload":"Held message 5"}',
            "Nothing is pending",
            "kill -9",
            '< {"Payload":"Survivor 3"}',
            "The demo is complete.",
        ):
            found = played.find(words, at)
            self.assertGreaterEqual(found, 0, f"no {words} behind {at} of\n{played}")
            at = found

    def test_its_processes_can_do_nothing_but_their_work(self):
        for service in ("gateway", "sample-app"):
            told = dict(
                re.findall(r"(?m)^(\w+):\s+(.*)$", self.type("cat /proc/1/status", service))
            )
            self.assertEqual(told["Uid"].split(), ["900"] * 4, service)
            self.assertEqual(int(told["CapBnd"], 16), 0, service)
            self.assertEqual(told["NoNewPrivs"], "1", service)
            self.assertEqual(told["Seccomp"], "2", service)
            refused = self.type("touch /etc/x /usr/x /x 2>&1 || true", service)
            self.assertEqual(refused.count("Read-only file system"), 3, refused)

    def test_the_sample_application_sees_neither_master_key_nor_root_key(self):
        self.assertEqual(self.type("ls /data", "sample-app"), "")
        root = re.search(r"AWS_ACCESS_KEY_ID=(\S+)", self.type("cat /data/credentials")).group(1)
        own = re.search(
            r"AWS_ACCESS_KEY_ID=(\S+)", self.type("cat /keys/sample-app", "sample-app")
        ).group(1)
        self.assertNotEqual(root, own)
        refused = self.type(
            ". /keys/sample-app; export HOLDFAST_URL=http://gateway:8080; "
            "holdfast create-user -u mallory -p 'correct horse' 2>&1 || true",
            "sample-app",
        )
        self.assertIn("AccessDenied", refused)

    def test_what_was_held_survives_a_new_container_and_a_kill(self):
        self.hold("away", "one", "two")
        engine().compose("down", "--timeout", "20")
        self.up()
        self.assertEqual(self.pending("away"), 2)
        self.hold("away", "three")
        engine().compose("kill", "-s", "KILL", "gateway")
        self.up()
        self.assertEqual(self.pending("away"), 3)

    def test_who_was_away_while_the_gateway_was_killed_receives_in_order(self):
        user = self.type(
            f"{PUBLISH} holdfast create-user -u carol -p 'correct horse' 2>/dev/null"
        ).strip()
        self.hold(user, "one", "two", "three")
        engine().compose("kill", "-s", "KILL", "gateway")
        self.up()
        log_in = PUBLISH + "eval \"$(holdfast auth -u carol -p 'correct horse')\"; "
        # It would receive for ever: what it has after some seconds is looked at.
        received = self.type(log_in + "timeout 5 holdfast connect-websocket 2>/dev/null || true")
        self.assertEqual(
            received.split("\n")[:-1],
            [f'< {{"Payload":"{text}"}}' for text in ("one", "two", "three")],
        )
        self.assertEqual(self.pending(user), 0)

    def test_stopping_takes_no_longer_than_its_drain_and_ends_well(self):
        container = self.container("gateway")
        begun = time.monotonic()
        engine().compose("stop", "gateway", timeout=60)
        took = time.monotonic() - begun
        self.assertEqual(engine().inspect(container)["State"]["ExitCode"], 0)
        self.assertLess(took, 12)
        self.up()

    def test_the_gateway_is_published_to_this_machine(self):
        with open(engine_credentials(self), encoding="ascii") as file:
            self.assertIn("HOLDFAST_URL=http://localhost:8080", file.read())
        self.assertEqual(body_of("http://127.0.0.1:8081/readyz"), "ready\n")

    def test_the_files_of_all_profiles_are_there(self):
        text = engine().compose("--profile", "monitoring", "config")
        for service in ("gateway", "sample-app", "demo", "prometheus", "grafana"):
            self.assertRegex(text, rf"(?m)^  {service}:$")
        mounts = re.findall(r"(?m)^ +- (/[^:]+):[^:]+:ro$", text)
        self.assertGreaterEqual(len(mounts), 4, text)
        for path in mounts:
            self.assertTrue(os.path.exists(path), path)

    def test_prometheus_scrapes_the_gateway_and_has_the_alerts(self):
        stand_in_for_prometheus()
        engine().compose("--profile", "monitoring", "up", "--detach", "--no-build", "prometheus")
        api = "http://127.0.0.1:9090/api/v1/"

        def scraped():
            try:
                found = json.loads(body_of(api + "query?query=up"))["data"]["result"]
            except OSError:
                return False
            return [series["value"][1] for series in found] == ["1"]

        place.eventually("scrape of the gateway", scraped, 60)
        groups = json.loads(body_of(api + "rules"))["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        self.assertTrue(rules)
        self.assertEqual([rule["name"] for rule in rules if rule.get("lastError")], [])


def stand_in_for_prometheus():
    """Debian's Prometheus under the name of the image that compose.yaml takes from a registry."""
    name = re.search(
        r"(?m)^ +image: (prom/.*)$", engine().compose("--profile", "monitoring", "config")
    )
    engine().docker("build", "--tag", name.group(1), "-", input=PROMETHEUS)


def engine_credentials(test):
    """A copy of the gateway's credentials on this side, as an operator makes it."""
    path = os.path.join(place.WORK, "credentials")
    text = test.type("cat /data/credentials")
    with open(
        os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="ascii"
    ) as file:
        file.write(text)
    return path
