//! Each hazard of deferring calls, run by a small server in C: plain, with the library, and with a naive interposer that the test
//! has to catch.
//!
//! The servers are in `tests/victims/`; one that is named by no test here fails `every_hazard_is_tested`.

mod support;

use support::{Outcome, Preload, run, run_with};

/// The hazard is survived as by the plain program, and would be noticed.
fn holds(name: &str) {
    assert_eq!(
        run(name, Preload::None),
        Outcome::Right,
        "{name} without any library"
    );
    for executor in ["direct", "uring"] {
        let environment = [("ESCA_EXECUTOR", executor), ("ALARMS", support::alarms())];
        let ours = run_with(name, Preload::Ours, &environment);
        assert_eq!(ours, Outcome::Right, "{name} with executor {executor}");
    }
    let apart = run_with(name, Preload::Ours, &[("ESCA_PRELOAD_OPTIMISE", "off")]);
    assert_eq!(apart, Outcome::Right, "{name} without joining calls");
}

/// And the naive interposer does not.
fn catches(name: &str) {
    holds(name);
    assert_eq!(
        run(name, Preload::Naive),
        Outcome::Wrong,
        "{name}: the test does not notice a naive interposer"
    );
}

/// The plain program does worse: it sends what the file holds when the bytes leave.
fn betters(name: &str) {
    assert_eq!(run(name, Preload::Ours), Outcome::Right, "{name}");
    assert_eq!(
        run(name, Preload::Naive),
        Outcome::Wrong,
        "{name}: the test does not notice a naive interposer"
    );
}

/// Reads are left out, as it is where nothing is set and nothing has to be deferred.
fn leaves_out(name: &str) {
    holds(name);
    let learned = run_with(name, Preload::Ours, &[("ESCA_DEFER", "gainful")]);
    assert_eq!(learned, Outcome::Right, "{name} where what pays is learned");
}

macro_rules! hazards {
    ($($how:ident { $($test:ident = $name:literal;)* })*) => {
        $($(
            #[test]
            fn $test() {
                $how($name);
            }
        )*)*

        #[test]
        fn every_hazard_is_tested() {
            let tested = [$($($name),*),*];
            for name in support::names() {
                assert!(tested.contains(&name.as_str()), "{name} is tested by nothing");
            }
        }
    };
}

hazards! {
    catches {
        not_streams = "not-streams";
        blocking = "blocking";
        dup_orders = "dup-orders";
        reused_buffer = "reused-buffer";
        vectors_on_the_stack = "vectors-on-the-stack";
        slow_reader = "slow-reader";
        edge_triggered = "edge-triggered";
        header_then_file = "header-then-file";
        mixture = "mixture";
        close_and_reuse = "close-and-reuse";
        accept_reuses = "accept-reuses";
        dup2_over_queued = "dup2-over-queued";
        shutdown_then_close = "shutdown-then-close";
        close_then_use = "close-then-use";
        passed_on = "passed-on";
        fork = "fork";
        vfork = "vfork";
        exec = "exec";
        system = "system";
        exit = "exit";
        thread_closes = "thread-closes";
        threads_take_turns = "threads-take-turns";
        many_threads = "many-threads";
        kill_leaves_a_prefix = "kill-leaves-a-prefix";
        alarms = "alarms";
        jumped_out_of = "jumped-out-of";
        errno = "errno";
        reset = "reset";
        never_read = "never-read";
        flags = "flags";
        bad_pointer = "bad-pointer";
        computes = "computes";
        computes_often = "computes-often";
        nanosleep = "nanosleep";
        poll = "poll";
        select = "select";
        read_a_pipe = "read-a-pipe";
        condition = "condition";
        semaphore = "semaphore";
        lock = "lock";
    }
    betters {
        file_is_cut = "file-is-cut";
    }
    // Here even a naive interposer does no harm, or none that is its own.
    holds {
        daemon = "daemon";
        thread_ends = "thread-ends";
        exec_fails = "exec-fails";
        reset_is_read = "reset-is-read";
    }
    leaves_out {
        read_arrives_late = "read-arrives-late";
        read_ends_late = "read-ends-late";
        read_resets_late = "read-resets-late";
        read_spins = "read-spins";
        read_on_edges = "read-on-edges";
        read_once = "read-once";
        read_by_poll = "read-by-poll";
        read_from_itself = "read-from-itself";
        read_otherwise = "read-otherwise";
        read_by_two = "read-by-two";
    }
}

/// What pays is learned, as it is where nothing is set: calls are now deferred and now not.
#[test]
fn what_pays_is_learned() {
    let names = [
        "header-then-file",
        "mixture",
        "slow-reader",
        "close-and-reuse",
        "shutdown-then-close",
        "threads-take-turns",
        "fork",
        "alarms",
        "computes-often",
    ];
    for name in names {
        let environment = [("ESCA_DEFER", "gainful"), ("ALARMS", "20000")];
        let learned = run_with(name, Preload::Ours, &environment);
        assert_eq!(learned, Outcome::Right, "{name} where what pays is learned");
    }
}

/// What the tests of reads hold is not held because every call is made.
#[test]
fn reads_are_left_out() {
    let environment = [("ESCA_DEFER", "gainful"), ("ESCA_STATS", "1")];
    for (name, some) in [
        ("read-arrives-late", true),
        ("read-spins", true),
        ("read-on-edges", false),
        ("read-once", false),
        ("read-by-poll", false),
        ("read-from-itself", false),
        ("read-otherwise", false),
        ("read-by-two", false),
    ] {
        let said = support::said(name, Preload::Ours, &environment);
        let words: Vec<&str> = said.split_whitespace().collect();
        let counts = words.windows(2).filter(|pair| pair[0] == "unread");
        let unread: u64 = counts.filter_map(|pair| pair[1].parse::<u64>().ok()).sum();
        assert_eq!(unread > 0, some, "{name} has left {unread} reads out: {said}");
    }
}

/// Switched off, the library changes nothing at all.
#[test]
fn off_is_off() {
    for name in ["reused-buffer", "mixture", "computes"] {
        let off = run_with(name, Preload::Ours, &[("ESCA_PRELOAD", "off")]);
        assert_eq!(off, Outcome::Right, "{name} with the library switched off");
    }
}
