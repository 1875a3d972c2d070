//! One suite for every executor: each test takes the executor as an argument, and one macro line below runs all of them
//! over one more.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use esca_sys::{Direct, Errno, Uring};

mod calls;
mod chains;
mod errors;
#[cfg(esca_guest)]
mod module;
mod order;
mod random;
mod support;
mod table;
mod tcp;
mod waiting;

macro_rules! conformance {
    ($executor:ident, $make:expr) => {
        mod $executor {
            use super::*;
            conformance! { @tests $make;
                order::sends_on_one_file_keep_their_order
                order::files_do_not_wait_for_each_other
                order::completions_come_in_the_order_of_submission
                errors::a_short_send_says_how_short
                errors::a_full_socket_says_so
                errors::a_bad_descriptor_fails_alone
                errors::a_number_is_bad_behind_its_close
                errors::a_bad_pointer_fails_alone
                errors::an_unknown_call_fails_alone
                errors::a_result_has_all_its_bits
                errors::a_late_reset_is_reported_by_the_entry_that_met_it
                chains::a_failure_cancels_the_rest_of_its_chain_only
                chains::a_short_send_cancels_the_rest
                chains::a_complete_chain_runs_to_its_end
                chains::a_chain_goes_on_across_a_full_table
                chains::a_chain_ends_at_a_flush
                table::a_full_table_flushes_itself
                table::completions_that_nobody_takes_are_kept
                table::buffers_come_back
                table::closed_once_and_never_leaked
                table::dropping_acts_on_nothing
                calls::sendfile_reads_at_its_own_offset
                calls::gathered_buffers_go_out_whole
                calls::receiving_fills_the_spare_capacity
                calls::a_connection_is_accepted_watched_and_shut_down
                calls::splice_moves_between_file_and_pipe
                calls::a_blocking_entry_ends_its_batch
                tcp::pipelined_answers_arrive_in_order
                tcp::header_and_file_arrive_in_order
                tcp::a_successor_that_fails_leaves_nothing_held_back
                tcp::a_full_socket_splits_exactly
                tcp::a_reset_meets_one_entry
                tcp::cork_pairs_keep_their_meaning
                tcp::mixed_batches_keep_every_stream
                tcp::a_duplicate_is_the_same_stream
                tcp::a_cork_of_the_program_stays
                tcp::datagrams_keep_their_boundaries
                waiting::a_socket_that_waits_takes_everything
                waiting::a_read_waits_for_what_comes_later
                waiting::sigpipe_is_raised_as_by_plain_calls
                waiting::sigpipe_is_raised_for_each_send_that_was_merged
                waiting::a_close_is_seen_by_the_wait_behind_it
                waiting::a_signal_ends_a_wait_as_in_a_plain_call
                random::batches_equal_plain_calls
            }
        }
    };
    (@tests $make:expr; $($module:ident :: $test:ident)+) => {
        $(
            #[test]
            fn $test() {
                // One for all: what makes it is part of the test, too.
                match $make {
                    Ok(_) => $module::$test(|| $make.expect("it was there a moment ago")),
                    Err(Errno::ENOSYS) => eprintln!("skipped: this kernel or emulator has no such executor"),
                    Err(errno) => panic!("executor: {errno}"),
                }
            }
        )+
    };
}

conformance!(direct, Ok::<_, Errno>(Direct::new()));

// Everything that can go through the ring goes through it, however small the batch.
conformance!(
    uring,
    Uring::new().map(|mut uring| {
        uring.set_break_even(1);
        uring
    })
);

conformance!(uring_by_default, Uring::new());

// Built for a guest that has the module loaded; without it these fail.
#[cfg(esca_guest)]
conformance!(
    kernel,
    esca_sys::Kernel::new()
        .map(|mut kernel| {
            kernel.set_break_even(1);
            kernel
        })
        .map_err(module::absent)
);

#[cfg(esca_guest)]
conformance!(kernel_by_default, esca_sys::Kernel::new().map_err(module::absent));
