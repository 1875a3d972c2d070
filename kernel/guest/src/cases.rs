//! The cases, by what they are about.

mod basics;
mod closing;
mod failing;
mod hostile;
pub(crate) mod identity;
mod lifetime;
mod random;
mod signals;
mod threads;
mod watched;

use crate::Options;

/// How a case ended that did not fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Passed {
    /// It passed.
    Yes,
    /// It could not run, for want of an option.
    Ignored,
}

/// A name, and what is run under it.
pub(crate) type Case = (&'static str, fn(&Options) -> Passed);

/// A list of cases, by module.
macro_rules! cases {
    ($(#[$about:meta])+ $list:ident: $($module:ident { $($(#[$when:meta])? $name:ident,)+ })+) => {
        $(#[$about])+
        pub(crate) const $list: &[Case] = &[$($($(#[$when])? (
            concat!(stringify!($module), "::", stringify!($name)),
            |options| $module::$name(options).into(),
        ),)+)+];
    };
}

impl From<()> for Passed {
    fn from((): ()) -> Self {
        Self::Yes
    }
}

cases! {
    /// For a kernel in which allocations can be made to fail.
    FAILING:
    failing {
        an_open_fails_cleanly,
        a_setup_fails_cleanly,
        a_mapping_fails_cleanly,
        entries_fail_one_by_one,
        a_query_fails_cleanly,
    }
    lifetime {
        the_kernel_has_not_complained,
    }
}

cases! {
    /// Every other case, in the order in which they run.
    CASES:
    basics {
        the_module_runs_every_call_of_the_list,
        one_entry_runs,
        results_come_back_entry_by_entry,
        numbers_off_the_list_are_refused,
        bad_capacities_and_ranges_are_refused,
        a_full_table_runs_in_one_flush,
        a_batch_runs_over_the_end_of_the_table,
        entries_that_are_not_ready_are_left_alone,
        unknown_flags_fail_the_entry,
        a_failure_cancels_the_rest_of_its_chain,
        a_short_write_cancels_the_rest_of_its_chain,
        the_header_is_not_trusted,
        stats_count,
        bad_arguments_fail_as_in_plain_calls,
    }
    identity {
        a_forked_child_is_refused,
        a_forked_child_does_not_have_the_table,
        another_program_is_refused,
        dropped_privileges_count_for_each_call,
        mappings_of_the_wrong_kind_are_refused,
    }
    signals {
        an_interrupted_wait_stays_ready_with_sa_restart,
        an_interrupted_wait_stays_ready_without_sa_restart,
        finished_entries_count_before_an_interrupted_one,
        a_signal_of_an_entry_is_handled_before_the_next,
        a_storm_of_signals_loses_nothing,
        the_signal_mask_of_epoll_pwait_holds_until_the_handler_ran,
    }
    closing {
        a_batch_may_close_its_own_device,
        the_last_reference_may_go_in_a_batch,
        a_peer_sees_the_end_at_once_though_epoll_waits_behind,
        a_peer_sees_the_end_at_once_though_a_read_waits_behind,
        calls_that_do_not_wait_follow_a_close,
        a_duplicate_keeps_the_file_open,
        a_wait_at_the_end_is_one_flush,
        a_flush_ends_behind_epoll_pwait,
    }
    threads {
        another_thread_may_flush,
        threads_that_race_run_each_entry_once,
        a_table_in_use_is_busy,
        each_thread_has_a_table_of_its_own,
        only_one_setup_wins,
    }
    watched {
        a_task_under_seccomp_is_refused,
        a_filter_from_a_sibling_counts_in_mid_batch,
        a_task_with_a_tracer_is_refused_until_it_leaves,
        a_task_whose_calls_are_traced_is_refused,
        #[cfg(target_arch = "x86_64")]
        a_task_with_user_dispatch_is_refused,
        a_task_is_refused_while_calls_have_tracepoints,
        an_audited_task_is_refused,
    }
    lifetime {
        a_killed_waiter_leaves_nothing,
        a_killed_runner_leaves_nothing,
        a_module_in_use_is_not_unloaded,
        a_module_is_unloaded_and_loaded_again,
        tables_without_a_mapping_leave_no_page,
        many_tables_leave_no_page,
    }
    random {
        batches_give_what_plain_calls_give,
    }
    hostile {
        a_writer_on_the_shared_table_changes_nothing_for_the_kernel,
        a_writer_that_swaps_numbers_reaches_no_other_call,
    }
    lifetime {
        the_kernel_has_not_complained,
    }
}
