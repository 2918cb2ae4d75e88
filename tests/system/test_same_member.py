"""Two clients of one user: it is said that they are the same member, where that may be a surprise."""

from __future__ import annotations

from tests.system.support import Machine

SAYS = "you are here as {name} already: this is one more session of the same member; to be another, say pyrochat NAME"


def test_found_33_a_second_run_under_the_login_name_says_that_it_is_the_same_member(machine: Machine) -> None:
    first = machine.start("pyrochat", "--plain", env={"LOGNAME": "root"})
    first.wait_error("joined room lobby as root")
    second = machine.start("pyrochat", "--plain", env={"LOGNAME": "root"})
    second.wait_error(SAYS.format(name="root"))
    named = machine.client("root", program="pyrochat")  # who says a name knows it
    other = machine.client("Ana", program="pyrochat")
    for process in (named, other, second):
        assert process.finish() == 0, str(process)
    assert not any("already" in line for process in (first, named, other) for line in process.errors)
    again = machine.start("pyrochat", "--plain", env={"LOGNAME": "root"})
    again.wait_error("already")
    assert again.finish() == 0
    assert first.finish() == 0, str(first)
