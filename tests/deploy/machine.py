"""Clean Debian roots that boot with systemd, in a container of systemd-nspawn."""

import glob
import os
import subprocess
import tempfile

import place


class Machine:
    """Its own processes, mounts and network; the network of its own reaches nobody."""

    def __init__(self, name):
        self.name = name
        self.root = os.path.join(place.WORK, name)
        self.process = None
        self.leader = None
        place.run("cp", "--archive", place.base_root(), self.root)
        # The base leaves out manual pages, as images do; a machine has them.
        os.remove(self.root + "/etc/dpkg/dpkg.cfg.d/slim")

    def nspawn(self, *arguments):
        return [
            "systemd-nspawn",
            "--quiet",
            "--register=no",
            "--keep-unit",
            "--machine",
            self.name,
            "--directory",
            self.root,
            *arguments,
        ]

    def prepare(self, script, timeout=300):
        """Runs a script in it before it boots, with the network of the tests."""
        return place.run(
            *self.nspawn(
                "--as-pid2", "--setenv=DEBIAN_FRONTEND=noninteractive", "sh", "-euc", script
            ),
            timeout=timeout,
        )

    def boot(self):
        with open(self.root + ".log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                self.nspawn("--boot", "--private-network", "--console=pipe"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.leader = place.eventually("process 1", self.find_leader, 20)
        place.eventually(
            "running system",
            lambda: "running" in self.run("systemctl is-system-running || true"),
            60,
        )

    def find_leader(self):
        if self.process.poll() is not None:
            with open(self.root + ".log", encoding="utf-8", errors="replace") as log:
                raise place.Failed("systemd-nspawn ended:\n" + log.read()[-4000:])
        with open(
            f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii"
        ) as file:
            children = file.read().split()
        if not children:
            return None
        with open(f"/proc/{children[0]}/comm", encoding="ascii") as file:
            return children[0] if file.read() == "systemd\n" else None

    def run(self, script, check=True, timeout=120):
        """What a shell of root's prints."""
        return place.run(
            "nsenter",
            "--target",
            self.leader,
            "--all",
            "--",
            "env",
            "-i",
            "HOME=/root",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL=C.UTF-8",
            "DEBIAN_FRONTEND=noninteractive",
            "bash",
            "-euo",
            "pipefail",
            "-c",
            "cd /root\n" + script,
            check=check,
            timeout=timeout,
        )

    def show(self, unit, name):
        return self.run(f"systemctl show --property {name} --value {unit}").strip()

    def shut_down(self):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def package():
    """The package that `./dev package` made."""
    found = glob.glob(place.ROOT + "/build/package/holdfast_*.deb")
    if len(found) != 1:
        raise place.Failed(f"not one package but {found}")
    return found[0]


def newer_package(version, into):
    """The same package under a higher version."""
    with tempfile.TemporaryDirectory(dir=place.WORK) as folder:
        place.run("dpkg-deb", "--raw-extract", package(), folder)
        control = folder + "/DEBIAN/control"
        with open(control, encoding="utf-8") as file:
            lines = [
                f"Version: {version}\n" if line.startswith("Version:") else line for line in file
            ]
        with open(control, "w", encoding="utf-8") as file:
            file.writelines(lines)
        place.run("dpkg-deb", "--root-owner-group", "--build", folder, into)
    return into


def machine_for_package(name):
    """One that has what a package needs at hand, but not installed, and the package below /root."""
    machine = Machine(name)
    folder = machine.root + "/root/build/package"
    os.makedirs(folder)
    place.run("cp", package(), folder)
    machine.prepare(
        """
      apt-get --quiet=2 update
      apt-get --quiet=2 install --yes --no-install-recommends systemd systemd-sysv dbus \\
        sudo curl ca-certificates
      echo 'Binary::apt::APT::Keep-Downloaded-Packages "true";' \
        >/etc/apt/apt.conf.d/91keep
      apt-get --quiet=2 install --yes --download-only /root/build/package/holdfast_*.deb
    """
    )
    return machine
