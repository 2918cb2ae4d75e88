"""The table of all faults: what can happen to a cluster, and for how long its members may notice."""

from lab.faults.machines import crashes, cuts, disks, operations, streams
from lab.faults.machines.round import Fault

FAULTS: tuple[Fault, ...] = (
    Fault("room-server", "kill -9 a room server", 1, crashes.kill_server),
    Fault("leader", "kill -9 the machine that leads", 12, crashes.kill_leader),
    Fault("other", "kill -9 another machine", 2, crashes.kill_other),
    Fault("stop", "SIGSTOP the machine that leads for 10 s", 12, crashes.stop),
    Fault("partition", "1 of 3 cut off for 20 s, both ways", 12, cuts.both_ways, in_namespaces=True),
    Fault("one-way", "1 of 3 cut off for 20 s, one way", 12, cuts.one_way, in_namespaces=True),
    Fault("two-down", "two machines down, then back", 40, crashes.two_down),
    Fault("all", "kill -9 everything", 25, crashes.kill_all),
    Fault("power", "a power cut of all room servers", 25, disks.power_cut),
    Fault("full", "a full disk on each in turn, then freed", 12, disks.full, in_namespaces=True, has_disks=True),
    Fault("twice", "every entry published twice", 12, streams.twice),
    Fault("late", "entries that come again, or late", 12, streams.late),
    Fault("orphaned", "an entry of a server that is gone comes late", 12, streams.orphaned),
    Fault("changed", "a copy with a changed byte", 15, streams.changed),
    Fault("diverged", "a copy that is another one, and whole", 15, streams.diverged),
    Fault("cut", "a stream cut short", 120, streams.cut_short),
    Fault("poisoned", "a poisoned stream", 60, streams.poisoned),
    Fault("deleted", "a deleted stream", 60, streams.deleted),
    Fault("gone", "a server and its client gone for good", 12, crashes.gone_for_good),
    Fault("name", "one name claimed at three servers at once", 12, operations.one_name),
    Fault("rolling", "rolling restart of all three", 12, operations.rolling),
    Fault("upgrade", "the same, with a version that only the restarted ones know", 12, operations.upgrade),
    Fault("empty", "an empty data folder", 12, operations.empty),
)
