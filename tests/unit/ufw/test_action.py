"""The controller's half of ufw_policy, with a module and connections that only pretend."""

from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.portside.vps.plugins.action import ufw_policy

POLICY, CONFIRM = "portside.vps.ufw_policy", "portside.vps.ufw_confirm"
KEPT = {"changed": True, "kept": True, "superseded": False}


class Clock:
    """Time that passes only where somebody waits."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def action(monkeypatch):
    """An action plugin whose module calls return `answers[name]` and whose new connections do as `connections` say."""
    plugin = ufw_policy.ActionModule.__new__(ufw_policy.ActionModule)
    clock = Clock()
    plugin.calls, plugin.opened, plugin.clock = [], [], clock
    plugin.answers = {POLICY: {"changed": True, "unconfirmed": True, "change": "c1"}, CONFIRM: KEPT}
    plugin.connections = [(0, "")]
    plugin._task = SimpleNamespace(args={"confirm_timeout": 30})
    plugin._play_context = None
    plugin._connection = SimpleNamespace(
        ansible_name="ansible.builtin.ssh", get_options=lambda: {"ssh_args": "-C -o ControlPersist=60s", "timeout": 60}
    )

    def execute(module_name, module_args=None, task_vars=None):
        plugin.calls.append((module_name, *(module_args or {}).values()))
        answer = plugin.answers[module_name]
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    def connect(_name, _context):
        def run(*_words, **_options):
            clock.now += 1
            answer = plugin.connections.pop(0) if len(plugin.connections) > 1 else plugin.connections[0]
            if isinstance(answer, Exception):
                raise answer
            return answer[0], b"", answer[1].encode()

        def note(direct):
            plugin.opened.append(direct)

        return SimpleNamespace(set_options=note, exec_command=run)

    plugin._execute_module = execute
    monkeypatch.setattr(ufw_policy, "connection_loader", SimpleNamespace(get=connect))
    monkeypatch.setattr(ufw_policy.ActionBase, "run", lambda *_arguments: {})
    monkeypatch.setattr(ufw_policy, "time", clock)
    return plugin


@pytest.mark.parametrize(
    "answer", [{"changed": False, "unconfirmed": False}, {"failed": True, "msg": "no"}, {"changed": True}]
)
def test_nothing_to_confirm_is_one_call(action, answer):
    action.answers[POLICY] = answer
    assert action.run() == answer
    assert action.calls == [(POLICY,)]
    assert not action.opened


def test_a_change_is_confirmed_after_a_new_connection(action):
    result = action.run()
    assert result["confirmed_by"] == "a new ssh connection"
    assert not result["unconfirmed"]
    assert action.calls == [(POLICY,), (CONFIRM, "c1")]
    [options] = action.opened
    assert options["ssh_args"].startswith("-o ControlMaster=no -o ControlPath=none ")
    assert options["ssh_args"].endswith("-C -o ControlPersist=60s")


def test_a_connection_that_comes_late_is_in_time(action):
    action.connections = [AnsibleConnectionFailure("timed out"), (255, "refused"), (0, "")]
    assert action.run()["confirmed_by"] == "a new ssh connection"
    assert len(action.opened) == 3


def test_no_new_connection_is_a_failure_after_the_change_was_taken_back(action):
    action.connections = [*[AnsibleConnectionFailure("timed out")] * 13, (0, "")]
    result = action.run()
    assert result["failed"]
    assert not result["changed"]
    assert "shut ssh out: timed out" in result["msg"]
    assert "took the change back after 30 s and answers new connections as before" in result["msg"]
    assert action.calls == [(POLICY,), (CONFIRM, "taken_back")]
    assert action.clock.now - 1000 >= 30


def test_a_host_that_stays_silent_is_said_to(action):
    action.connections = [AnsibleConnectionFailure("timed out")]
    assert "takes the change back 30 s after it was made, but: timed out" in action.run()["msg"]


def test_a_connection_that_breaks_during_the_change_is_waited_for(action):
    action.answers[POLICY] = AnsibleConnectionFailure("broken pipe")
    result = action.run()
    assert "the connection broke while the firewall changed (broken pipe)" in result["msg"]
    assert action.calls == [(POLICY,), (CONFIRM, "taken_back")]


def test_another_connection_than_ssh_is_confirmed_over_itself_and_said_so(action):
    action._connection.ansible_name = "ansible.builtin.local"
    result = action.run()
    assert result["confirmed_by"] == "the same connection (ansible.builtin.local); no new one was tried"
    assert action.calls == [(POLICY,), (CONFIRM, "c1")]


def test_a_confirmation_that_comes_too_late_fails(action):
    action.answers[CONFIRM] = {"failed": True, "msg": "the revert timer has run"}
    result = action.run()
    assert result["failed"]
    assert result["msg"] == "the revert timer has run"


def test_a_change_that_another_run_has_gone_on_from_is_left_to_that_run(action):
    action.answers[CONFIRM] = {"changed": False, "kept": False, "superseded": True}
    result = action.run()
    assert not result.get("failed")
    assert result["unconfirmed"]
    assert "another run has changed more since" in result["confirmed_by"]


def test_a_change_that_another_run_has_confirmed_is_confirmed(action):
    action.answers[CONFIRM] = {"changed": False, "kept": True, "superseded": False}
    result = action.run()
    assert not result.get("failed")
    assert not result["unconfirmed"]
    assert result["confirmed_by"] == "another run, at the same time"
