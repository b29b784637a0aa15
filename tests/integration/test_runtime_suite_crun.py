# SPDX-License-Identifier: LGPL-2.1-or-later
"""What crun's test suite and its users expect of a runtime, where no other test of ours says it."""
import bundle
from bundle import Bundle, rt


def setup():
    bundle.start_tests()


def teardown():
    bundle.end_tests()


def test_what_is_wrong_with_an_id():
    for cid, text in (("this/is/wrong", 'invalid character "/"'), ("a b", 'invalid character " "'), (".hidden", "invalid container ID format"), ("..", "invalid")):
        r = rt("run", "--bundle", Bundle("true").save().path, cid, check=1)
        assert text in r.err and "invalid container ID" in r.err, r


def test_domainname_by_two_ways_has_one_value():
    b = Bundle("cat", "/proc/sys/kernel/domainname")
    b.config["domainname"] = "here.example"
    b.linux["sysctl"] = {"kernel.domainname": "here.example"}
    assert b.run().out == "here.example\n"
    for key in ("kernel.domainname", "kernel/domainname"):
        b.linux["sysctl"] = {key: "there.example"}
        b.fails("conflicts with domainname")
    del b.config["domainname"]
    assert b.run().out == "there.example\n"


def test_what_is_wrong_with_a_deadline():
    good = {"policy": "SCHED_DEADLINE", "runtime": 10000000, "deadline": 20000000, "period": 20000000}
    for change, text in (({"runtime": None}, "requires `runtime`"), ({"deadline": None}, "requires `deadline`"), ({"runtime": 0}, "runtime must be greater than 0"),
                         ({"runtime": 1023}, "runtime 1023 must be between 1024 and "), ({"runtime": 2 ** 63 + 1, "deadline": 2 ** 63 + 2}, "runtime 9223372036854775809 must be between"),
                         ({"runtime": 30000000}, "runtime 30000000 must be <= deadline 20000000"), ({"deadline": 30000000}, "deadline 30000000 must be <= period 20000000"),
                         ({"period": -1}, "process.scheduler.period")):
        b = Bundle("true")
        b.process["scheduler"] = {k: v for k, v in dict(good, **change).items() if v is not None}
        assert text in b.run(check=1).err, text


def test_numbers_as_arguments():
    b = Bundle("echo", "a", 7, 2 ** 40)
    assert b.run().out == "a 7 1099511627776\n"
    b.process["args"] = ["echo", 1.5]
    b.fails("process.args")


def test_scope_of_a_container():
    b = Bundle("sleep", "100")
    b.options = ("--systemd-cgroup",)
    b.linux["cgroupsPath"] = "system.slice:suite:" + b.id
    b.create().start()
    assert b.state()["systemd-scope"] == "suite-%s.scope" % b.id
    b.delete()
    b = Bundle("sleep", "100").create()
    assert "systemd-scope" not in b.state()
    b.delete()


def test_unified_names_what_is_not_there():
    for name, text in (("nosuch.max", "the requested cgroup controller `nosuch` is not available"),
                       ("NOT-A-KEY", "the specified key has not the form CONTROLLER.VALUE `NOT-A-KEY`")):
        b = Bundle("true")
        b.linux["resources"] = {"unified": {name: "1"}}
        b.fails(text)


def test_a_failing_poststop_hook_is_told():
    b = Bundle("true")
    b.config["hooks"] = {"poststop": [{"path": "/bin/sh", "args": ["sh", "-c", "exit 9"]}, {"path": "/bin/false"}]}
    r = b.run()
    assert "poststop hook failed with exit code 9" in r.err and "poststop hook failed with exit code 1" in r.err, r
