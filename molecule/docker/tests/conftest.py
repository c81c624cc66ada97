"""Running the role again on the scenario's lab, with other options."""

from __future__ import annotations

import pytest

from lab.playbook import ROOT, run

# A root file system with one program, made on the server: no registry has a part in this scenario.
IMAGE = "apt-get -qq install -y busybox-static >/dev/null && tar -C / -c bin/busybox | docker import - local/busybox:1"


@pytest.fixture
def role(lab_vars, vps_name):
    """Run the role on this test's server: `role("--check", **{"live-restore": False})`."""
    scenario = ROOT / "molecule" / "docker"
    inventories = [ROOT / ".lab" / lab_vars["lab_name"] / "inventory.yml", scenario / "inventory"]

    def again(*arguments, playbook="molecule/docker/converge.yml", variables=None, **options):
        variables = variables or ({"docker_daemon_options": options} if options else {})
        return run(playbook, inventories, "--limit", vps_name, *arguments, variables=variables)

    yield again
    done = again()
    assert done.status == 0, done.output


@pytest.fixture
def container(vps):
    """A container that somebody else runs: a function that says when it was started."""
    vps.run_expect([0], f"docker image inspect local/busybox:1 >/dev/null 2>&1 || (apt-get -qq update; {IMAGE})")
    vps.run_expect([0], "docker run --detach --name bystander local/busybox:1 /bin/busybox sleep 86400")
    yield lambda: vps.check_output("docker inspect --format '{{.State.Running}} {{.State.StartedAt}}' bystander")
    vps.run_expect([0], "docker rm --force bystander")
