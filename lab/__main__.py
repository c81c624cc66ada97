"""Command line of the lab: `python -m lab up|down|demo|build-app|status|inventory|ssh|reboot`."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

import docker.errors

from lab import app, demo, engine, images, lifecycle, ssh
from lab.errors import LabError
from lab.identity import Lab
from lab.releases import DEFAULT_HOSTS, RELEASES, parse_hosts
from lab.services import AcmeOptions


def parser() -> argparse.ArgumentParser:
    """The command line; `run` of its result is the function that does what was asked."""
    top = argparse.ArgumentParser(prog="python -m lab", description="Disposable servers on this machine.")
    commands = top.add_subparsers(required=True)

    def command(
        name: str, run: Callable[[argparse.Namespace], None], text: str, lab: str = "dev"
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--lab", default=lab, type=_lab, help=f"name of the lab (default: {lab})")
        sub.set_defaults(run=run)
        return sub

    up = command("up", _up, "start a lab, or add hosts to it")
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
    up.add_argument("--app", action="store_true", help="build the example application and put it into the registry")
    down = command("down", _down, "remove a lab")
    down.add_argument(
        "--all", action="store_true", help="every lab of this checkout, and the engine if a lab started it"
    )
    down.add_argument("--images", action="store_true", help="remove the images too (the next start makes them again)")
    command("build-app", _build_app, "build the example application and put it into the lab's registry")
    show = command("demo", _demo, "the whole of Portside on a bare server, proved from outside", lab="demo")
    show.add_argument("--release", choices=sorted(RELEASES), default="debian13", help="(default: debian13)")
    command("status", _status, "show what runs")
    command("inventory", _inventory, "print the path of the inventory")
    reboot = command("reboot", _reboot, "reboot a host and wait for it")
    reboot.add_argument("--power-cut", action="store_true", help="without stopping anything first")
    reboot.add_argument("host")
    login = command("ssh", _ssh, "log in to a host, or run a command there")
    login.add_argument("host")
    login.add_argument("argv", nargs=argparse.REMAINDER, metavar="command")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 1 when it can't be done, with the reason on standard error."""
    arguments = parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except docker.errors.DockerException as error:
        print(f"lab: the Docker engine refused: {error}", file=sys.stderr)
        return 1
    return 0


def _up(arguments: argparse.Namespace) -> None:
    switches = dict(AcmeOptions().environment) | dict(_switch(item) for item in arguments.acme_env)
    options = AcmeOptions(tuple(sorted(switches.items())), arguments.acme_validity)
    lifecycle.up(arguments.lab, parse_hosts(arguments.hosts), options)
    if arguments.app:
        app.publish(arguments.lab)
    _inventory(arguments)


def _down(arguments: argparse.Namespace) -> None:
    for lab in lifecycle.labs() if arguments.all else [arguments.lab]:
        lifecycle.down(lab)
    found = engine.connect()
    if arguments.images and found is not None:
        images.remove_images(found)
    if arguments.all:
        engine.stop_if_ours()
        lifecycle.clean_up()


def _build_app(arguments: argparse.Namespace) -> None:
    app.publish(arguments.lab)


def _demo(arguments: argparse.Namespace) -> None:
    if not demo.demo(arguments.lab, arguments.release):
        raise LabError("not everything held: see NOT above")


def _status(_arguments: argparse.Namespace) -> None:
    for lab in lifecycle.labs():
        for host, address, state in lifecycle.status(lab):
            print(f"{lab.name:24} {host:16} {address:16} {state}")


def _inventory(arguments: argparse.Namespace) -> None:
    path = arguments.lab.state / lifecycle.INVENTORY
    if not path.exists():
        raise LabError(f"lab {arguments.lab.name!r} is not up: python -m lab up --lab {arguments.lab.name}")
    print(path)


def _reboot(arguments: argparse.Namespace) -> None:
    lifecycle.reboot(arguments.lab, arguments.host, power_cut=arguments.power_cut)


def _ssh(arguments: argparse.Namespace) -> None:
    command = ssh.command(arguments.lab, arguments.host, *arguments.argv)
    os.execvp(command[0], command)


def _lab(name: str) -> Lab:
    try:
        return Lab(name)
    except LabError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _switch(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name.startswith("PEBBLE_"):
        raise LabError(f"--acme-env {text!r}: write PEBBLE_NAME=VALUE")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
