"""The Debian package: what it is made of, and its life from installation to purge."""

import json
import re
import unittest

import place
from machine import machine_for_package, newer_package, package

DATA = "/var/lib/holdfast"
# Of 10 for a service with no walls around it at all; systemd calls up to 2 well protected.
EXPOSURE_MAX = 2.0


class Files(unittest.TestCase):
    def test_keep_debians_policy(self):
        self.assertEqual(
            place.run("lintian", "--allow-root", "--fail-on", "error,warning", package()), ""
        )

    def test_have_a_manual_page_without_mistakes(self):
        page = place.ROOT + "/packaging/holdfast.1"
        self.assertEqual(place.run("mandoc", "-T", "lint", "-W", "warning", page), "")

    def test_are_all_there(self):
        listed = place.run("dpkg-deb", "--contents", package())
        for path in (
            "usr/bin/holdfast",
            "usr/share/man/man1/holdfast.1.gz",
            "etc/holdfast/holdfast.json",
            "usr/share/bash-completion/completions/holdfast",
            "usr/share/zsh/vendor-completions/_holdfast",
            "usr/share/fish/vendor_completions.d/holdfast.fish",
            "lib/systemd/system/holdfast.service",
            "usr/share/doc/holdfast/copyright",
            "usr/share/doc/holdfast/examples/holdfast.json",
            "usr/share/doc/holdfast/sbom.cdx.json",
        ):
            self.assertRegex(listed, rf"(?m)^-\S+ root/root +\d+ .* \./{re.escape(path)}$")
        self.assertNotRegex(listed, r"(?m)^-.{5}w.* \./", "nothing that others may write")


class Life(unittest.TestCase):
    def setUp(self):
        self.machine = machine_for_package("life")
        newer_package("99:1", self.machine.root + "/root/newer.deb")
        self.addCleanup(self.machine.shut_down)
        self.machine.boot()

    def status(self):
        return json.loads(self.machine.run(f"holdfast status --json --data-dir {DATA}"))

    def pending(self):
        return json.loads(self.machine.run(f"holdfast pending show away --json --data-dir {DATA}"))[
            "totals"
        ]["messages"]

    def wait_active(self):
        place.eventually(
            "active service", lambda: self.machine.show("holdfast", "ActiveState") == "active", 30
        )

    def process(self):
        return self.machine.show("holdfast", "MainPID")

    def hold(self):
        self.assertIn(
            "STORED",
            self.machine.run(f". {DATA}/credentials; holdfast publish away 'You were away'"),
        )

    def test_from_installation_to_purge(self):
        self.install()
        self.it_is_locked_in()
        self.reload()
        self.it_comes_back_when_it_is_killed_or_hangs()
        self.upgrade()
        self.remove_and_install_again()
        self.purge()

    def install(self):
        self.machine.run("apt-get --quiet=2 install --yes ./build/package/holdfast_*.deb")
        # At once: apt has waited until the gateway said that it was ready.
        self.assertEqual(self.machine.show("holdfast", "ActiveState"), "active")
        self.assertEqual(self.machine.show("holdfast", "Type"), "notify")
        self.assertEqual(self.machine.show("holdfast", "UnitFileState"), "enabled")
        self.assertEqual(self.status()["state"], "ready")
        self.assertEqual(
            self.machine.run("curl --silent --show-error http://127.0.0.1:8081/readyz"), "ready\n"
        )
        self.hold()
        self.assertIn("Nd gateway", self.machine.run("zcat /usr/share/man/man1/holdfast.1.gz"))
        self.assertIn(
            "complete", self.machine.run("cat /usr/share/bash-completion/completions/holdfast")
        )

    def it_is_locked_in(self):
        self.assertEqual(
            self.machine.run(f"stat --format '%U %G %a' {DATA}"), "holdfast holdfast 700\n"
        )
        # Not by the owner of the process's folder: nobody but root may look into this process.
        self.assertEqual(
            self.machine.run(
                f"id -nu $(awk '/^Uid:/ {{print $2}}' /proc/{self.process()}/status)").strip(),
            "holdfast"
        )
        self.assertEqual(
            self.machine.run(f"stat --format '%U' /proc/{self.process()}/environ"), "root\n"
        )
        self.assertRegex(
            self.machine.run(f"cat /proc/{self.process()}/limits"), "Max core file size +0 +0 "
        )
        self.assertEqual(
            self.machine.run("stat --format '%U %G %a' /etc/holdfast/holdfast.json"),
            "root holdfast 640\n",
        )
        self.machine.run("systemd-analyze verify --man=no holdfast.service")
        score = re.search(
            r"exposure level for holdfast.service: ([\d.]+)",
            self.machine.run("systemd-analyze security --no-pager holdfast.service"),
        )
        print(f"         systemd-analyze security: {score.group(1)} of 10")
        self.assertLessEqual(float(score.group(1)), EXPOSURE_MAX)
        # Nothing that it tried was refused: a call that its filter forbids would show here.
        self.assertNotRegex(
            self.machine.run("journalctl --unit holdfast --output cat"),
            r'"level":"error"|not_raised|not permitted',
        )

    def reload(self):
        before = self.process()
        self.machine.run("systemctl reload holdfast")
        place.eventually(
            "word of the reload",
            lambda: '"event":"reloaded"'
            in self.machine.run("journalctl --unit holdfast --output cat"),
        )
        self.assertEqual(self.process(), before)

    def it_comes_back_when_it_is_killed_or_hangs(self):
        before = self.process()
        self.machine.run(f"kill -KILL {before}")
        place.eventually("another process", lambda: self.process() not in (before, "0"))
        self.wait_active()
        self.assertEqual(self.pending(), 1)
        self.machine.run(
            """
          cd /run/systemd/system
          mkdir --parents holdfast.service.d
          printf '[Service]\\nWatchdogSec=2\\nTimeoutAbortSec=1\\n' >holdfast.service.d/soon.conf
          systemctl daemon-reload
          systemctl restart holdfast
        """
        )
        before = self.process()
        self.machine.run(f"kill -STOP {before}")
        place.eventually("another process", lambda: self.process() not in (before, "0"))
        self.wait_active()
        self.assertIn(
            "Watchdog timeout", self.machine.run("journalctl --unit holdfast --output cat")
        )
        self.assertEqual(self.pending(), 1)
        self.machine.run(
            "rm --recursive /run/systemd/system/holdfast.service.d; systemctl daemon-reload"
        )

    def upgrade(self):
        self.machine.run(
            """sed --in-place 's/^{$/{ "log": {"level": "debug"}/' /etc/holdfast/holdfast.json"""
        )
        before = self.process()
        self.machine.run("apt-get --quiet=2 install --yes ./newer.deb")
        self.assertEqual(
            self.machine.run("dpkg-query --show --showformat '${Version}' holdfast"), "99:1"
        )
        self.assertEqual(self.machine.show("holdfast", "ActiveState"), "active")
        self.assertNotIn(self.process(), (before, "0"))
        self.assertEqual(self.pending(), 1)
        self.assertIn(
            '"debug"',
            self.machine.run("cat /etc/holdfast/holdfast.json"),
            "the operator's words stay",
        )

    def remove_and_install_again(self):
        self.machine.run("apt-get --quiet=2 remove --yes holdfast")
        self.assertEqual(self.machine.show("holdfast", "ActiveState"), "inactive")
        self.machine.run(
            f"test -s {DATA}/holdfast.db; test -s /etc/holdfast/holdfast.json; "
            "! command -v holdfast"
        )
        self.machine.run("apt-get --quiet=2 install --yes ./newer.deb")
        self.assertEqual(self.machine.show("holdfast", "ActiveState"), "active")
        self.assertEqual(self.pending(), 1)

    def purge(self):
        self.machine.run("apt-get --quiet=2 purge --yes holdfast")
        left = self.machine.run(
            f"ls -d {DATA} /etc/holdfast /usr/share/doc/holdfast /run/holdfast 2>/dev/null || true;"
            " find /etc /lib/systemd /var/lib/systemd -name '*holdfast*'"
        )
        self.assertEqual(left, "")
        self.assertEqual(self.machine.show("holdfast", "LoadState"), "not-found")
        self.assertEqual(self.machine.run("systemctl --failed --quiet --plain"), "")
