"""What the callback takes over from tasks."""

from __future__ import annotations

from types import SimpleNamespace

from ansible_collections.portside.vps.plugins.callback import summary
from ansible_collections.portside.vps.plugins.module_utils.status import board


def result(action, task, **values):
    named = SimpleNamespace(resolved_action=action, action=action, get_name=lambda: task)
    return SimpleNamespace(task=named, host=SimpleNamespace(name="web1"), result=values)


def test_a_task_that_failed_is_listed_by_status_whatever_its_result_says():
    callback = summary.CallbackModule()
    callback.v2_runner_on_ok(result("ansible.builtin.set_fact", "compared", ansible_facts={board.FACT: {}}))
    # As an assertion comes from ansible-core 2.19: without `failed`.
    callback.v2_runner_on_failed(result("ansible.builtin.assert", "No app got lost", msg="web1 serves `shop`"))
    (drift,) = callback._board.hosts["web1"]["drift"]
    assert (drift["name"], drift["what"]) == ("No app got lost", "web1 serves `shop`")
    assert callback._board.exit_status == 2
