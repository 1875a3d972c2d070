//! The cases, by what they are about.

pub(crate) mod basics;
pub(crate) mod identity;

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

/// A case that needs no options.
macro_rules! cases {
    ($($module:ident { $($name:ident,)+ })+) => {
        /// Every case, in the order in which they run.
        pub(crate) const CASES: &[Case] = &[$($((
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
}
