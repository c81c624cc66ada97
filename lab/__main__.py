"""Command line of the lab: `python -m lab up|down|status|inventory|ssh|reboot`."""

import argparse
import os
import sys
from collections.abc import Sequence

from lab import engine, images, lifecycle, ssh
from lab.errors import LabError
from lab.identity import Lab
from lab.releases import DEFAULT_HOSTS, RELEASES, parse_hosts
from lab.services import AcmeOptions


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m lab", description="Disposable servers on this machine.")
    commands = top.add_subparsers(dest="command", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--lab", default="dev", type=_lab, help="name of the lab (default: dev)")
        return sub

    up = command("up", "start a lab, or add hosts to it")
    up.add_argument(
        "--hosts",
        default=DEFAULT_HOSTS,
        help=f"comma-separated: a release ({', '.join(RELEASES)}) or NAME=RELEASE (default: {DEFAULT_HOSTS})",
    )
    up.add_argument(
        "--acme-env",
        action="append",
        default=[],
        metavar="PEBBLE_NAME=VALUE",
        help="a switch of the ACME server, e.g. PEBBLE_WFE_NONCEREJECT=50 (PEBBLE_VA_NOSLEEP=1 is set unless given)",
    )
    up.add_argument("--acme-validity", type=int, default=AcmeOptions.validity, help="certificate lifetime in seconds")
    down = command("down", "remove a lab")
    down.add_argument(
        "--all", action="store_true", help="every lab of this checkout, and the engine if a lab started it"
    )
    down.add_argument("--images", action="store_true", help="remove the images too (the next start makes them again)")
    command("status", "show what runs")
    command("inventory", "print the path of the inventory")
    reboot = command("reboot", "reboot a host and wait for it")
    reboot.add_argument("--power-cut", action="store_true", help="without stopping anything first")
    reboot.add_argument("host")
    login = command("ssh", "log in to a host, or run a command there")
    login.add_argument("host")
    login.add_argument("argv", nargs=argparse.REMAINDER, metavar="command")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 1 when it can't be done, with the reason on standard error."""
    arguments = parser().parse_args(argv)
    try:
        return _run(arguments)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _lab(name: str) -> Lab:
    try:
        return Lab(name)
    except LabError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _run(arguments: argparse.Namespace) -> int:
    lab: Lab = arguments.lab
    inventory = lab.state / lifecycle.INVENTORY
    match arguments.command:
        case "up":
            switches = dict(AcmeOptions().environment) | dict(_switch(item) for item in arguments.acme_env)
            options = AcmeOptions(tuple(sorted(switches.items())), arguments.acme_validity)
            lifecycle.up(lab, parse_hosts(arguments.hosts), options)
            print(inventory)
        case "down":
            for each in lifecycle.labs() if arguments.all else [lab]:
                lifecycle.down(each)
            found = engine.connect()
            if arguments.images and found is not None:
                images.remove_images(found)
            if arguments.all:
                engine.stop_if_ours()
        case "status":
            for each in lifecycle.labs():
                for host, address, state in lifecycle.status(each):
                    print(f"{each.name:20} {host:16} {address:16} {state}")
        case "inventory":
            if not inventory.exists():
                raise LabError(f"lab {lab.name!r} is not up: python -m lab up --lab {lab.name}")
            print(inventory)
        case "reboot":
            lifecycle.reboot(lab, arguments.host, power_cut=arguments.power_cut)
        case "ssh":
            command = ssh.command(lab, arguments.host, *arguments.argv)
            os.execvp(command[0], command)
    return 0


def _switch(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name.startswith("PEBBLE_"):
        raise LabError(f"--acme-env {text!r}: write PEBBLE_NAME=VALUE")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
