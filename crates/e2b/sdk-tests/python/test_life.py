"""The life of sandboxes as E2B's Python SDK leads it."""

import datetime
import urllib.request

import pytest
from e2b import (
    AuthenticationException,
    Sandbox,
    SandboxException,
    SandboxNotFoundException,
    SandboxQuery,
    SandboxState,
    Template,
)


def test_lists_are_filtered_by_metadata_and_come_in_pages(make, mark):
    made = [make(metadata={**mark, "number": str(number), "odd name": "a=b & ä"}) for number in range(3)]
    pages = Sandbox.list(query=SandboxQuery(metadata=mark), limit=2)
    first = pages.next_items()
    assert [info.sandbox_id for info in first] == [made[2].sandbox_id, made[1].sandbox_id]
    assert pages.has_next
    assert [info.sandbox_id for info in pages.next_items()] == [made[0].sandbox_id]
    assert not pages.has_next
    one = Sandbox.list(query=SandboxQuery(metadata={**mark, "number": "1", "odd name": "a=b & ä"}))
    assert [info.sandbox_id for info in one.next_items()] == [made[1].sandbox_id]
    assert one.next_token is None
    oldest = Sandbox.list(query=SandboxQuery(metadata=mark), order="asc").next_items()
    assert [info.sandbox_id for info in oldest] == [sandbox.sandbox_id for sandbox in made]


def test_a_paused_sandbox_keeps_its_processes_and_goes_on(make, mark):
    sandbox = make(metadata=mark)
    command = sandbox.commands.run("sleep 60", background=True)
    assert sandbox.pause() is True and sandbox.pause() is False
    assert not sandbox.is_running()
    paused = Sandbox.list(query=SandboxQuery(metadata=mark, state=[SandboxState.PAUSED])).next_items()
    assert [info.sandbox_id for info in paused] == [sandbox.sandbox_id]
    again = Sandbox.connect(sandbox.sandbox_id, timeout=60)
    assert again.is_running() and command.pid in [process.pid for process in again.commands.list()]


def test_a_pause_without_memory_keeps_the_files_alone(make):
    sandbox = make()
    sandbox.files.write("kept", "here")
    command = sandbox.commands.run("sleep 60", background=True)
    boot_id = "cat /proc/sys/kernel/random/boot_id"
    before = sandbox.commands.run(boot_id).stdout
    sandbox.pause(mode="filesystem")
    sandbox.connect(timeout=60)
    assert sandbox.files.read("kept") == "here"
    assert command.pid not in [process.pid for process in sandbox.commands.list()]
    assert sandbox.commands.run(boot_id).stdout != before


def test_the_end_is_moved(make):
    sandbox = make(timeout=60)

    def left():
        end = sandbox.get_info().end_at
        return (end - datetime.datetime.now(datetime.timezone.utc)).total_seconds()

    assert 50 < left() <= 60
    sandbox.set_timeout(600)
    assert 590 < left() <= 600
    Sandbox.connect(sandbox.sandbox_id, timeout=30)
    assert left() > 500


def test_a_killed_sandbox_is_gone_for_everybody(make):
    sandbox = make()
    assert sandbox.kill() is True and sandbox.kill() is False
    assert not sandbox.is_running()
    for attempt in (
        lambda: Sandbox.connect(sandbox.sandbox_id),
        lambda: Sandbox.get_info(sandbox.sandbox_id),
        lambda: Sandbox.set_timeout(sandbox.sandbox_id, 60),
        lambda: Sandbox.pause(sandbox.sandbox_id),
        lambda: sandbox.get_metrics(),
    ):
        with pytest.raises(SandboxNotFoundException):
            attempt()


def test_asking_twice_with_one_key_is_asking_once(make, mark):
    key = mark["mark"]
    assert make(idempotency_key=key).sandbox_id == make(idempotency_key=key).sandbox_id


def test_metrics_tell_what_is_used(sandbox):
    newest = sandbox.get_metrics()[-1]
    assert newest.cpu_count >= 1 and newest.mem_total > newest.mem_used > 0
    past = datetime.datetime.now() - datetime.timedelta(hours=2)
    assert sandbox.get_metrics(start=past, end=past + datetime.timedelta(hours=1)) == []


def test_a_snapshot_outlives_its_sandbox(make, mark):
    sandbox = make()
    sandbox.files.write("state", "as it was")
    snapshot = sandbox.create_snapshot(name=f"kept-{mark['mark']}")
    sandbox.files.write("state", "changed")
    found = sandbox.list_snapshots(name=f"kept-{mark['mark']}").next_items()
    assert [info.snapshot_id for info in found] == [snapshot.snapshot_id]
    sandbox.kill()
    copy = make(snapshot.snapshot_id)
    assert copy.files.read("state") == "as it was"
    assert Sandbox.delete_snapshot(snapshot.snapshot_id) is True
    assert Sandbox.delete_snapshot(snapshot.snapshot_id) is False


def test_forks_go_their_own_ways(make):
    sandbox = make()
    sandbox.files.write("state", "shared")
    forks = sandbox.fork(count=2, timeout=60)
    try:
        assert len({fork.sandbox_id for fork in forks} | {sandbox.sandbox_id}) == 3
        forks[0].files.write("state", "its own")
        assert [box.files.read("state") for box in (forks[1], sandbox)] == ["shared", "shared"]
    finally:
        for fork in forks:
            fork.kill()


def test_a_server_inside_is_reached_at_its_host(sandbox):
    sandbox.files.write("www/index.html", "served")
    sandbox.commands.run("python3 -m http.server 8000", cwd="/home/user/www", background=True)
    wait = "for i in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/8000) 2>/dev/null && exit 0; sleep 0.05; done; exit 1"
    sandbox.commands.run(wait)
    host = sandbox.get_host(8000)
    assert host.startswith(f"8000-{sandbox.sandbox_id}.")
    # Names below localhost are for browsers; here the port is what counts.
    request = urllib.request.Request(f"http://127.0.0.1:{host.rsplit(':', 1)[1]}/", headers={"Host": host})
    assert urllib.request.urlopen(request).read() == b"served"


def test_refusals_name_their_reason(make):
    with pytest.raises(AuthenticationException):
        Sandbox.create(api_key="e2b_" + "0" * 40)
    with pytest.raises(SandboxException, match="no-such-template"):
        make("no-such-template")
    with pytest.raises(SandboxException, match="docs/E2B.md"):
        make(network={"rules": {"a.example": [{"transform": {"headers": {"A": "b"}}}]}})


def test_the_base_template_is_there():
    assert Template.exists("base") is True
    assert Template.exists("no-such-template") is False


def test_the_network_is_closed_and_its_rules_are_told(make):
    sandbox = make(network={"deny_out": ["0.0.0.0/0"], "allow_out": ["api.example.com"]})
    assert sandbox.get_info().network["allow_out"] == ["api.example.com"]
    sandbox.update_network({"allow_out": ["other.example.com"], "deny_out": ["0.0.0.0/0"]})
    assert sandbox.get_info().network["allow_out"] == ["other.example.com"]
    reach = "curl --noproxy '*' -sS --max-time 3 http://127.0.0.1:1/ || (exec 3<>/dev/tcp/1.1.1.1/80) || echo closed"
    assert sandbox.commands.run(reach).stdout.endswith("closed\n")
