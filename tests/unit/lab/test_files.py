"""What the lab writes: inventory, ssh configuration, DNS, and the hash that says when an image is stale."""

import ipaddress
import json
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
import yaml

from lab import containers, images, inventory, services, ssh
from lab.addresses import SERVICES, Subnets
from lab.containers import Container, File
from lab.inventory import Vps

SUBNETS = Subnets(ipaddress.IPv4Network("198.18.7.0/24"), ipaddress.IPv6Network("fd00:1:2:3::/64"))
HOSTS = [Vps("debian12", 11, "debian12"), Vps("web1", 12, "debian13")]


def test_inventory_has_what_roles_tests_and_people_need() -> None:
    state = Path("/home/me/a checkout/.lab/demo")
    text = inventory.render(inventory.inventory("demo", state, Path("/tmp/s"), SUBNETS, HOSTS))
    everything = yaml.safe_load(text)["all"]
    assert list(everything["children"]["vps"]["hosts"]) == ["debian12", "web1"]
    assert everything["children"]["vps"]["hosts"]["web1"] == {
        "ansible_host": "198.18.7.12",
        "lab_domain": "web1.test",
        "lab_release": "debian13",
        "lab_ipv4": "198.18.7.12",
        "lab_ipv6_address": "fd00:1:2:3::c",
    }
    assert everything["children"]["outside"]["hosts"] == {"client": {"ansible_host": "198.18.7.100"}}
    assert everything["vars"]["ansible_ssh_common_args"] == "-F '/home/me/a checkout/.lab/demo/ssh_config'"
    assert everything["vars"]["lab_acme_directory"] == "https://acme.lab.test:14000/dir"
    assert everything["vars"]["lab_registry"] == "registry.lab.test:5000"


def test_ssh_checks_host_keys_and_ignores_the_users_own_settings() -> None:
    text = ssh.configuration(Path("/c/.lab/demo"), Path("/tmp/s"), {"web1": "198.18.7.12"})
    assert "Host web1\n  HostName 198.18.7.12\n" in text
    for line in ("StrictHostKeyChecking yes", "IdentitiesOnly yes", 'UserKnownHostsFile "/c/.lab/demo/known_hosts"'):
        assert f"  {line}\n" in text


def test_known_hosts_holds_each_key_of_each_address_without_comments() -> None:
    keys = {"198.18.7.12": ["ssh-ed25519 AAAA root@web1\n", "ssh-rsa BBBB root@web1\n"]}
    assert ssh.known_hosts(keys) == "198.18.7.12 ssh-ed25519 AAAA\n198.18.7.12 ssh-rsa BBBB\n"


def test_dns_gives_every_host_a_wildcard_in_both_families() -> None:
    lines = services.dns_configuration(SUBNETS, {"debian12": 11}).splitlines()
    assert "address=/debian12.test/198.18.7.11" in lines
    assert "address=/debian12.test/fd00:1:2:3::b" in lines
    assert "address=/registry.lab.test/198.18.7.61" in lines
    assert f"server=/dns.test/{SUBNETS.ipv4(SERVICES['challtestsrv'])}" in lines


def test_pebble_validates_on_the_real_ports() -> None:
    settings = json.loads(services.pebble_configuration(services.AcmeOptions(validity=160 * 3600)))["pebble"]
    assert (settings["httpPort"], settings["tlsPort"]) == (80, 443)
    assert settings["certificateValidityPeriod"] == 576000


def test_a_container_is_made_anew_only_when_something_about_it_changed() -> None:
    first = Container("web1", 12, "image", {"environment": {"A": "1"}}, {}, files=(File("/a", b"x", 0o600),))
    same = Container("web1", 12, "image", {"environment": {"A": "1"}}, {}, files=(File("/a", b"x", 0o600),))
    assert first.digest("sha256:1", SUBNETS) == same.digest("sha256:1", SUBNETS)
    others = [
        first.digest("sha256:2", SUBNETS),
        Container("web1", 12, "image", {"environment": {"A": "2"}}, {}, files=first.files).digest("sha256:1", SUBNETS),
        Container("web1", 12, "image", first.settings, {}, files=(File("/a", b"y", 0o600),)).digest(
            "sha256:1", SUBNETS
        ),
        Container("web1", 13, "image", first.settings, {}, files=first.files).digest("sha256:1", SUBNETS),
    ]
    assert first.digest("sha256:1", SUBNETS) not in others


def test_files_go_into_a_container_with_mode_and_owner() -> None:
    data = containers.archive((File("/home/deploy/.ssh/authorized_keys", b"key", 0o600, 1000),))
    with tarfile.open(fileobj=BytesIO(data)) as tar:
        (member,) = tar.getmembers()
    assert (member.name, member.mode, member.uid) == ("home/deploy/.ssh/authorized_keys", 0o600, 1000)


@pytest.mark.parametrize("change", ["content", "name", "mode", "input"])
def test_the_tag_of_an_image_changes_with_its_recipe(tmp_path: Path, change: str) -> None:
    recipe = tmp_path / "recipe"
    recipe.mkdir()
    (recipe / "Dockerfile").write_text("FROM scratch\n")
    before = images.recipe_hash(recipe, "base:1")
    assert images.recipe_hash(recipe, "base:1") == before
    base = "base:1"
    match change:
        case "content":
            (recipe / "Dockerfile").write_text("FROM scratch\nCMD x\n")
        case "name":
            (recipe / "Dockerfile").rename(recipe / "Containerfile")
        case "mode":
            (recipe / "Dockerfile").chmod(0o755)
        case "input":
            base = "base:2"
    assert images.recipe_hash(recipe, base) != before
