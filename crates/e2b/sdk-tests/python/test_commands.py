"""Commands as E2B's Python SDK runs them."""

import threading

import pytest
from e2b import (
    AuthenticationException,
    CommandExitException,
    InvalidArgumentException,
    NotFoundException,
    PtySize,
    Sandbox,
    TimeoutException,
)


def test_output_comes_while_the_command_runs(sandbox):
    pieces, errors = [], []
    result = sandbox.commands.run(
        "for i in 1 2 3; do echo out $i; echo err $i >&2; sleep 0.05; done",
        on_stdout=pieces.append,
        on_stderr=errors.append,
    )
    assert result.stdout == "out 1\nout 2\nout 3\n" and "".join(pieces) == result.stdout
    assert result.stderr == "err 1\nerr 2\nerr 3\n" and "".join(errors) == result.stderr
    assert len(pieces) >= 2


def test_a_failure_tells_its_code_and_its_output(sandbox):
    with pytest.raises(CommandExitException) as failed:
        sandbox.commands.run("echo before; echo why >&2; exit 7")
    error = failed.value
    assert (error.exit_code, error.stdout, error.stderr) == (7, "before\n", "why\n")
    assert error.error == "exit status 7"


def test_large_output_is_whole(sandbox):
    result = sandbox.commands.run("seq 1 200000")
    assert result.stdout == "".join(f"{number}\n" for number in range(1, 200001))


def test_environment_and_directory_are_the_commands_own(make):
    sandbox = make(envs={"SHARED": "of the sandbox", "BOTH": "sandbox"})
    run = sandbox.commands.run
    assert run("echo $SHARED/$BOTH", envs={"BOTH": "command"}).stdout == "of the sandbox/command\n"
    assert run("echo $BOTH").stdout == "sandbox\n"
    assert run("pwd").stdout == "/home/user\n"
    assert run("pwd", cwd="/tmp").stdout == "/tmp\n"
    with pytest.raises(InvalidArgumentException):
        run("pwd", cwd="/no/such/folder")


def test_the_user_is_chosen_and_an_unknown_one_refused(sandbox):
    run = sandbox.commands.run
    assert run("whoami; echo $HOME").stdout == "user\n/home/user\n"
    assert run("whoami; pwd", user="root").stdout == "root\n/root\n"
    with pytest.raises(AuthenticationException):
        run("true", user="nobody-we-know")


def test_input_reaches_a_command_until_it_is_closed(sandbox):
    command = sandbox.commands.run("cat; echo end", background=True, stdin=True)
    sandbox.commands.send_stdin(command.pid, "one\n")
    command.send_stdin("zwei ä\n")
    sandbox.commands.stream_input(command.pid, [f"{number}\n" for number in range(100)])
    command.close_stdin()
    expected = "one\nzwei ä\n" + "".join(f"{number}\n" for number in range(100)) + "end\n"
    assert command.wait().stdout == expected


def test_a_background_command_is_listed_found_again_and_killed(sandbox):
    command = sandbox.commands.run("echo started; sleep 60", background=True)
    listed = {process.pid: process for process in sandbox.commands.list()}
    assert listed[command.pid].args[-1] == "echo started; sleep 60"
    command.disconnect()
    again = sandbox.commands.connect(command.pid)
    assert sandbox.commands.kill(command.pid) is True
    with pytest.raises(CommandExitException) as killed:
        again.wait()
    assert killed.value.exit_code == -1 and "killed" in killed.value.error
    assert sandbox.commands.kill(command.pid) is False
    with pytest.raises(NotFoundException):
        sandbox.commands.connect(command.pid)


def test_a_command_ends_with_its_time(sandbox):
    with pytest.raises(TimeoutException):
        sandbox.commands.run("echo $$ >pid; exec sleep 60", timeout=1)
    gone = "for i in $(seq 100); do kill -0 $(cat pid) 2>/dev/null || exit 0; sleep 0.05; done; exit 1"
    assert sandbox.commands.run(gone).exit_code == 0


def test_a_terminal_has_its_size_and_takes_input(sandbox):
    terminal = sandbox.pty.create(PtySize(rows=20, cols=100), envs={"PS1": ""})
    sandbox.pty.send_stdin(terminal.pid, b"stty size\n")
    sandbox.pty.resize(terminal.pid, PtySize(rows=30, cols=120))
    sandbox.pty.send_stdin(terminal.pid, b"sleep 0.1; stty size; echo $TERM; exit 3\n")
    shown = []
    with pytest.raises(CommandExitException) as ended:
        terminal.wait(on_pty=shown.append)
    text = b"".join(shown).decode()
    assert ended.value.exit_code == 3
    assert "30 120" in text and "xterm-256color" in text


def test_killing_the_sandbox_ends_its_commands_with_the_reason(make):
    sandbox = make()
    command = sandbox.commands.run("sleep 60", background=True)
    threading.Timer(0.2, sandbox.kill).start()
    with pytest.raises(TimeoutException, match="killed or reached its end of life"):
        command.wait()
    with pytest.raises(TimeoutException):
        sandbox.commands.run("true")


def test_a_sandbox_is_reached_with_its_own_token_alone(make):
    one, other = make(), make()
    one.connection_config._ConnectionConfig__extra_sandbox_headers["E2b-Sandbox-Id"] = other.sandbox_id
    stolen = Sandbox(
        sandbox_id=other.sandbox_id,
        sandbox_domain=None,
        envd_version=one._envd_version,
        envd_access_token=one._envd_access_token,
        traffic_access_token=None,
        connection_config=one.connection_config,
    )
    with pytest.raises(AuthenticationException):
        stolen.commands.run("true")
