"""Jobs that run before a release, and what becomes of them."""

from __future__ import annotations


def test_a_job_runs_with_the_new_image_environment_and_volumes_before_the_release(server, vps, apps):
    apps["shop"]["image"] = server.image("2")
    apps["shop"]["env"] = {"STEP": "migrated"}
    apps["shop"]["before"] = ["sh -c 'echo $PROBE_VERSION $STEP ${#STRIPE_WEBHOOK_SECRET} > /data/done'"]
    server.deploy(apps)
    done = vps.check_output("docker exec %s cat /data/done", server.live("shop")["container"])
    assert done == f"2 migrated {len('whsec_0123456789_only_for_this_lab')}"
    assert "before" not in vps.check_output("docker ps --all --format '{{.Names}}'")


def test_a_failing_migration_leaves_the_old_release_serving_and_shows_its_log(server, vps, apps):
    before = server.live("shop")
    apps["shop"]["image"] = server.image("2")
    apps["shop"]["before"] = ["sh -c 'echo no such column; exit 4'"]
    said = server.refused(apps)
    assert "ended with exit status 4" in said
    assert "no such column" in said
    assert f"Release {before['number']} goes on serving" in said
    assert server.live("shop") == before
    assert server.ask("shop")[1]["version"] == "1"
    held = server.deploy(apps, retry=[]).app("shop")
    assert held["action"] == "held"
    assert "ended with exit status 4" in held["notice"]
    assert server.release(apps).status == 1


def test_a_migration_that_a_killed_run_left_behind_is_done_before_the_next(server, vps, apps):
    """The run dies while the job runs: the job comes to its end, and is not run beside another."""
    apps = {"shop": apps["shop"]}
    apps["shop"]["env"] = {"STEP": "killed"}
    apps["shop"]["before"] = ["sh -c 'echo begin >> /data/log; sleep 6; echo end >> /data/log'"]
    vps.run("docker exec %s rm -f /data/log", server.live("shop")["container"])
    for step in range(1, 12):
        cut = server.release(apps, kill_at=step, only=["shop"])
        left = vps.check_output("docker ps --filter label=portside.job --format '{{.Names}}'")
        if left:
            break
    assert (cut.status, left) != (0, ""), "no run was cut off while the job ran"
    assert server.ask("shop")[0] == 200
    server.deploy(apps, only=["shop"])
    lines = vps.check_output("docker exec %s cat /data/log", server.live("shop")["container"]).split()
    assert lines[-4:] == ["begin", "end", "begin", "end"]
